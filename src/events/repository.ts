import type { Digest } from '../oci/digest.ts';
import type { Role } from '../oci/manifest.ts';
import { MOST_TAG_RULES, TAG_RULE } from '../oci/tagRules.ts';
import type { EventDefinition } from './event.ts';
import { count, digest, name, object, text, timestamp } from './schema.ts';

/** `repositoryId` is for one life of the name: a repository that is deleted and pushed to again gets another. */
type OfRepository = Readonly<{ repositoryId: string; repository: string }>;

/** What a manifest names. A `subject` is what it is attached to; it need not exist. */
export type ManifestReference = Readonly<{ digest: Digest; size: number; role: Role }>;
export type Visibility = 'private' | 'public';
/** Most characters of the text about a repository. */
export const LONGEST_DESCRIPTION = 10_000;
/** How a manifest lost the last of what held it. */
export type ReleaseCause = 'tagDeleted' | 'tagMoved' | 'parentDeleted' | 'subjectDeleted';
/** What holds a manifest again. */
export type HeldBy = 'tag' | 'parent' | 'subject';

export type RepositoryEvents = Readonly<{
  RepositoryCreated: OfRepository & Readonly<{ ownerId: number | null; visibility: Visibility }>;
  /** Its text alone. */
  RepositoryDescribed: OfRepository & Readonly<{ description: string }>;
  VisibilityChanged: OfRepository & Readonly<{ visibility: Visibility; previous: Visibility }>;
  OwnerChanged: OfRepository & Readonly<{ ownerId: number | null; previous: number | null }>;
  ImmutabilityRulesSet: OfRepository & Readonly<{ rules: readonly string[] }>;
  RepositoryDeleted: OfRepository & Readonly<{ manifests: number; tags: number }>;
  RepositoryCleared: OfRepository;
  BlobLinked: OfRepository & Readonly<{ digest: Digest; size: number; mountedFrom?: string }>;
  BlobUnlinked: OfRepository &
    Readonly<{ digest: Digest; size: number; cause: 'deleted' | 'collected' | 'missing' | 'repositoryDeleted' }>;
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
      cause: 'deleted' | 'missing' | 'repositoryDeleted';
    }>;
  ManifestReleased: OfRepository & Readonly<{ digest: Digest; cause: ReleaseCause; subject?: Digest }>;
  ManifestHeld: OfRepository & Readonly<{ digest: Digest; by: HeldBy; subject?: Digest }>;
  TagMoved: OfRepository & Readonly<{ tag: string; digest: Digest; previous?: Readonly<{ digest: Digest; since: string }> }>;
  TagDeleted: OfRepository &
    Readonly<{ tag: string; digest: Digest; since: string; cause: 'deleted' | 'manifestDeleted' | 'repositoryDeleted' }>;
}>;

const ofRepository = { repositoryId: text(1, 64), repository: name };
const references = {
  type: 'array',
  maxItems: 4000,
  items: object({ digest, size: count, role: { enum: ['config', 'layer', 'manifest', 'subject'] } }),
};
const visibility = { enum: ['private', 'public'] };
const ownerId = { type: ['integer', 'null'] };

export const repositoryEvents: Readonly<Record<keyof RepositoryEvents, EventDefinition>> = {
  RepositoryCreated: {
    version: 1,
    meaning: 'A repository begins a life, at its first push.',
    schema: object({ ...ofRepository, ownerId, visibility }),
  },
  RepositoryDescribed: {
    version: 1,
    meaning: 'The text about a repository is another from now on; empty: there is none.',
    schema: object({ ...ofRepository, description: { type: 'string', maxLength: LONGEST_DESCRIPTION } }),
  },
  VisibilityChanged: {
    version: 1,
    meaning: 'A repository is to be seen by everybody from now on, or only by those who have rights in it.',
    schema: object({ ...ofRepository, visibility, previous: visibility }),
  },
  OwnerChanged: {
    version: 1,
    meaning:
      'A repository belongs to another user from now on, or to nobody. The previous one keeps what grants and namespaces give.',
    schema: object({ ...ofRepository, ownerId, previous: ownerId }),
  },
  ImmutabilityRulesSet: {
    version: 1,
    meaning: 'From now on tags that match one of these rules stay where they are, once they exist. No rules: all tags may move.',
    schema: object({
      ...ofRepository,
      rules: {
        type: 'array',
        maxItems: MOST_TAG_RULES,
        uniqueItems: true,
        items: { type: 'string', minLength: 1, maxLength: 128, pattern: TAG_RULE.source },
      },
    }),
  },
  RepositoryDeleted: {
    version: 1,
    meaning:
      'A repository ends its life, with so many manifests and tags: nothing under its name is there any more. The next push to the name begins another life.',
    schema: object({ ...ofRepository, manifests: count, tags: count }),
  },
  RepositoryCleared: {
    version: 1,
    meaning: 'Nothing is left of a life that has ended: each tag, manifest and blob that it had is recorded as gone.',
    schema: object(ofRepository),
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
      cause: { enum: ['deleted', 'collected', 'missing', 'repositoryDeleted'] },
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
      cause: { enum: ['deleted', 'missing', 'repositoryDeleted'] },
    }),
  },
  ManifestReleased: {
    version: 1,
    meaning:
      'Nothing holds a manifest any more that something held: no tag, no index, and no subject that is there. It may be collected after a while.',
    schema: object(
      { ...ofRepository, digest, cause: { enum: ['tagDeleted', 'tagMoved', 'parentDeleted', 'subjectDeleted'] } },
      { subject: digest },
    ),
  },
  ManifestHeld: {
    version: 1,
    meaning: 'Something holds a manifest again that had been released.',
    schema: object({ ...ofRepository, digest, by: { enum: ['tag', 'parent', 'subject'] } }, { subject: digest }),
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
      cause: { enum: ['deleted', 'manifestDeleted', 'repositoryDeleted'] },
    }),
  },
};
