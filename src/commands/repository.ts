import { catalog } from '../projections/catalog.ts';
import { linkKey, links } from '../projections/links.ts';
import { heldBy, references } from '../projections/references.ts';
import { repositories } from '../projections/repositories.ts';
import { type Decider, type Documents, document, type Keys, setUnder } from './decider.ts';
import { linkBlob, unlinkBlob } from './repository/blobs.ts';
import type { RepositoryCommand } from './repository/commands.ts';
import { deleteManifest, deleteManifestKeys, deleteTag, deleteTagKeys } from './repository/deleting.ts';
import { clear, clearKeys, deleteRepository, describeRepository, setImmutabilityRules } from './repository/lives.ts';
import { pushKeys, pushManifest } from './repository/pushing.ts';

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
      return pushKeys(command, repositoryId, known);
    case 'DeleteTag':
      return deleteTagKeys(command, repositoryId, known);
    case 'DeleteManifest':
      return deleteManifestKeys(command, repositoryId, known);
    case 'DeleteRepository':
      return { documents: [document(catalog, command.repository)] };
    case 'SetImmutabilityRules':
    case 'DescribeRepository':
    case 'ClearRepository':
      return {};
  }
};

/** The rules of a repository: what may be pushed, tagged and deleted, and what that makes true. */
export const repositoryDecider: Decider<RepositoryCommand> = {
  keysOf: (command, known) => {
    // Of an ended life: whatever lives under the name by now is nothing to it.
    if (command.type === 'ClearRepository') return clearKeys(command);
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
      case 'DeleteRepository':
        return deleteRepository(command, documents);
      case 'SetImmutabilityRules':
        return setImmutabilityRules(command, documents);
      case 'DescribeRepository':
        return describeRepository(command, documents);
      case 'ClearRepository':
        return clear(command, documents);
    }
  },
};
