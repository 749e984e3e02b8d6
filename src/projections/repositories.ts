import type { RepositoryEvents, Visibility } from '../events/repository.ts';
import { projection } from './projection.ts';

export type Repository = Readonly<{
  repositoryId: string;
  name: string;
  /** The user who pushed first, or null where nobody was logged in. */
  ownerId: number | null;
  visibility: Visibility;
  createdAt: string;
}>;

/** Every living repository under its name, with or without content: where rights and the id of its other documents come from. */
export const repositories = projection<Repository, RepositoryEvents>({
  view: 'repositories',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => [data.repository],
  on: {
    RepositoryCreated: (_document, { data, metadata }) => ({
      repositoryId: data.repositoryId,
      name: data.repository,
      ownerId: data.ownerId,
      visibility: data.visibility,
      createdAt: metadata.at,
    }),
  },
});
