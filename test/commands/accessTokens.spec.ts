import { type IssueAccessToken, MOST_TOKENS, type RevokeAccessToken } from '../../src/commands/accessTokens.ts';
import type { AccessTokenEvents } from '../../src/events/accessTokens.ts';
import type { Fact } from '../../src/events/event.ts';
import { tokens } from '../support/deciding.ts';
import { at } from '../support/facts.ts';

type Issued = AccessTokenEvents['AccessTokenIssued'];

const TOKEN = {
  userId: 7,
  name: 'CI/CD Token',
  hash: 'a'.repeat(64),
  prefix: 'ghd_ab12',
  permissions: ['pull', 'push'],
  repositories: [],
  expiresAt: null,
} as const;

const issue = (rest: Partial<IssueAccessToken> = {}): IssueAccessToken => ({
  type: 'IssueAccessToken',
  ...TOKEN,
  at: at(1000),
  ...rest,
});
const revoke = (tokenId: number, userId?: number): RevokeAccessToken => ({
  type: 'RevokeAccessToken',
  tokenId,
  ...(userId !== undefined && { userId }),
});
const issued = (tokenId: number, rest: Partial<Issued> = {}): Fact<'AccessTokenIssued', Issued> => ({
  type: 'AccessTokenIssued',
  data: { tokenId, ...TOKEN, ...rest },
});
const revoked = (tokenId: number, userId = 7): Fact => ({ type: 'AccessTokenRevoked', data: { tokenId, userId } });

describe('issuing an access token', () => {
  it('gives it the next id, whoever has the others', async () => {
    await tokens()
      .when(issue())
      .thenRecords([issued(1)]);
    await tokens(issued(1), issued(2, { userId: 8 }))
      .when(issue())
      .thenRecords([issued(3)]);
  });

  it('never gives an id again', () =>
    tokens(issued(1), issued(2), revoked(2))
      .when(issue())
      .thenRecords([issued(3)]));

  it('records permissions and repositories once each', () =>
    tokens()
      .when(issue({ permissions: ['push', 'pull', 'push'], repositories: ['team/app', 'team/*', 'team/app'] }))
      .thenRecords([issued(1, { permissions: ['push', 'pull'], repositories: ['team/app', 'team/*'] })]));

  it('is refused without any permission', () =>
    tokens()
      .when(issue({ permissions: [] }))
      .thenRefuses('REQUEST_INVALID', { field: 'permissions' }));

  it('takes an end in the future, and none that has passed', async () => {
    await tokens()
      .when(issue({ expiresAt: at(1001) }))
      .thenRecords([issued(1, { expiresAt: at(1001) })]);
    for (const expiresAt of [at(1000), at(0)])
      await tokens().when(issue({ expiresAt })).thenRefuses('REQUEST_INVALID', { field: 'expires_at' });
  });

  for (const name of ['', '   ', 'x'.repeat(101), 'a\nb', 'a\0', '\ud800'])
    it(`is refused with the name ${JSON.stringify(name.slice(0, 20))}`, () =>
      tokens().when(issue({ name })).thenRefuses('REQUEST_INVALID', { field: 'name' }));

  for (const glob of ['team/app', 'team/*', 'a', 'a/b/c/*', 'a__b/c-d.e'])
    it(`takes the repository ${glob}`, () =>
      tokens()
        .when(issue({ repositories: [glob] }))
        .thenRecords([issued(1, { repositories: [glob] })]));

  for (const glob of [
    '',
    '*',
    '/*',
    'team/**',
    'team/*/app',
    'te*',
    'Team/app',
    'team/',
    '../*',
    'team app',
    `${'x'.repeat(256)}/*`,
  ])
    it(`is refused with the repository ${JSON.stringify(glob.slice(0, 20))}`, () =>
      tokens()
        .when(issue({ repositories: ['team/app', glob] }))
        .thenRefuses('REQUEST_INVALID', { field: 'repositories.1' }));

  it('is refused with more repositories than an event should hold', () =>
    tokens()
      .when(issue({ repositories: Array.from({ length: 51 }, (_, n) => `team/app${n}`) }))
      .thenRefuses('REQUEST_INVALID', { field: 'repositories' }));

  describe('where the user has as many as there may be', () => {
    const full = Array.from({ length: MOST_TOKENS }, (_, n) => issued(n + 1));

    it('is refused', () =>
      tokens(...full)
        .when(issue())
        .thenRefuses('CONFLICT', { most: MOST_TOKENS }));

    it('is possible for another user', () =>
      tokens(...full)
        .when(issue({ userId: 8 }))
        .thenRecords([issued(MOST_TOKENS + 1, { userId: 8 })]));

    it('is possible again once one is revoked', () =>
      tokens(...full, revoked(1))
        .when(issue())
        .thenRecords([issued(MOST_TOKENS + 1)]));
  });
});

describe('revoking an access token', () => {
  it('is recorded, with whose it was', async () => {
    await tokens(issued(1), issued(2, { userId: 8 }))
      .when(revoke(2))
      .thenRecords([revoked(2, 8)]);
    await tokens(issued(1))
      .when(revoke(1, 7))
      .thenRecords([revoked(1)]);
  });

  it('is refused for one that there is not, or not any more', async () => {
    await tokens(issued(1)).when(revoke(2)).thenRefuses('NOT_FOUND', { tokenId: 2 });
    await tokens(issued(1), revoked(1)).when(revoke(1)).thenRefuses('NOT_FOUND', { tokenId: 1 });
  });

  it('is refused in the same words for that of another user', () =>
    tokens(issued(1, { userId: 8 }))
      .when(revoke(1, 7))
      .thenRefuses('NOT_FOUND', { tokenId: 1 }));

  it('takes one that has expired', () =>
    tokens(issued(1, { expiresAt: at(0) }))
      .when(revoke(1))
      .thenRecords([revoked(1)]));
});
