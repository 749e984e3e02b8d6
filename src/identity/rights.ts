import type { Level } from '../events/grants.ts';
import { type Held, rights, subjectKey } from '../projections/grants.ts';
import { type Repository, repositories } from '../projections/repositories.ts';
import type { Views } from '../projections/views/views.ts';
import { authorize, type RepositoryAction, type RepositoryResource, type Verdict } from './authorize.ts';
import type { Caller } from './caller.ts';
import { covers, mergedPrefixes } from './ranges.ts';

type Reading = Pick<Views, 'get' | 'getMany'>;
/** A repository as requests name it. */
type Named = Readonly<{ name: string; repository: Repository | undefined }>;

/** To whom grants add something: administrators and auditors see everything, and nobody else is an account. */
const mayHoldGrants = (caller: Caller): caller is Extract<Caller, { kind: 'user' }> =>
  caller.kind === 'user' && (caller.role === 'user' || caller.role === 'robot');

const NO_GRANTS: readonly Held[] = [];

/** All that is granted to a caller, and to the teams that he is in: one document, and one for each team. */
export const grantsOf = async (views: Reading, caller: Caller): Promise<readonly Held[]> => {
  if (!mayHoldGrants(caller)) return NO_GRANTS;
  const own = await views.get(rights, subjectKey({ user: caller.userId }));
  if (own === undefined || own.teams.length === 0) return own?.grants ?? NO_GRANTS;
  const teams = await views.getMany(
    rights,
    own.teams.map((team) => subjectKey({ team })),
  );
  return [...own.grants, ...teams.flatMap((held) => held?.grants ?? [])];
};

const RANK: Readonly<Record<Level, number>> = { read: 1, write: 2, admin: 3 };

/** A grant on an exact name is for one life of it: who pushes to the name when that has ended has not granted anything. */
const isAbout = ({ scope, repositoryId }: Held, name: string, living: string | undefined): boolean =>
  covers(scope, name) && (repositoryId === null || repositoryId === living);

/** The highest level that these grants give in a repository. */
export const levelIn = (held: readonly Held[], { name, repository }: Named): Level | undefined => {
  let highest: Level | undefined;
  for (const grant of held) {
    const higher = highest === undefined || RANK[grant.level] > RANK[highest];
    if (higher && isAbout(grant, name, repository?.repositoryId)) highest = grant.level;
  }
  return highest;
};

/**
 * `authorize` with what grants give. They are only read where nothing else allows it: pulls of what is public or one's own cost no more
 * than before. A repository that exists and one that does not take the same reads.
 */
export const judge = async (views: Reading, caller: Caller, action: RepositoryAction, named: Named): Promise<Verdict> => {
  const resource: RepositoryResource = { type: 'repository', ...named };
  const verdict = authorize(caller, action, resource);
  if (verdict.allowed || verdict.reason === 'tokenScope' || !mayHoldGrants(caller)) return verdict;
  const level = levelIn(await grantsOf(views, caller), named);
  return level === undefined ? verdict : authorize(caller, action, { ...resource, level });
};

/** Repositories as `authorize` wants to know them, in two reads and one more for teams. @returns by their names */
export const resourcesFor = async (
  views: Reading,
  caller: Caller,
  names: readonly string[],
): Promise<ReadonlyMap<string, RepositoryResource>> => {
  if (names.length === 0) return new Map();
  const [found, held] = await Promise.all([views.getMany(repositories, names), grantsOf(views, caller)]);
  return new Map(
    names.map((name, index) => {
      const named = { name, repository: found[index] };
      return [name, { type: 'repository', ...named, level: levelIn(held, named) }];
    }),
  );
};

/** What a caller may pull, as conditions on lists: a repository that meets any of them. Says of no list that it may be had. */
export type Readable =
  | 'all'
  | 'none'
  | Readonly<{
      public: true;
      ownerId?: number;
      /** Everything under these; none stands under another one. */
      prefixes: readonly string[];
      /** These, in one life each. None stands under one of the prefixes. */
      names: readonly Readonly<{ name: string; repositoryId: string }>[];
    }>;

/** @param held what `grantsOf` says of the caller */
export const readableNames = (caller: Caller, held: readonly Held[]): Readable => {
  if (caller.kind === 'operator') return 'all';
  if (caller.kind === 'workload') return 'none';
  if (caller.kind === 'anonymous') return caller.pullsPublic ? { public: true, prefixes: [], names: [] } : 'none';
  if (!mayHoldGrants(caller)) return 'all';
  const prefixes = mergedPrefixes([
    `${caller.username}/`,
    ...held.filter(({ repositoryId }) => repositoryId === null).map(({ scope }) => scope.slice(0, -1)),
  ]);
  const names = held
    .filter(({ scope, repositoryId }) => repositoryId !== null && !prefixes.some((prefix) => scope.startsWith(prefix)))
    .map(({ scope, repositoryId }) => ({ name: scope, repositoryId: repositoryId ?? '' }));
  return { public: true, ownerId: caller.userId, prefixes, names };
};
