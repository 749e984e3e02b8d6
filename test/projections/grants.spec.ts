import { grantIds, grants, grantsByPlace, rights } from '../../src/projections/grants.ts';
import { at } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';

const ANN = { user: 7 } as const;
const DEVS = { team: 3 } as const;
const HERE = { scope: 'team/app', repositoryId: 'life-1' } as const;

const granted = (grantId: number, rest: object = {}) => ({
  type: 'AccessGranted',
  data: { grantId, subject: ANN, scope: 'team/*', level: 'read', ...rest },
});
const revoked = (grantId: number, rest: object = {}) => ({
  type: 'AccessRevoked',
  data: { grantId, subject: ANN, scope: 'team/*', cause: 'revoked', ...rest },
});
const joined = (teamId: number, userId: number) => ({ type: 'TeamMemberAdded', data: { teamId, userId } });
const left = (teamId: number, userId: number) => ({ type: 'TeamMemberRemoved', data: { teamId, userId } });
const disbanded = (teamId: number, ...members: readonly number[]) => ({
  type: 'TeamDeleted',
  data: { teamId, name: 'devs', members },
});
const held = (grantId: number, rest: object = {}) =>
  ({ grantId, scope: 'team/*', level: 'read', repositoryId: null, ...rest }) as const;

describe('the rights of a user', () => {
  it('are what is granted to him, and the teams that he is in', () =>
    projecting(rights)(granted(1), joined(3, 7), granted(2, { ...HERE, level: 'write' })).yields({
      'user:7': { grants: [held(1), held(2, { ...HERE, level: 'write' })], teams: [3] },
    }));

  it('are nothing at all when all was taken away', () =>
    projecting(rights)(granted(1), joined(3, 7), left(3, 7), revoked(1)).yields({}));

  it('are not those of a team of the same number', () =>
    projecting(rights)(granted(1, { subject: { team: 7 } })).yields({ 'team:7': { grants: [held(1)], teams: [] } }));

  it('end with a team, and with them what was granted to it', () =>
    projecting(rights)(granted(1, { subject: DEVS }), joined(3, 7), joined(3, 8), granted(2), disbanded(3, 7, 8)).yields({
      'user:7': { grants: [held(2)], teams: [] },
    }));
});

describe('the grants', () => {
  it('are known by their ids, with what they are on', () =>
    projecting(grants)(granted(1), granted(2, HERE), revoked(1)).yields({
      2: { grantId: 2, subject: ANN, ...HERE, level: 'read', kind: 'repository', grantedAt: at(1) },
    }));

  it('stand together by the life of the repository that they are on', () =>
    projecting(grantsByPlace)(granted(1), granted(2, HERE), granted(3, { ...HERE, repositoryId: 'life-2' })).yields({
      'team/*  user:7': { grantId: 1, subject: ANN, scope: 'team/*', level: 'read', grantedAt: at(0) },
      'team/app life-1 user:7': { grantId: 2, subject: ANN, scope: 'team/app', level: 'read', grantedAt: at(1) },
      'team/app life-2 user:7': { grantId: 3, subject: ANN, scope: 'team/app', level: 'read', grantedAt: at(2) },
    }));

  it('are replaced in their place, not lost', () =>
    projecting(grantsByPlace)(granted(1), granted(2, { level: 'write' }), revoked(1, { cause: 'replaced' })).yields({
      'team/*  user:7': { grantId: 2, subject: ANN, scope: 'team/*', level: 'write', grantedAt: at(1) },
    }));

  it('count their ids up', () => projecting(grantIds)(granted(1), granted(2), revoked(2)).yields({ grants: { last: 2 } }));
});
