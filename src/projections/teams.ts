import type { TeamEvents } from '../events/teams.ts';
import { projection } from './projection.ts';

export type Team = Readonly<{
  teamId: number;
  name: string;
  /** User ids, in the order in which they came: at most `MOST_MEMBERS`, as the decider sees to. */
  members: readonly number[];
  createdAt: string;
}>;

export const teamKey = (teamId: number): string => String(teamId);

/** Serves `GET /api/v1/teams`. */
export const teams = projection<Team, TeamEvents>({
  view: 'teams',
  version: 1,
  indexes: [['teamId']],
  keysOf: ({ data }) => [teamKey(data.teamId)],
  on: {
    TeamCreated: (_team, { data, metadata }) => ({ ...data, members: [], createdAt: metadata.at }),
    TeamDeleted: () => undefined,
    TeamMemberAdded: (team, { data }) =>
      team && { ...team, members: [...team.members.filter((id) => id !== data.userId), data.userId] },
    TeamMemberRemoved: (team, { data }) => team && { ...team, members: team.members.filter((id) => id !== data.userId) },
  },
  totals: (before, after) => ({ teams: Number(after !== undefined) - Number(before !== undefined) }),
});

export type TeamName = Readonly<{ teamId: number }>;

/** Which team has a name now. */
export const teamNames = projection<TeamName, TeamEvents>({
  view: 'teamNames',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => ('name' in data ? [data.name] : []),
  on: {
    TeamCreated: (_name, { data }) => ({ teamId: data.teamId }),
    TeamDeleted: () => undefined,
  },
});

export type TeamIds = Readonly<{ last: number }>;
export const TEAM_IDS = 'teams';

/** The last id given to a team: the decider counts on from it. */
export const teamIds = projection<TeamIds, TeamEvents>({
  view: 'teamIds',
  version: 1,
  indexes: [],
  keysOf: ({ type }) => (type === 'TeamCreated' ? [TEAM_IDS] : []),
  on: { TeamCreated: (ids, { data }) => ({ last: Math.max(ids?.last ?? 0, data.teamId) }) },
});
