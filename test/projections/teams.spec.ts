import { teamIds, teamNames, teams } from '../../src/projections/teams.ts';
import { at } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';

const created = { type: 'TeamCreated', data: { teamId: 3, name: 'devs' } };
const added = (userId: number) => ({ type: 'TeamMemberAdded', data: { teamId: 3, userId } });
const removed = (userId: number) => ({ type: 'TeamMemberRemoved', data: { teamId: 3, userId } });
const deleted = { type: 'TeamDeleted', data: { teamId: 3, name: 'devs', members: [7] } };

describe('the teams', () => {
  it('know who is in them, in the order in which they came', () => {
    projecting(teams)(created, added(8), added(7), added(9), removed(8)).yields({
      3: { teamId: 3, name: 'devs', members: [7, 9], createdAt: at(0) },
    });
    projecting(teams)(created).addsUpTo({ teams: 1 });
  });

  it('are gone with their end, and their names are free', () => {
    projecting(teams)(created, added(7), deleted).yields({});
    projecting(teams)(created, added(7), deleted).addsUpTo({});
    projecting(teamNames)(created).yields({ devs: { teamId: 3 } });
    projecting(teamNames)(created, added(7), deleted).yields({});
    projecting(teamIds)(created, deleted).yields({ teams: { last: 3 } });
  });
});
