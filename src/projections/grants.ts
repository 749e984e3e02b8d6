import type { GrantEvents, GrantSubject, Level } from '../events/grants.ts';
import type { TeamEvents } from '../events/teams.ts';
import { isPrefixGlob } from '../oci/names.ts';
import { projection } from './projection.ts';

/** A grant that is not revoked. */
export type Grant = Readonly<{
  grantId: number;
  subject: GrantSubject;
  /** A repository's name, or `prefix/*`. */
  scope: string;
  /** Of an exact name: the life that it is for. */
  repositoryId: string | null;
  level: Level;
  grantedAt: string;
}>;

export const grantKey = (grantId: number): string => String(grantId);

export type ListedGrant = Grant & Readonly<{ kind: 'repository' | 'prefix' }>;

/** Grants that are not revoked, for `GET /api/v1/grants` and those of a repository. Those of a team that is gone are among them. */
export const grants = projection<ListedGrant, GrantEvents>({
  view: 'grants',
  version: 1,
  indexes: [
    ['kind', 'grantId'],
    ['scope', 'repositoryId', 'grantId'],
  ],
  keysOf: ({ data }) => [grantKey(data.grantId)],
  on: {
    AccessGranted: (_grant, { data, metadata }) => ({
      ...data,
      repositoryId: data.repositoryId ?? null,
      kind: isPrefixGlob(data.scope) ? 'prefix' : 'repository',
      grantedAt: metadata.at,
    }),
    AccessRevoked: () => undefined,
  },
  totals: (before, after) => ({ prefixes: Number(after?.kind === 'prefix') - Number(before?.kind === 'prefix') }),
});

/** What a subject is called where keys are texts. */
export const subjectKey = ({ user, team }: GrantSubject): string => (user === undefined ? `team:${team}` : `user:${user}`);

/** Where a grant applies: all under a prefix, or one life of an exact name. */
export type GrantPlace = Readonly<{ scope: string; repositoryId?: string }>;

/** The prefix of the grants on a place; what follows is whose they are. */
export const grantsOn = ({ scope, repositoryId = '' }: GrantPlace): string => `${scope} ${repositoryId} `;
export const grantOnKey = (place: GrantPlace, subject: GrantSubject): string => `${grantsOn(place)}${subjectKey(subject)}`;

export type GrantOn = Omit<Grant, 'repositoryId'>;

/** The grant of a subject on a place, which is one at most: all of a place stand together. */
export const grantsByPlace = projection<GrantOn, GrantEvents>({
  view: 'grantsByPlace',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => [grantOnKey(data, data.subject)],
  on: {
    AccessGranted: (_grant, { data: { repositoryId: _life, ...data }, metadata }) => ({ ...data, grantedAt: metadata.at }),
    AccessRevoked: (grant, { data }) => (grant?.grantId === data.grantId ? undefined : grant),
  },
});

/** One of a subject's grants. */
export type Held = Readonly<{ grantId: number; scope: string; level: Level; repositoryId: string | null }>;
/** `teams`: of a user, which teams he is in. */
export type Rights = Readonly<{ grants: readonly Held[]; teams: readonly number[] }>;

const NONE: Rights = { grants: [], teams: [] };

/** Nothing at all is no document. */
const orNone = (rights: Rights): Rights | undefined => (rights.grants.length + rights.teams.length === 0 ? undefined : rights);

const withGrant = (rights: Rights, { grantId, scope, level, repositoryId }: GrantEvents['AccessGranted']): Rights => ({
  ...rights,
  grants: [
    ...rights.grants.filter((held) => held.grantId !== grantId),
    { grantId, scope, level, repositoryId: repositoryId ?? null },
  ],
});

const keysOfTeams = (data: TeamEvents[keyof TeamEvents]): readonly string[] => {
  if ('userId' in data) return [subjectKey({ user: data.userId })];
  if ('members' in data) return [subjectKey({ team: data.teamId }), ...data.members.map((user) => subjectKey({ user }))];
  return [];
};

const withoutTeam = (rights: Rights | undefined, teamId: number): Rights | undefined =>
  rights && orNone({ ...rights, teams: rights.teams.filter((team) => team !== teamId) });

/**
 * What users and teams may do by grants, a document each, so that a request costs the user's and those of the teams. The deciders bound
 * them: `MOST_GRANTS` grants, `MOST_TEAMS` teams.
 */
export const rights = projection<Rights, GrantEvents & TeamEvents>({
  view: 'rights',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => ('subject' in data ? [subjectKey(data.subject)] : keysOfTeams(data)),
  on: {
    AccessGranted: (held = NONE, { data }) => withGrant(held, data),
    AccessRevoked: (held, { data }) =>
      held && orNone({ ...held, grants: held.grants.filter(({ grantId }) => grantId !== data.grantId) }),
    TeamMemberAdded: (held = NONE, { data }) => ({
      ...held,
      teams: [...held.teams.filter((team) => team !== data.teamId), data.teamId],
    }),
    TeamMemberRemoved: (held, { data }) => withoutTeam(held, data.teamId),
    TeamDeleted: (held, { data }, key) =>
      key === subjectKey({ team: data.teamId }) ? undefined : withoutTeam(held, data.teamId),
  },
});

export type GrantIds = Readonly<{ last: number }>;
export const GRANT_IDS = 'grants';

/** The last id given to a grant: the decider counts on from it. */
export const grantIds = projection<GrantIds, GrantEvents>({
  view: 'grantIds',
  version: 1,
  indexes: [],
  keysOf: ({ type }) => (type === 'AccessGranted' ? [GRANT_IDS] : []),
  on: { AccessGranted: (ids, { data }) => ({ last: Math.max(ids?.last ?? 0, data.grantId) }) },
});
