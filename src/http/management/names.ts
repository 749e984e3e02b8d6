import { RegistryError } from '../../errors.ts';
import { type Team, teamKey, teamNames, teams } from '../../projections/teams.ts';
import { type User, userKey, usernames, users } from '../../projections/users.ts';
import type { Views } from '../../projections/views/views.ts';
import type { HttpDeps } from '../deps.ts';

const once = (ids: readonly number[]): readonly number[] => [...new Set(ids)];

/** What users are called, by their ids; also those who are deleted. */
export const namesOfUsers = async (views: Views, ids: readonly number[]): Promise<ReadonlyMap<number, string>> => {
  if (ids.length === 0) return new Map();
  const found = await views.getMany(users, once(ids).map(userKey));
  return new Map(found.flatMap((user) => (user === undefined ? [] : [[user.userId, user.username] as const])));
};

/** What teams are called, by their ids, as far as there are any. */
export const namesOfTeams = async (views: Views, ids: readonly number[]): Promise<ReadonlyMap<number, string>> => {
  if (ids.length === 0) return new Map();
  const found = await views.getMany(teams, once(ids).map(teamKey));
  return new Map(found.flatMap((team) => (team === undefined ? [] : [[team.teamId, team.name] as const])));
};

type Named = Pick<HttpDeps, 'views' | 'fingerprints'>;

/** The user of a name, also one who was deleted. Who was erased is not found by it: else whoever knows it could tell what is left of him. */
export const userNamed = async ({ views, fingerprints }: Named, username: string): Promise<User | undefined> => {
  const named = await views.get(usernames, fingerprints.username(username));
  const user = named && (await views.get(users, userKey(named.userId)));
  return user?.erased === true ? undefined : user;
};

/** The user of a name. @throws RegistryError `NOT_FOUND`, also for one who was deleted */
export const memberNamed = async (deps: Named, username: string, field = 'user'): Promise<User> => {
  const user = await userNamed(deps, username);
  if (user === undefined || user.deleted)
    throw new RegistryError('NOT_FOUND', `There is no user ${username.slice(0, 100)}.`, { field });
  return user;
};

/** The team of a name. @throws RegistryError `NOT_FOUND` */
export const teamNamed = async (views: Views, name: string): Promise<Team> => {
  const named = await views.get(teamNames, name);
  const team = named && (await views.get(teams, teamKey(named.teamId)));
  if (team === undefined) throw new RegistryError('NOT_FOUND', `There is no team ${name.slice(0, 100)}.`, { field: 'team' });
  return team;
};
