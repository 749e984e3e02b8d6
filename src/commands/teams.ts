import { RegistryError } from '../errors.ts';
import type { Fact } from '../events/event.ts';
import { MOST_MEMBERS, type TeamEvents } from '../events/teams.ts';
import { rights, subjectKey } from '../projections/grants.ts';
import { TEAM_IDS, type Team, teamIds, teamKey, teamNames, teams } from '../projections/teams.ts';
import { type Decider, type Documents, document, type Keys } from './decider.ts';

export type CreateTeam = Readonly<{ type: 'CreateTeam'; name: string }>;
export type DeleteTeam = Readonly<{ type: 'DeleteTeam'; teamId: number }>;
export type AddTeamMember = Readonly<{ type: 'AddTeamMember'; teamId: number; userId: number }>;
export type RemoveTeamMember = Readonly<{ type: 'RemoveTeamMember'; teamId: number; userId: number }>;
export type TeamCommand = CreateTeam | DeleteTeam | AddTeamMember | RemoveTeamMember;

type TeamFact = { [T in keyof TeamEvents]: Fact<T, TeamEvents[T]> }[keyof TeamEvents];

/** Teams of one user: a request reads what is granted to each. */
export const MOST_TEAMS = 100;

const LONGEST_TEAM_NAME = 64;
const TEAM_NAME = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/;

const create = ({ name }: CreateTeam, documents: Documents): readonly TeamFact[] => {
  const field = 'name';
  if (name.length > LONGEST_TEAM_NAME || !TEAM_NAME.test(name))
    throw new RegistryError(
      'REQUEST_INVALID',
      `A team's name has at most ${LONGEST_TEAM_NAME} lower-case letters and digits, joined by ".", "_" or "-".`,
      { field },
    );
  if (documents.get(teamNames, name) !== undefined)
    throw new RegistryError('CONFLICT', `There is a team ${name} already.`, { field });
  const teamId = (documents.get(teamIds, TEAM_IDS)?.last ?? 0) + 1;
  return [{ type: 'TeamCreated', data: { teamId, name } }];
};

const existing = ({ teamId }: Readonly<{ teamId: number }>, documents: Documents): Team => {
  const team = documents.get(teams, teamKey(teamId));
  if (team === undefined) throw new RegistryError('NOT_FOUND', `There is no team ${teamId}.`, { teamId });
  return team;
};

const add = ({ teamId, userId }: AddTeamMember, documents: Documents): readonly TeamFact[] => {
  const { members } = existing({ teamId }, documents);
  if (members.includes(userId)) return [];
  if (members.length >= MOST_MEMBERS)
    throw new RegistryError('CONFLICT', `A team has at most ${MOST_MEMBERS} members.`, { most: MOST_MEMBERS });
  const { teams: others = [] } = documents.get(rights, subjectKey({ user: userId })) ?? {};
  if (others.length >= MOST_TEAMS)
    throw new RegistryError('CONFLICT', `A user is in at most ${MOST_TEAMS} teams.`, { most: MOST_TEAMS });
  return [{ type: 'TeamMemberAdded', data: { teamId, userId } }];
};

const remove = ({ teamId, userId }: RemoveTeamMember, documents: Documents): readonly TeamFact[] => {
  if (!existing({ teamId }, documents).members.includes(userId))
    throw new RegistryError('NOT_FOUND', `User ${userId} is not in this team.`, { teamId, userId });
  return [{ type: 'TeamMemberRemoved', data: { teamId, userId } }];
};

/** The rules of teams. Whether a user exists is known before. */
export const teamsDecider: Decider<TeamCommand> = {
  keysOf: (command): Keys => {
    switch (command.type) {
      case 'CreateTeam':
        return { documents: [document(teamIds, TEAM_IDS), document(teamNames, command.name)] };
      case 'AddTeamMember':
        return { documents: [document(teams, teamKey(command.teamId)), document(rights, subjectKey({ user: command.userId }))] };
      case 'DeleteTeam':
      case 'RemoveTeamMember':
        return { documents: [document(teams, teamKey(command.teamId))] };
    }
  },

  decide: (command, documents): readonly TeamFact[] => {
    switch (command.type) {
      case 'CreateTeam':
        return create(command, documents);
      case 'AddTeamMember':
        return add(command, documents);
      case 'RemoveTeamMember':
        return remove(command, documents);
      case 'DeleteTeam': {
        const { teamId, name, members } = existing(command, documents);
        return [{ type: 'TeamDeleted', data: { teamId, name, members } }];
      }
    }
  },
};
