import type { RepositoryEvents } from '../events/repository.ts';
import { projection } from './projection.ts';

export type RepositoryWord = Readonly<{ name: string; repositoryId: string }>;

/** What parts of a name stand between. */
const SEPARATOR = /[/._-]/g;

/** A name from its beginning on, and from each of its parts on. */
export const endsOf = (name: string): readonly string[] => [
  name,
  ...[...name.matchAll(SEPARATOR)].map(({ index }) => name.slice(index + 1)),
];

/** No name has a space: whatever is looked for ends before it. */
const keyOf = (end: string, name: string): string => `${end} ${name}`;

/** Whether a name, or a part of it, begins with a text in lower case. */
export const hasWord = (name: string, text: string): boolean => endsOf(name).some((end) => end.startsWith(text));

/**
 * Serves the search of `GET /api/v1/repositories`: living repositories by everything that their name, or a part of it, begins with, found by the
 * prefix of a key. Written when a repository comes and when it goes, and not when something is pushed to it.
 */
export const repositoryWords = projection<RepositoryWord, RepositoryEvents>({
  view: 'repositoryWords',
  version: 1,
  indexes: [],
  keysOf: ({ data: { repository } }) => [...new Set(endsOf(repository))].map((end) => keyOf(end, repository)),
  on: {
    RepositoryCreated: (_word, { data }) => ({ name: data.repository, repositoryId: data.repositoryId }),
    RepositoryDeleted: (word, { data }) => (word?.repositoryId === data.repositoryId ? undefined : word),
  },
});
