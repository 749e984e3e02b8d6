import { RegistryError } from '../../errors.ts';
import { LONGEST_DESCRIPTION } from '../../events/repository.ts';
import { catalog } from '../../projections/catalog.ts';
import { endedLives } from '../../projections/endedLives.ts';
import { linkKey, links } from '../../projections/links.ts';
import { manifestKey, manifests } from '../../projections/manifests.ts';
import { type Repository, repositories } from '../../projections/repositories.ts';
import { tagKey, tags } from '../../projections/tags.ts';
import { type Documents, document, type Keys } from '../decider.ts';
import type {
  ClearRepository,
  DeleteRepository,
  DescribeRepository,
  LinkBlob,
  PushManifest,
  RepositoryCommand,
  RepositoryFact,
  SetImmutabilityRules,
} from './commands.ts';

export const existing = ({ repository }: RepositoryCommand, documents: Documents): Repository => {
  const found = documents.get(repositories, repository);
  if (found === undefined)
    throw new RegistryError('REPOSITORY_UNKNOWN', `Repository ${repository} not found`, { name: repository });
  return found;
};

/** The repository's id, and the fact that creates it where this is its first push. */
export const founded = (
  command: LinkBlob | PushManifest,
  documents: Documents,
): Readonly<{ repositoryId: string; facts: readonly RepositoryFact[]; immutableTags: readonly string[] }> => {
  const { repository, newRepositoryId: repositoryId, ownerId } = command;
  const found = documents.get(repositories, repository);
  if (found !== undefined) return { repositoryId: found.repositoryId, facts: [], immutableTags: found.immutableTags };
  const created: RepositoryFact = {
    type: 'RepositoryCreated',
    data: { repositoryId, repository, ownerId, visibility: 'private' },
  };
  return { repositoryId, facts: [created], immutableTags: [] };
};

export const setImmutabilityRules = (command: SetImmutabilityRules, documents: Documents): readonly RepositoryFact[] => {
  const { repositoryId, immutableTags } = existing(command, documents);
  const { repository, rules } = command;
  if (rules.length === immutableTags.length && rules.every((rule, index) => rule === immutableTags[index])) return [];
  return [{ type: 'ImmutabilityRulesSet', data: { repositoryId, repository, rules } }];
};

export const describeRepository = (command: DescribeRepository, documents: Documents): readonly RepositoryFact[] => {
  const found = existing(command, documents);
  const life = { repositoryId: found.repositoryId, repository: command.repository };
  const { description = found.description, visibility = found.visibility, ownerId = found.ownerId } = command;
  if (description.length > LONGEST_DESCRIPTION || !description.isWellFormed())
    throw new RegistryError('REQUEST_INVALID', `A description has at most ${LONGEST_DESCRIPTION} characters.`, {
      field: 'description',
    });
  const facts: RepositoryFact[] = [];
  if (description !== found.description) facts.push({ type: 'RepositoryDescribed', data: { ...life, description } });
  if (visibility !== found.visibility)
    facts.push({ type: 'VisibilityChanged', data: { ...life, visibility, previous: found.visibility } });
  if (ownerId !== found.ownerId) facts.push({ type: 'OwnerChanged', data: { ...life, ownerId, previous: found.ownerId } });
  return facts;
};

/** One fact, however much there is in it: what it takes along is recorded afterwards, see `clear`. */
export const deleteRepository = (command: DeleteRepository, documents: Documents): readonly RepositoryFact[] => {
  const { repositoryId, immutableTags } = existing(command, documents);
  const { repository } = command;
  if (immutableTags.length > 0) {
    throw new RegistryError(
      'TAG_IMMUTABLE',
      'The repository has rules that keep its tags. Remove the rules before you delete the repository.',
      { rules: immutableTags },
    );
  }
  const entry = documents.get(catalog, repository);
  const { manifests: held, tags: tagged } = entry?.repositoryId === repositoryId ? entry : { manifests: 0, tags: 0 };
  return [{ type: 'RepositoryDeleted', data: { repositoryId, repository, manifests: held, tags: tagged } }];
};

export const clearKeys = ({ repositoryId, ...left }: ClearRepository): Keys => ({
  documents: [
    document(endedLives, repositoryId),
    ...left.tags.map((tag) => document(tags, tagKey(repositoryId, tag))),
    ...left.manifests.map((digest) => document(manifests, manifestKey(repositoryId, digest))),
    ...left.blobs.map((digest) => document(links, linkKey(repositoryId, digest))),
  ],
});

/** What somebody else has recorded already is passed by, so that any number may do this at once. */
export const clear = (command: ClearRepository, documents: Documents): readonly RepositoryFact[] => {
  const { repository, repositoryId, last, ...left } = command;
  if (documents.get(endedLives, repositoryId) === undefined) return [];
  const life = { repositoryId, repository };
  const cause = 'repositoryDeleted' as const;
  const untagged = left.tags.flatMap((tag): readonly RepositoryFact[] => {
    const found = documents.get(tags, tagKey(repositoryId, tag));
    return found ? [{ type: 'TagDeleted', data: { ...life, tag, digest: found.digest, since: found.movedAt, cause } }] : [];
  });
  const removed = left.manifests.flatMap((digest): readonly RepositoryFact[] => {
    const found = documents.get(manifests, manifestKey(repositoryId, digest));
    if (found === undefined) return [];
    return [{ type: 'ManifestDeleted', data: { ...life, digest, size: found.size, references: found.references, cause } }];
  });
  const unlinked = left.blobs.flatMap((digest): readonly RepositoryFact[] => {
    const found = documents.get(links, linkKey(repositoryId, digest));
    return found ? [{ type: 'BlobUnlinked', data: { ...life, digest, size: found.size, cause } }] : [];
  });
  return [...untagged, ...removed, ...unlinked, ...(last ? [{ type: 'RepositoryCleared', data: life } as const] : [])];
};
