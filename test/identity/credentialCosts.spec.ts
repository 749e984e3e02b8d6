// What a credential costs that came before, counted: the architecture remembers checks, never whether somebody may still log in.
import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { newAccessTokenValue } from '../../src/identity/accessTokenValue.ts';
import { accountsIn } from '../../src/identity/accounts.ts';
import { authenticate } from '../../src/identity/authenticate.ts';
import type { Authentication } from '../../src/identity/authentication.ts';
import type { Caller } from '../../src/identity/caller.ts';
import { headerMemory } from '../../src/identity/headerMemory.ts';
import { passwords } from '../../src/identity/passwords.ts';
import { grantsOf } from '../../src/identity/rights.ts';
import { ensureSigningKey, signingKeys } from '../../src/identity/signingKeys.ts';
import type { Soon } from '../../src/identity/soon.ts';
import { tokens } from '../../src/identity/tokens.ts';
import { type FailedLogins, failedLogins } from '../../src/limits/failedLogins.ts';
import { memoryLimiters } from '../../src/limits/memory.ts';
import { accessTokenHashes, accessTokens } from '../../src/projections/accessTokens.ts';
import { rights } from '../../src/projections/grants.ts';
import { serving } from '../../src/projections/groups.ts';
import type { Document, Projection } from '../../src/projections/projection.ts';
import { type User, usernames, users } from '../../src/projections/users.ts';
import { type SqliteViews, sqliteViews } from '../../src/projections/views/sqlite.ts';
import type { Views } from '../../src/projections/views/views.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';
import { positionOf } from '../support/projecting.ts';
import { refusalOf } from './refusals.ts';

const PASSWORD = 'blue cars sing loudly';
const HOME = { ip: '192.0.2.1' };
const VALUE = newAccessTokenValue();
const SMALL = { memoryCost: 8, timeCost: 1 };

const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

const ANN: User = {
  userId: 7,
  username: 'ann',
  email: null,
  role: 'user',
  passwordHash: await passwords(SMALL).hash(PASSWORD),
  securityVersion: 1,
  registeredAt: '2026-01-01T00:00:00.000Z',
  suspended: false,
  deleted: false,
  identities: [],
  usernameReserved: true,
  erased: false,
  endedSessions: [],
};
const TOKEN = {
  ...{ tokenId: 12, userId: 7, name: 'ci', prefix: 'ghd_abcd', permissions: ['pull'] as const, repositories: [] },
  ...{ issuedAt: '2026-01-01T00:00:00.000Z', expiresAt: null },
};

describe('a credential that came before', () => {
  const secrets = sqliteSecrets(':memory:', createSecretKey(randomBytes(32)));
  let views: SqliteViews;
  let authentication: Authentication;
  let limits: FailedLogins;
  let done: string[];
  let now: number;
  let revision = 0;

  const write = async <D extends Document>({ view }: Projection<D>, key: string, value: D | undefined): Promise<void> => {
    revision += 1;
    const position = positionOf(revision);
    await views.commit({
      totals: {},
      documents: [{ view, documents: [{ key, position, value }] }],
      cursors: {},
      checkpoint: position,
    });
  };

  /** The registry's own accounts, on its own views, with a record of what is done. */
  const watched = (): Pick<Views, 'getAtOnce'> => ({
    getAtOnce: (view, key) => {
      done.push(`${view.view} ${key}`);
      return views.getAtOnce(view, key);
    },
  });

  const ask = (header: string, from = HOME): Soon<Caller> | undefined => authenticate(header, authentication, from);
  /** What is done for a header that has come twice. */
  const costOf = async (header: string): Promise<readonly string[]> => {
    const first = await ask(header);
    done = [];
    const again = ask(header);
    expect(again, 'it is answered at once').not.to.be.instanceOf(Promise);
    expect(again).to.deep.equal(first);
    return done;
  };
  const bearer = async (accessTokenId?: number): Promise<string> => {
    const grant = { use: 'registry', userId: 7, securityVersion: 1, access: [] } as const;
    return `Bearer ${(await authentication.tokens.issue(accessTokenId === undefined ? grant : { ...grant, accessTokenId })).token}`;
  };

  before(() => ensureSigningKey(secrets, 'k1'));
  after(() => secrets.close());
  afterEach(() => views.close());
  beforeEach(async () => {
    views = sqliteViews(':memory:', serving);
    [done, now] = [[], 0];
    const fingerprints = {
      username: (username: string) => {
        done.push('fingerprint');
        return `of ${username}`;
      },
    };
    await write(users, '7', ANN);
    await write(usernames, 'of ann', { userId: 7 });
    await write(accessTokens, '12', TOKEN);
    await write(accessTokenHashes, VALUE.hash, { tokenId: 12, userId: 7 });
    const checks = passwords({ ...SMALL, now: () => now });
    const rates = { perUserAndAddress: 3, perAddress: 20, perUser: 3, minutes: 15 };
    limits = failedLogins(memoryLimiters(), rates, () => now);
    authentication = {
      accounts: accountsIn(watched(), fingerprints),
      passwords: {
        ...checks,
        verify: (...attempt) => {
          done.push('argon2');
          return checks.verify(...attempt);
        },
        rememberedFor: (...attempt) => {
          done.push('HMAC');
          return checks.rememberedFor(...attempt);
        },
      },
      tokens: tokens({ keys: await signingKeys(secrets), issuer: 'ghostdock', service: 'registry', newId: randomUUID }),
      failedLogins: limits,
      headers: headerMemory({ now: () => now }),
      anonymousPull: false,
    };
  });

  it('costs the look at the user’s document, and at the access token’s, and nothing else', async () => {
    expect(await costOf(basic('ann', PASSWORD)), 'Basic with a password').to.deep.equal(['users 7']);
    expect(await costOf(await bearer()), 'a signed token').to.deep.equal(['users 7']);
    for (const header of [`Bearer ${VALUE.value}`, basic('ci', VALUE.value), await bearer(12)])
      expect(await costOf(header), header).to.have.members(['users 7', 'accessTokens 12']);
  });

  it('costs no query where the documents are in memory', async () => {
    const headers = [basic('ann', PASSWORD), `Bearer ${VALUE.value}`, basic('ci', VALUE.value), await bearer()];
    for (const header of headers) await ask(header);
    const { queries } = views.stats();
    for (const header of headers) await ask(header);
    expect(views.stats().queries).to.equal(queries);
  });

  const changes: Readonly<Record<string, () => Promise<void>>> = {
    'a new password': async () =>
      write(users, '7', { ...ANN, securityVersion: 2, passwordHash: await passwords(SMALL).hash('another one entirely') }),
    'a suspension': () => write(users, '7', { ...ANN, securityVersion: 2, suspended: true }),
    'a deletion': () => write(users, '7', { ...ANN, securityVersion: 2, deleted: true, passwordHash: '' }),
  };
  for (const [what, change] of Object.entries(changes))
    it(`is refused after ${what}, at the price of a check like any wrong password`, async () => {
      const header = basic('ann', PASSWORD);
      await costOf(header);
      await change();
      done = [];
      expect((await refusalOf(() => ask(header))).code).to.equal('UNAUTHENTICATED');
      expect(done.filter((step) => step === 'argon2')).to.have.lengthOf(1);
    });

  it('is refused as soon as the access token is revoked', async () => {
    const headers = [`Bearer ${VALUE.value}`, basic('ci', VALUE.value), await bearer(12)];
    for (const header of headers) await costOf(header);
    await write(accessTokens, '12', undefined);
    for (const header of headers) expect((await refusalOf(() => ask(header))).code, header).to.equal('UNAUTHENTICATED');
  });

  it('has the role that the user has now', async () => {
    await costOf(`Bearer ${VALUE.value}`);
    await write(users, '7', { ...ANN, role: 'auditor' });
    expect(ask(`Bearer ${VALUE.value}`)).to.include({ role: 'auditor' });
  });

  it('is checked again five minutes after the check, however often it came', async () => {
    const header = basic('ann', PASSWORD);
    await ask(header);
    for (now = 60_000; now < 300_000; now += 60_000) expect(await costOf(header)).to.deep.equal(['users 7']);
    // Written in another way it is read anew, by what is remembered of the password: which makes that last no longer.
    const other = header.replace('Basic', 'BASIC');
    now = 299_999;
    done = [];
    await ask(other);
    now = 300_000;
    expect(done).not.to.include('argon2');
    await ask(other);
    expect(done.filter((step) => step === 'argon2')).to.have.lengthOf(1);
  });

  it('is counted from an address that its user is not known at, and refused where that is locked', async () => {
    const header = basic('ann', PASSWORD);
    await costOf(header);
    for (let n = 0; n < 3; n += 1) await refusalOf(() => ask(basic('ann', `wrong ${n}`), { ip: `198.51.100.${n}` }));
    expect((await refusalOf(() => ask(header, { ip: '198.51.100.9' }))).code).to.equal('TOO_MANY_REQUESTS');
    expect(await ask(header), 'at home').to.include({ username: 'ann' });
  });

  it('is refused where its user is locked, as everybody is there', async () => {
    const header = basic('ann', PASSWORD);
    await costOf(header);
    for (let n = 0; n < 3; n += 1) await refusalOf(() => ask(basic('ann', `wrong ${n}`)));
    for (const one of [header, basic('ann', 'wrong again')])
      expect((await refusalOf(() => ask(one))).code).to.equal('TOO_MANY_REQUESTS');
  });

  describe('of a member of teams', () => {
    const MEMBER: Caller = { kind: 'user', userId: 7, username: 'ann', role: 'user', securityVersion: 1 };
    const held = (scope: string) => ({ grantId: 1, scope, level: 'read', repositoryId: null }) as const;
    const scopesOf = (): readonly string[] => {
      const all = grantsOf(views, MEMBER);
      expect(all, 'they are there at once').not.to.be.instanceOf(Promise);
      return (all as Awaited<typeof all>).map(({ scope }) => scope);
    };

    beforeEach(async () => {
      await write(rights, 'user:7', { grants: [held('own/*')], teams: [1, 2] });
      await write(rights, 'team:1', { grants: [held('one/*')], teams: [] });
    });

    it('takes grants that were put together once for as long as none of them changes', () => {
      expect(scopesOf()).to.deep.equal(['own/*', 'one/*']);
      expect(grantsOf(views, MEMBER)).to.equal(grantsOf(views, MEMBER));
    });

    it('has what was granted to a team a moment ago, and lost what was taken from it or with it', async () => {
      expect(scopesOf()).to.deep.equal(['own/*', 'one/*']);
      await write(rights, 'team:2', { grants: [held('two/*')], teams: [] });
      expect(scopesOf()).to.deep.equal(['own/*', 'one/*', 'two/*']);
      await write(rights, 'team:1', undefined);
      expect(scopesOf()).to.deep.equal(['own/*', 'two/*']);
      await write(rights, 'user:7', { grants: [], teams: [1] });
      expect(scopesOf()).to.deep.equal([]);
    });
  });
});
