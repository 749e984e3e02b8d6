import type { Level } from '../events/grants.ts';
import { type Held, type Rights, rights, subjectKey } from '../projections/grants.ts';
import { type Repository, repositories } from '../projections/repositories.ts';
import type { Views } from '../projections/views/views.ts';
import { authorize, type RepositoryAction, type RepositoryResource, type Verdict } from './authorize.ts';
import type { Caller } from './caller.ts';
import { covers, mergedPrefixes } from './ranges.ts';
import { type Soon, whenAllKnown, whenKnown } from './soon.ts';

type Reading = Pick<Views, 'getAtOnce'>;
/** A repository as requests name it. */
type Named = Readonly<{ name: string; repository: Repository | undefined }>;

/** To whom grants add something: administrators and auditors see everything, and nobody else is an account. */
const mayHoldGrants = (caller: Caller): caller is Extract<Caller, { kind: 'user' }> =>
  caller.kind === 'user' && (caller.role === 'user' || caller.role === 'robot');

const NO_GRANTS: readonly Held[] = [];

/** What was put together of a member's document and those of his teams, which is the same for as long as they are. */
type Combined = Readonly<{ keys: readonly string[]; teams: readonly (Rights | undefined)[]; held: readonly Held[] }>;
/** By the member's document: where documents are in memory, one that has not changed is the same object. */
const combinations = new WeakMap<Rights, Combined>();

/** Each team's document is looked at for every request. */
const withTeams = (views: Reading, own: Rights): Soon<readonly Held[]> => {
  const known = combinations.get(own);
  const keys = known?.keys ?? own.teams.map((team) => subjectKey({ team }));
  const found = keys.map((key) => views.getAtOnce(rights, key));
  if (known?.teams.every((team, index) => team === found[index])) return known.held;
  return whenAllKnown(found, (teams) => {
    const held = [...own.grants, ...teams.flatMap((team) => team?.grants ?? [])];
    if (teams === found) combinations.set(own, { keys, teams, held });
    return held;
  });
};

/** All that is granted to a caller, and to the teams that he is in: one document, and one for each team. */
export const grantsOf = (views: Reading, caller: Caller): Soon<readonly Held[]> => {
  if (!mayHoldGrants(caller)) return NO_GRANTS;
  return whenKnown(views.getAtOnce(rights, subjectKey({ user: caller.userId })), (own) =>
    own === undefined || own.teams.length === 0 ? (own?.grants ?? NO_GRANTS) : withTeams(views, own),
  );
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
export const judge = (views: Reading, caller: Caller, action: RepositoryAction, named: Named): Soon<Verdict> => {
  const resource: RepositoryResource = { type: 'repository', ...named };
  const verdict = authorize(caller, action, resource);
  if (verdict.allowed || verdict.reason === 'tokenScope' || !mayHoldGrants(caller)) return verdict;
  return whenKnown(grantsOf(views, caller), (held) => {
    const level = levelIn(held, named);
    return level === undefined ? verdict : authorize(caller, action, { ...resource, level });
  });
};

/** Repositories as `authorize` wants to know them, in two reads and one more for teams. @returns by their names */
export const resourcesFor = async (
  views: Reading & Pick<Views, 'getMany'>,
  caller: Caller,
  names: readonly string[],
): Promise<ReadonlyMap<string, RepositoryResource>> => {
  if (names.length === 0) return new Map();
  // In this order: what throws at once must not leave a promise behind that nobody waits for.
  const [held, found] = await Promise.all([grantsOf(views, caller), views.getMany(repositories, names)]);
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
