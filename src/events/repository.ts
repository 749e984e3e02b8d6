import type { Digest } from '../oci/digest.ts';
import type { Role } from '../oci/manifest.ts';
import type { EventDefinition } from './event.ts';
import { count, digest, name, object, text, timestamp } from './schema.ts';

/** `repositoryId` is for one life of the name: a repository that is deleted and pushed to again gets another. */
type OfRepository = Readonly<{ repositoryId: string; repository: string }>;

/** What a manifest names. A `subject` is what it is attached to; it need not exist. */
export type ManifestReference = Readonly<{ digest: Digest; size: number; role: Role }>;
export type Visibility = 'private' | 'public';

export type RepositoryEvents = Readonly<{
  RepositoryCreated: OfRepository & Readonly<{ ownerId: number | null; visibility: Visibility }>;
  BlobLinked: OfRepository & Readonly<{ digest: Digest; size: number; mountedFrom?: string }>;
  BlobUnlinked: OfRepository & Readonly<{ digest: Digest; size: number; cause: 'deleted' | 'collected' | 'missing' }>;
  ManifestPushed: OfRepository &
    Readonly<{
      digest: Digest;
      size: number;
      mediaType: string;
      artifactType?: string;
      references: readonly ManifestReference[];
    }>;
  ManifestDeleted: OfRepository &
    Readonly<{
      digest: Digest;
      size: number;
      references: readonly ManifestReference[];
      cause: 'deleted' | 'missing';
    }>;
  TagMoved: OfRepository & Readonly<{ tag: string; digest: Digest; previous?: Readonly<{ digest: Digest; since: string }> }>;
  TagDeleted: OfRepository & Readonly<{ tag: string; digest: Digest; since: string; cause: 'deleted' | 'manifestDeleted' }>;
}>;

const ofRepository = { repositoryId: text(1, 64), repository: name };
const references = {
  type: 'array',
  maxItems: 4000,
  items: object({ digest, size: count, role: { enum: ['config', 'layer', 'manifest', 'subject'] } }),
};
const visibility = { enum: ['private', 'public'] };

export const repositoryEvents: Readonly<Record<keyof RepositoryEvents, EventDefinition>> = {
  RepositoryCreated: {
    version: 1,
    meaning: 'A repository begins a life, at its first push.',
    schema: object({ ...ofRepository, ownerId: { type: ['integer', 'null'] }, visibility }),
  },
  BlobLinked: {
    version: 1,
    meaning: 'A repository may serve a blob from now on: it was uploaded, or mounted from another repository.',
    schema: object({ ...ofRepository, digest, size: count }, { mountedFrom: name }),
  },
  BlobUnlinked: {
    version: 1,
    meaning: 'A repository serves a blob no longer.',
    schema: object({
      ...ofRepository,
      digest,
      size: count,
      cause: { enum: ['deleted', 'collected', 'missing'] },
    }),
  },
  ManifestPushed: {
    version: 1,
    meaning: 'A manifest was stored that the repository did not have, with everything that it names.',
    schema: object({ ...ofRepository, digest, size: count, mediaType: text(1, 255), references }, { artifactType: text(1, 255) }),
  },
  ManifestDeleted: {
    version: 1,
    meaning: 'A manifest is gone from a repository; the tags that pointed at it went first.',
    schema: object({
      ...ofRepository,
      digest,
      size: count,
      references,
      cause: { enum: ['deleted', 'missing'] },
    }),
  },
  TagMoved: {
    version: 1,
    meaning: 'A tag points at another manifest than before, or is new.',
    schema: object({ ...ofRepository, tag: text(1, 128), digest }, { previous: object({ digest, since: timestamp }) }),
  },
  TagDeleted: {
    version: 1,
    meaning: 'A tag is gone. The manifest that it pointed at stays, unless its own deletion follows.',
    schema: object({
      ...ofRepository,
      tag: text(1, 128),
      digest,
      since: timestamp,
      cause: { enum: ['deleted', 'manifestDeleted'] },
    }),
  },
};
