import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { decodeJwt } from 'jose';
import { newAccessTokenValue } from '../../src/identity/accessTokenValue.ts';
import { authenticate, authenticatePassword, authenticateRefresh } from '../../src/identity/authenticate.ts';
import type { AccessToken, Account, Authentication } from '../../src/identity/authentication.ts';
import type { Caller } from '../../src/identity/caller.ts';
import { LONGEST_AUTHORIZATION } from '../../src/identity/credentials.ts';
import { type HeaderMemory, headerMemory } from '../../src/identity/headerMemory.ts';
import { passwords } from '../../src/identity/passwords.ts';
import { ensureSigningKey, signingKeys } from '../../src/identity/signingKeys.ts';
import { type Grant, tokens } from '../../src/identity/tokens.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';
import { refusalOf } from './refusals.ts';

const PASSWORD = 'pass:word:ä€🔑';
const SESSION: Grant = { use: 'session', userId: 7, securityVersion: 3 };
const ANN: Caller = { kind: 'user', userId: 7, username: 'ann', role: 'user', securityVersion: 3 };

const VALUE = newAccessTokenValue();
const LIMITS = { tokenId: 12, permissions: ['pull'], repositories: ['ann/*'], expiresAt: '2026-11-03T10:00:00.000Z' } as const;
const NOW = Date.parse('2026-11-03T09:59:59.999Z');

const SECRETS = sqliteSecrets(':memory:', createSecretKey(randomBytes(32)));
await ensureSigningKey(SECRETS, 'k1');
const KEYS = await signingKeys(SECRETS);
const PASSWORD_HASH = await passwords({ memoryCost: 8, timeCost: 1 }).hash(PASSWORD);

const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

const specified = (memory: () => HeaderMemory | undefined) => (): void => {
  let account: Account;
  let lookups: string[];
  let authentication: Authentication;
  let token: AccessToken | undefined;

  const bearer = async (grant: Grant): Promise<string> => `Bearer ${(await authentication.tokens.issue(grant)).token}`;
  /** Ann, in the session whose token this is. */
  const inSession = (header: string): Caller => ({ ...ANN, sessionId: decodeJwt(header.slice('Bearer '.length)).jti }) as Caller;

  const refused = async (header: string): Promise<void> => {
    const error = await refusalOf(() => authenticate(header, authentication));
    expect(error).to.include({ code: 'UNAUTHENTICATED', message: 'The credentials are not valid.' });
    expect(error.detail).to.deep.equal({});
  };

  beforeEach(() => {
    account = {
      userId: 7,
      username: 'ann',
      role: 'user',
      passwordHash: PASSWORD_HASH,
      securityVersion: 3,
      suspended: false,
      endedSessions: [],
    };
    lookups = [];
    const headers = memory();
    authentication = {
      accounts: {
        findByUsername: (username) => {
          lookups.push(username);
          return username === account.username ? account : undefined;
        },
        findById: (userId) => {
          lookups.push(String(userId));
          return userId === account.userId ? account : undefined;
        },
        findToken: (tokenId) => (tokenId === token?.tokenId ? token : undefined),
        findOwner: (hash) => (hash === VALUE.hash ? { tokenId: 12, userId: 7 } : undefined),
      },
      passwords: passwords({ memoryCost: 8, timeCost: 1, width: 1, longestQueue: 100 }),
      tokens: tokens({ keys: KEYS, issuer: 'ghostdock', service: 'registry', newId: randomUUID }),
      ...(headers !== undefined && { headers }),
      anonymousPull: true,
      now: () => NOW,
    };
    token = { ...LIMITS, userId: 7 };
  });

  it('knows nobody without a header', () => {
    expect(authenticate(undefined, authentication)).to.equal(undefined);
  });

  describe('by Basic', () => {
    it('knows a user with a password of colons and any characters', async () => {
      expect(await authenticate(basic('ann', PASSWORD), authentication)).to.deep.equal(ANN);
    });

    it('looks usernames up in lower case, and the scheme may be in any', async () => {
      expect(await authenticate(basic('ANN', PASSWORD).replace('Basic', 'bAsIc  '), authentication)).to.deep.equal(ANN);
      expect(lookups).to.deep.equal(['ann']);
    });

    it('answers at once when it checked the same a moment ago, until the security version moves on', async () => {
      await authenticate(basic('ann', PASSWORD), authentication);
      expect(authenticate(basic('ann', PASSWORD), authentication)).to.deep.equal(ANN);
      account = { ...account, securityVersion: 4 };
      expect(authenticate(basic('ann', PASSWORD), authentication)).to.be.instanceOf(Promise);
    });

    it('refuses a wrong password, an unknown user and a suspended one in the same words', async () => {
      await refused(basic('ann', 'wrong'));
      await refused(basic('bob', PASSWORD));
      await authenticate(basic('ann', PASSWORD), authentication);
      account = { ...account, suspended: true };
      await refused(basic('ann', PASSWORD));
    });

    it('makes each of them wait for a check like any other', async () => {
      authentication = { ...authentication, passwords: passwords({ memoryCost: 8, timeCost: 1, width: 1, longestQueue: 0 }) };
      const headers = [basic('ann', 'wrong'), basic('bob', PASSWORD)];
      for (const header of headers) {
        const underWay = refused(header);
        expect((await refusalOf(() => authenticate(header, authentication))).code).to.equal('UNAVAILABLE');
        await underWay;
      }
      account = { ...account, suspended: true };
      const underWay = refused(basic('ann', PASSWORD));
      expect((await refusalOf(() => authenticate(basic('ann', PASSWORD), authentication))).code).to.equal('UNAVAILABLE');
      await underWay;
    });

    it('costs one check of a password each, and makes no difference by whose it is', async () => {
      let checks = 0;
      const { verify } = authentication.passwords;
      const counted = {
        ...authentication.passwords,
        verify: (...attempt: Parameters<typeof verify>) => {
          checks += 1;
          return verify(...attempt);
        },
      };
      authentication = { ...authentication, passwords: counted };
      for (const header of [basic('ann', 'wrong'), basic('nobody', PASSWORD), basic('ann', '')]) {
        checks = 0;
        await refused(header);
        expect(checks).to.equal(1);
      }
      account = { ...account, suspended: true };
      checks = 0;
      await refused(basic('ann', PASSWORD));
      expect(checks, 'a suspended user').to.equal(1);
    });

    it('refuses a user whose password hash is erased', async () => {
      account = { ...account, passwordHash: 'erased' };
      await refused(basic('ann', 'erased'));
    });

    it('works where users are looked up elsewhere', async () => {
      const { findByUsername, findById, findToken, findOwner } = authentication.accounts;
      const accounts = {
        findToken: async (tokenId: number) => findToken(tokenId),
        findOwner: async (hash: string) => findOwner(hash),
        findByUsername: async (name: string) => findByUsername(name),
        findById: async (id: number) => findById(id),
      };
      expect(await authenticate(basic('ann', PASSWORD), { ...authentication, accounts })).to.deep.equal(ANN);
      const header = await bearer(SESSION);
      expect(await authenticate(header, { ...authentication, accounts })).to.deep.equal(inSession(header));
      const owned = { ...ANN, token: LIMITS };
      expect(await authenticate(basic('ann', VALUE.value), { ...authentication, accounts })).to.deep.equal(owned);
    });

    it('is what logins with a body use', async () => {
      expect(await authenticatePassword('Ann', PASSWORD, authentication)).to.deep.equal(ANN);
      expect((await refusalOf(() => authenticatePassword('ann', 'wrong', authentication))).code).to.equal('UNAUTHENTICATED');
    });
  });

  describe('by Bearer', () => {
    it('knows the user of a session', async () => {
      const header = await bearer(SESSION);
      expect(await authenticate(header, authentication)).to.deep.equal(inSession(header));
    });

    it('knows the user of a docker token, limited to its scopes', async () => {
      const access = [{ type: 'repository', name: 'ann/web', actions: ['pull'] }];
      expect(await authenticate(await bearer({ ...SESSION, use: 'registry', access }), authentication)).to.deep.equal({
        ...ANN,
        access,
      });
    });

    it('takes role and name from the user as it is now', async () => {
      const header = await bearer(SESSION);
      account = { ...account, role: 'auditor' };
      expect(await authenticate(header, authentication)).to.deep.equal({ ...inSession(header), role: 'auditor' });
    });

    it('knows an anonymous token, which may pull what is public if the registry lets it', async () => {
      const header = await bearer({ use: 'registry', userId: null, securityVersion: 0, access: [] });
      expect(await authenticate(header, authentication)).to.deep.equal({ kind: 'anonymous', pullsPublic: true, access: [] });
      const closed = { ...authentication, anonymousPull: false };
      expect(await authenticate(header, closed)).to.deep.equal({ kind: 'anonymous', pullsPublic: false, access: [] });
      expect(lookups).to.deep.equal([]);
    });

    it('answers at once when the token was verified before, and still looks whether it was revoked', async () => {
      const header = await bearer(SESSION);
      await authenticate(header, authentication);
      expect(authenticate(header, authentication)).to.deep.equal(inSession(header));
      for (const change of [{ suspended: true }, { securityVersion: 4 }, { userId: 8 }]) {
        const before = account;
        account = { ...account, ...change };
        await refused(header);
        account = before;
      }
      expect(authenticate(header, authentication)).to.deep.equal(inSession(header));
    });

    it('refuses a token of an earlier and of a later security version', async () => {
      for (const securityVersion of [2, 4]) await refused(await bearer({ ...SESSION, securityVersion }));
    });

    it('refuses a token for refreshing, which has its own use', async () => {
      const { token } = await authentication.tokens.issue({ ...SESSION, use: 'refresh' });
      await refused(`Bearer ${token}`);
      expect(await authenticateRefresh(token, authentication)).to.deep.equal(ANN);
      account = { ...account, securityVersion: 4 };
      expect((await refusalOf(() => authenticateRefresh(token, authentication))).code).to.equal('UNAUTHENTICATED');
      const { token: session } = await authentication.tokens.issue({ ...SESSION, securityVersion: 4 });
      expect((await refusalOf(() => authenticateRefresh(session, authentication))).code).to.equal('UNAUTHENTICATED');
    });
  });

  describe('by access token', () => {
    const OWNED = { ...ANN, token: LIMITS };

    it('knows its owner, with the limits of the token, at once', () => {
      expect(authenticate(`Bearer ${VALUE.value}`, authentication)).to.deep.equal(OWNED);
      expect(authenticate(basic('ann', VALUE.value), authentication)).to.deep.equal(OWNED);
    });

    it('needs no username that is right: clients want one, and it makes no difference', () => {
      for (const username of ['x', 'bob', 'oauth2accesstoken'])
        expect(authenticate(basic(username, VALUE.value), authentication)).to.deep.equal(OWNED);
    });

    it('takes the place of the password in logins with a body', async () => {
      expect(await authenticatePassword('anybody', VALUE.value, authentication)).to.deep.equal(OWNED);
    });

    it('never checks a password: it has all the entropy that it needs', async () => {
      const verify = (): never => {
        throw new Error('No password is to be checked.');
      };
      const without = { ...authentication, passwords: { ...authentication.passwords, verify, rememberedFor: verify } };
      expect(await authenticate(basic('ann', VALUE.value), without)).to.deep.equal(OWNED);
      const error = await refusalOf(() => authenticate(basic('ann', newAccessTokenValue().value), without));
      expect(error.code).to.equal('UNAUTHENTICATED');
    });

    /** What ends a token, and what it is then. */
    const ends: Readonly<Record<string, () => void>> = {
      'that is revoked': () => {
        token = undefined;
      },
      'that expires now': () => {
        token = { ...LIMITS, userId: 7, expiresAt: new Date(NOW).toISOString() };
      },
      'of somebody else': () => {
        token = { ...LIMITS, userId: 8 };
      },
      'whose owner is suspended': () => {
        account = { ...account, suspended: true };
      },
      'whose owner is gone': () => {
        account = { ...account, userId: 8 };
      },
    };
    const withNew = (value: string): readonly string[] => [`Bearer ${value}`, basic('ann', value)];
    for (const [what, end] of Object.entries(ends))
      it(`refuses one ${what}, and every login that was made from it`, async () => {
        const access = [{ type: 'repository', name: 'ann/web', actions: ['pull'] }];
        const grants: readonly Grant[] = [
          { ...SESSION, accessTokenId: 12 },
          { ...SESSION, use: 'registry', access, accessTokenId: 12 },
        ];
        const logins = await Promise.all(grants.map(bearer));
        const { token: refresh } = await authentication.tokens.issue({ ...SESSION, use: 'refresh', accessTokenId: 12 });
        for (const login of logins) expect(await authenticate(login, authentication)).to.deep.include({ token: LIMITS });
        expect(await authenticateRefresh(refresh, authentication)).to.deep.include({ token: LIMITS });
        end();
        for (const header of [...withNew(VALUE.value), ...logins]) await refused(header);
        expect((await refusalOf(() => authenticateRefresh(refresh, authentication))).code).to.equal('UNAUTHENTICATED');
      });

    it('refuses one that there is not', async () => {
      for (const header of withNew(newAccessTokenValue().value)) await refused(header);
    });

    it('goes on when the password changes, and the logins that were made from it do not', async () => {
      const login = await bearer({ ...SESSION, accessTokenId: 12 });
      account = { ...account, securityVersion: 4 };
      expect(authenticate(`Bearer ${VALUE.value}`, authentication)).to.deep.equal({ ...OWNED, securityVersion: 4 });
      await refused(login);
    });

    it('has the rights that its owner has now', () => {
      account = { ...account, role: 'auditor' };
      expect(authenticate(`Bearer ${VALUE.value}`, authentication)).to.deep.equal({ ...OWNED, role: 'auditor' });
    });

    it('may never expire', () => {
      token = { ...LIMITS, userId: 7, expiresAt: null };
      expect(authenticate(`Bearer ${VALUE.value}`, authentication)).to.deep.include({ token: { ...LIMITS, expiresAt: null } });
    });
  });

  describe('in a session that has ended', () => {
    it('refuses its token and what was issued in it, and nothing else', async () => {
      const header = await bearer(SESSION);
      const sessionId = decodeJwt(header.slice('Bearer '.length)).jti ?? '';
      const within = await bearer({ ...SESSION, use: 'registry', access: [], sessionId });
      const other = await bearer(SESSION);
      for (const each of [header, within, other]) await authenticate(each, authentication);
      account = { ...account, endedSessions: [{ sessionId: 'another' }, { sessionId }] };
      await refused(header);
      await refused(within);
      expect(await authenticate(other, authentication)).to.deep.equal(inSession(other));
      expect(await authenticate(basic('ann', PASSWORD), authentication)).to.deep.equal(ANN);
    });
  });

  describe('refuses', () => {
    const encoded = (bytes: string | Buffer): string => Buffer.from(bytes).toString('base64');
    const headers: Readonly<Record<string, string>> = {
      nothing: '',
      'a scheme alone': 'Basic',
      'a scheme and a space': 'Basic ',
      'an unknown scheme': 'Digest username="ann"',
      'an unknown scheme of a known length': `Token ${encoded(`ann:${PASSWORD}`)}`,
      'no scheme': encoded(`ann:${PASSWORD}`),
      'a space in front': ` ${basic('ann', PASSWORD)}`,
      'two values': `${basic('ann', PASSWORD)} ${basic('ann', PASSWORD)}`,
      'a list': `${basic('ann', PASSWORD)}, Bearer x`,
      'what is not base64': 'Basic ann:password',
      'base64 that goes on behind its end': `${basic('ann', PASSWORD)}====`,
      base64url: `Basic ${Buffer.from('ann:\u{3ffff}???>>>').toString('base64url')}`,
      'no colon': `Basic ${encoded('ann')}`,
      'no username': `Basic ${encoded(`:${PASSWORD}`)}`,
      'bytes that are not UTF-8': `Basic ${encoded(Buffer.from([0x61, 0x6e, 0x6e, 0x3a, 0xff, 0xfe]))}`,
      'a null': `Basic ${encoded('ann:pass\0word')}`,
      'a line break': `Basic ${encoded('ann\n:password')}`,
      'a tab between': basic('ann', PASSWORD).replace(' ', '\t'),
      'a bearer of nothing': 'Bearer ',
      'a bearer of garbage': 'Bearer garbage',
      'what only begins like an access token': 'Bearer ghd_0123456789',
    };
    for (const [what, header] of Object.entries(headers)) {
      it(`${what}, without looking anybody up`, async () => {
        await refused(header);
        expect(lookups).to.deep.equal([]);
      });
    }

    it('a header that is too long, without looking into it', async () => {
      const room = LONGEST_AUTHORIZATION - 'Basic '.length;
      const longest = basic('ann', 'x'.repeat(Math.floor(room / 4) * 3 - 4));
      expect(longest.length).to.be.within(LONGEST_AUTHORIZATION - 4, LONGEST_AUTHORIZATION);
      await refused(longest);
      expect(lookups).to.deep.equal(['ann']);
      await refused(basic('ann', 'x'.repeat(room)));
      expect(lookups).to.deep.equal(['ann']);
    });

    it('whatever it is, in no other way', async () => {
      const anything = fc.oneof(
        fc.string(),
        fc.string({ unit: 'binary' }),
        fc.stringMatching(/^(Basic|Bearer|basic|BEARER) [A-Za-z0-9+/=._ -]{0,80}$/),
        fc.string({ unit: 'binary' }).map((text) => `Basic ${encoded(text)}`),
        fc.uint8Array().map((bytes) => `Basic ${encoded(Buffer.from(bytes))}`),
        fc.tuple(fc.string(), fc.string()).map(([username, password]) => basic(username, password)),
        fc.array(fc.base64String(), { maxLength: 5 }).map((parts) => `Bearer ${parts.join('.')}`),
      );
      await fc.assert(fc.asyncProperty(anything, refused), { numRuns: 300 });
    });
  });
};

describe('authenticate', () => {
  after(() => SECRETS.close());

  describe(
    'with each header read anew',
    specified(() => undefined),
  );
  describe(
    'with a memory of headers',
    specified(() => headerMemory()),
  );
});
