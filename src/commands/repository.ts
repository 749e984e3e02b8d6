import { RegistryError } from '../errors.ts';
import type { Fact } from '../events/event.ts';
import type { ManifestReference, RepositoryEvents } from '../events/repository.ts';
import type { Digest } from '../oci/digest.ts';
import { linkKey, links } from '../projections/links.ts';
import { manifestKey, manifests } from '../projections/manifests.ts';
import { heldBy, references, taggedBy } from '../projections/references.ts';
import { type Repository, repositories } from '../projections/repositories.ts';
import { tagKey, tags } from '../projections/tags.ts';
import { type Decider, type Documents, document, type Keys, setUnder } from './decider.ts';

/** The first push creates the repository: for whom, and under which id, if it comes to that. */
type Founding = Readonly<{ newRepositoryId: string; ownerId: number | null }>;

export type LinkBlob = Readonly<{ type: 'LinkBlob'; repository: string; digest: Digest; size: number; mountedFrom?: string }> &
  Founding;
export type UnlinkBlob = Readonly<{ type: 'UnlinkBlob'; repository: string; digest: Digest; cause: 'deleted' | 'missing' }>;
/** Digests, or any at all. */
type Etags = readonly string[] | '*';
/** What has to hold of a tag, or without one of the manifest itself, for a push to happen: compare-and-swap (RFC 9110, section 13). */
export type Precondition = Readonly<{ tag?: string; ifMatch?: Etags; ifNoneMatch?: Etags }>;

export type PushManifest = Readonly<{
  type: 'PushManifest';
  repository: string;
  digest: Digest;
  size: number;
  mediaType: string;
  artifactType?: string;
  references: readonly (ManifestReference & Readonly<{ mayBeMissing: boolean }>)[];
  tags: readonly string[];
  precondition?: Precondition;
}> &
  Founding;
export type DeleteManifest = Readonly<{ type: 'DeleteManifest'; repository: string; digest: Digest }>;
export type DeleteTag = Readonly<{ type: 'DeleteTag'; repository: string; tag: string }>;

export type RepositoryCommand = LinkBlob | UnlinkBlob | PushManifest | DeleteManifest | DeleteTag;

type RepositoryFact = { [T in keyof RepositoryEvents]: Fact<T, RepositoryEvents[T]> }[keyof RepositoryEvents];

/** Tags that go with their manifest in one append. A manifest with more is deleted in several. */
export const TAGS_PER_APPEND = 199;

/** Bytes of the references in one event: what 512 KiB leave for the rest of it. */
const LARGEST_REFERENCES = 480 * 1024;

const existing = ({ repository }: RepositoryCommand, documents: Documents): Repository => {
  const found = documents.get(repositories, repository);
  if (found === undefined)
    throw new RegistryError('REPOSITORY_UNKNOWN', `There is no repository ${repository}.`, { name: repository });
  return found;
};

/** The repository's id, and the fact that creates it where this is its first push. */
const founded = (
  command: LinkBlob | PushManifest,
  documents: Documents,
): Readonly<{ repositoryId: string; facts: readonly RepositoryFact[] }> => {
  const { repository, newRepositoryId: repositoryId, ownerId } = command;
  const found = documents.get(repositories, repository);
  if (found !== undefined) return { repositoryId: found.repositoryId, facts: [] };
  return {
    repositoryId,
    facts: [{ type: 'RepositoryCreated', data: { repositoryId, repository, ownerId, visibility: 'private' } }],
  };
};

const linkBlob = (command: LinkBlob, documents: Documents): readonly RepositoryFact[] => {
  const { repository, digest, size, mountedFrom } = command;
  const { repositoryId, facts } = founded(command, documents);
  if (documents.get(links, linkKey(repositoryId, digest)) !== undefined) return [];
  const data = { repositoryId, repository, digest, size, ...(mountedFrom !== undefined && { mountedFrom }) };
  return [...facts, { type: 'BlobLinked', data }];
};

const unlinkBlob = (command: UnlinkBlob, documents: Documents): readonly RepositoryFact[] => {
  const { repository, digest, cause } = command;
  const { repositoryId } = existing(command, documents);
  const link = documents.get(links, linkKey(repositoryId, digest));
  if (link === undefined) throw new RegistryError('BLOB_UNKNOWN', 'The repository does not have this blob.', { digest });
  if (documents.keysUnder(references, heldBy(repositoryId, digest)).length > 0) {
    throw new RegistryError('BLOB_REFERENCED', 'A manifest of the repository needs this blob. Delete the manifest first.', {
      digest,
    });
  }
  return [{ type: 'BlobUnlinked', data: { repositoryId, repository, digest, size: link.size, cause } }];
};

const refuseMissing = (command: PushManifest, repositoryId: string, documents: Documents): void => {
  const isLinked = (digest: Digest): boolean => documents.get(links, linkKey(repositoryId, digest)) !== undefined;
  const isManifest = (digest: Digest): boolean => documents.get(manifests, manifestKey(repositoryId, digest)) !== undefined;
  // Caches that build tools export as an index list plain blobs there.
  const missing = command.references.filter(
    ({ digest, role, mayBeMissing }) => !mayBeMissing && !isLinked(digest) && !(role === 'manifest' && isManifest(digest)),
  );
  if (missing.length === 0) return;
  throw new RegistryError('MANIFEST_BLOB_UNKNOWN', 'The manifest names content that the repository does not have.', {
    missing: missing.map(({ digest, role }) => ({ digest, role })),
  });
};

const moveTags = (command: PushManifest, repositoryId: string, documents: Documents): readonly RepositoryFact[] =>
  [...new Set(command.tags)].flatMap((tag): readonly RepositoryFact[] => {
    const { repository, digest } = command;
    const current = documents.get(tags, tagKey(repositoryId, tag));
    if (current?.digest === digest) return [];
    const previous = current && { digest: current.digest, since: current.movedAt };
    return [{ type: 'TagMoved', data: { repositoryId, repository, tag, digest, ...(previous !== undefined && { previous }) } }];
  });

const refuseUnless = (
  { tag, ifMatch, ifNoneMatch }: Precondition,
  { digest }: PushManifest,
  repositoryId: string,
  documents: Documents,
): void => {
  const manifest = documents.get(manifests, manifestKey(repositoryId, digest));
  const current = tag === undefined ? manifest?.digest : documents.get(tags, tagKey(repositoryId, tag))?.digest;
  const isIn = (etags: Etags): boolean => current !== undefined && (etags === '*' || etags.includes(current));
  if ((ifMatch === undefined || isIn(ifMatch)) && (ifNoneMatch === undefined || !isIn(ifNoneMatch))) return;
  throw new RegistryError('PRECONDITION_FAILED', 'The tag is not where the request expects it.', {
    tag: tag ?? null,
    digest: current ?? null,
  });
};

const pushManifest = (command: PushManifest, documents: Documents): readonly RepositoryFact[] => {
  const { repository, digest, size, mediaType, artifactType, precondition } = command;
  const { repositoryId, facts } = founded(command, documents);
  if (precondition !== undefined) refuseUnless(precondition, command, repositoryId, documents);
  const moved = moveTags(command, repositoryId, documents);
  if (documents.get(manifests, manifestKey(repositoryId, digest)) !== undefined) return moved;
  refuseMissing(command, repositoryId, documents);
  const named = command.references.map((reference) => ({ digest: reference.digest, size: reference.size, role: reference.role }));
  if (JSON.stringify(named).length > LARGEST_REFERENCES) {
    throw new RegistryError('MANIFEST_INVALID', 'The manifest names too much content.', { references: named.length });
  }
  const data = {
    repositoryId,
    repository,
    digest,
    size,
    mediaType,
    ...(artifactType !== undefined && { artifactType }),
    references: named,
  };
  return [...facts, { type: 'ManifestPushed', data }, ...moved];
};

const untag = (
  { repository }: RepositoryCommand,
  repositoryId: string,
  tag: string,
  documents: Documents,
  cause: 'deleted' | 'manifestDeleted',
): RepositoryFact => {
  const current = documents.get(tags, tagKey(repositoryId, tag));
  if (current === undefined) throw new RegistryError('TAG_UNKNOWN', `There is no tag ${tag}.`, { tag });
  return { type: 'TagDeleted', data: { repositoryId, repository, tag, digest: current.digest, since: current.movedAt, cause } };
};

const deleteTag = (command: DeleteTag, documents: Documents): readonly RepositoryFact[] => [
  untag(command, existing(command, documents).repositoryId, command.tag, documents, 'deleted'),
];

/** The tags first, the manifest last; with more tags than one append takes, only tags: ask again until `ManifestDeleted` is among the facts. */
const deleteManifest = (command: DeleteManifest, documents: Documents): readonly RepositoryFact[] => {
  const { repository, digest } = command;
  const { repositoryId } = existing(command, documents);
  const manifest = documents.get(manifests, manifestKey(repositoryId, digest));
  if (manifest === undefined)
    throw new RegistryError('MANIFEST_UNKNOWN', 'The repository does not have this manifest.', { digest });
  const tagged = documents.keysUnder(references, taggedBy(repositoryId, digest));
  const untagged = tagged.slice(0, TAGS_PER_APPEND).map((tag) => untag(command, repositoryId, tag, documents, 'manifestDeleted'));
  if (tagged.length > TAGS_PER_APPEND) return untagged;
  const data = {
    repositoryId,
    repository,
    digest,
    size: manifest.size,
    references: manifest.references,
    cause: 'deleted' as const,
  };
  return [...untagged, { type: 'ManifestDeleted', data }];
};

const keysWithin = (command: RepositoryCommand, repositoryId: string, known: Documents): Keys => {
  switch (command.type) {
    case 'LinkBlob':
      return { documents: [document(links, linkKey(repositoryId, command.digest))] };
    case 'UnlinkBlob':
      return {
        documents: [document(links, linkKey(repositoryId, command.digest))],
        sets: [setUnder(references, heldBy(repositoryId, command.digest), 1)],
      };
    case 'PushManifest':
      return {
        documents: [
          document(manifests, manifestKey(repositoryId, command.digest)),
          ...command.tags.map((tag) => document(tags, tagKey(repositoryId, tag))),
          ...command.references
            .filter(({ mayBeMissing }) => !mayBeMissing)
            .flatMap(({ digest, role }) => [
              document(links, linkKey(repositoryId, digest)),
              ...(role === 'manifest' ? [document(manifests, manifestKey(repositoryId, digest))] : []),
            ]),
        ],
      };
    case 'DeleteTag':
      return { documents: [document(tags, tagKey(repositoryId, command.tag))] };
    case 'DeleteManifest': {
      const prefix = taggedBy(repositoryId, command.digest);
      return {
        documents: [
          document(manifests, manifestKey(repositoryId, command.digest)),
          ...known.keysUnder(references, prefix).map((tag) => document(tags, tagKey(repositoryId, tag))),
        ],
        sets: [setUnder(references, prefix, TAGS_PER_APPEND + 1)],
      };
    }
  }
};

/** The rules of a repository: what may be pushed, tagged and deleted, and what that makes true. */
export const repositoryDecider: Decider<RepositoryCommand> = {
  keysOf: (command, known) => {
    const named = [document(repositories, command.repository)];
    const found = known.get(repositories, command.repository);
    const repositoryId = found?.repositoryId ?? ('newRepositoryId' in command ? command.newRepositoryId : undefined);
    if (repositoryId === undefined) return { documents: named };
    const { documents = [], sets = [] } = keysWithin(command, repositoryId, known);
    return { documents: [...named, ...documents], sets };
  },
  decide: (command, documents) => {
    switch (command.type) {
      case 'LinkBlob':
        return linkBlob(command, documents);
      case 'UnlinkBlob':
        return unlinkBlob(command, documents);
      case 'PushManifest':
        return pushManifest(command, documents);
      case 'DeleteManifest':
        return deleteManifest(command, documents);
      case 'DeleteTag':
        return deleteTag(command, documents);
    }
  },
};
