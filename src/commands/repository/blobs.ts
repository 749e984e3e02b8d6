import { RegistryError } from '../../errors.ts';
import { linkKey, links } from '../../projections/links.ts';
import { heldBy, references } from '../../projections/references.ts';
import type { Documents } from '../decider.ts';
import type { LinkBlob, RepositoryFact, UnlinkBlob } from './commands.ts';
import { existing, founded } from './lives.ts';

export const linkBlob = (command: LinkBlob, documents: Documents): readonly RepositoryFact[] => {
  const { repository, digest, size, mountedFrom } = command;
  const { repositoryId, facts } = founded(command, documents);
  if (documents.get(links, linkKey(repositoryId, digest)) !== undefined) return [];
  const data = { repositoryId, repository, digest, size, ...(mountedFrom !== undefined && { mountedFrom }) };
  return [...facts, { type: 'BlobLinked', data }];
};

export const unlinkBlob = (command: UnlinkBlob, documents: Documents): readonly RepositoryFact[] => {
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
