import { MOST_TEAMS } from '../../src/commands/teams.ts';
import { MOST_MEMBERS } from '../../src/events/teams.ts';
import { teams } from '../support/deciding.ts';

const created = (teamId: number, name = 'devs') => ({ type: 'TeamCreated', data: { teamId, name } });
const added = (teamId: number, userId: number) => ({ type: 'TeamMemberAdded', data: { teamId, userId } });
const removed = (teamId: number, userId: number) => ({ type: 'TeamMemberRemoved', data: { teamId, userId } });
const deleted = (teamId: number, members: readonly number[], name = 'devs') => ({
  type: 'TeamDeleted',
  data: { teamId, name, members },
});
const create = (name = 'devs') => ({ type: 'CreateTeam', name }) as const;
const add = (teamId: number, userId: number) => ({ type: 'AddTeamMember', teamId, userId }) as const;
const remove = (teamId: number, userId: number) => ({ type: 'RemoveTeamMember', teamId, userId }) as const;
const end = (teamId: number) => ({ type: 'DeleteTeam', teamId }) as const;

describe('a team', () => {
  it('is created under the next id, and never under one again', async () => {
    await teams()
      .when(create())
      .thenRecords([created(1)]);
    await teams(created(1), deleted(1, []), created(2, 'ops'))
      .when(create())
      .thenRecords([created(3)]);
  });

  it('has a name of its own, for as long as it is there', () =>
    teams(created(1)).when(create()).thenRefuses('CONFLICT', { field: 'name' }));

  for (const name of ['', 'Devs', 'a b', '-a', 'a/b', 'x'.repeat(65)])
    it(`cannot be called ${name.slice(0, 20) || 'nothing'}`, () =>
      teams().when(create(name)).thenRefuses('REQUEST_INVALID', { field: 'name' }));

  it('takes in users, once each, and lets them go', async () => {
    await teams(created(1))
      .when(add(1, 7))
      .thenRecords([added(1, 7)]);
    await teams(created(1), added(1, 7)).when(add(1, 7)).thenNothing();
    await teams(created(1), added(1, 7))
      .when(remove(1, 7))
      .thenRecords([removed(1, 7)]);
    await teams(created(1), added(1, 7), removed(1, 7)).when(remove(1, 7)).thenRefuses('NOT_FOUND', { teamId: 1, userId: 7 });
  });

  it('names at its end who was in it', () =>
    teams(created(1), added(1, 7), added(1, 8), removed(1, 7))
      .when(end(1))
      .thenRecords([deleted(1, [8])]));

  it('that there is not takes nobody, loses nobody and does not end', async () => {
    for (const command of [add(1, 7), remove(1, 7), end(1)]) {
      await teams().when(command).thenRefuses('NOT_FOUND', { teamId: 1 });
      await teams(created(1), deleted(1, [])).when(command).thenRefuses('NOT_FOUND', { teamId: 1 });
    }
  });

  it(`has at most ${MOST_MEMBERS} members`, () =>
    teams(created(1), ...Array.from({ length: MOST_MEMBERS }, (_, n) => added(1, n + 1)))
      .when(add(1, MOST_MEMBERS + 1))
      .thenRefuses('CONFLICT', { most: MOST_MEMBERS }));

  it(`takes nobody who is in ${MOST_TEAMS} others, of those that are left`, async () => {
    const many = Array.from({ length: MOST_TEAMS + 1 }, (_, n) => created(n + 1, `team${n}`));
    const member = Array.from({ length: MOST_TEAMS }, (_, n) => added(n + 1, 7));
    await teams(...many, ...member)
      .when(add(MOST_TEAMS + 1, 7))
      .thenRefuses('CONFLICT', { most: MOST_TEAMS });
    await teams(...many, ...member, deleted(3, [7], 'team2'))
      .when(add(MOST_TEAMS + 1, 7))
      .thenRecords([added(MOST_TEAMS + 1, 7)]);
  });
});
