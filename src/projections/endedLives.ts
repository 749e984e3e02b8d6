import type { RepositoryEvents } from '../events/repository.ts';
import { projection } from './projection.ts';

export type EndedLife = Readonly<{
  repositoryId: string;
  repository: string;
  endedAt: string;
  /** Tags, manifests and blobs that are recorded as gone: who sees it stand still knows that nobody clears this life. */
  cleared: number;
}>;

/** Lives of repositories that have ended and are not cleared away: the work of `src/clearing.ts`, by their repository's id. */
export const endedLives = projection<EndedLife, RepositoryEvents>({
  view: 'endedLives',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => ('cause' in data && data.cause !== 'repositoryDeleted' ? [] : [data.repositoryId]),
  on: {
    RepositoryDeleted: (_life, { data, metadata }) => ({
      repositoryId: data.repositoryId,
      repository: data.repository,
      endedAt: metadata.at,
      cleared: 0,
    }),
    TagDeleted: (life) => life && { ...life, cleared: life.cleared + 1 },
    ManifestDeleted: (life) => life && { ...life, cleared: life.cleared + 1 },
    BlobUnlinked: (life) => life && { ...life, cleared: life.cleared + 1 },
    RepositoryCleared: () => undefined,
  },
});
