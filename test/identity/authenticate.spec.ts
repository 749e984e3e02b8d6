import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  type Account,
  type Authentication,
  authenticate,
  authenticatePassword,
  authenticateRefresh,
} from '../../src/identity/authenticate.ts';
import type { Caller } from '../../src/identity/caller.ts';
import { LONGEST_AUTHORIZATION } from '../../src/identity/credentials.ts';
import { passwords } from '../../src/identity/passwords.ts';
import { ensureSigningKey, signingKeys } from '../../src/identity/signingKeys.ts';
import { type Grant, tokens } from '../../src/identity/tokens.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';
import { refusalOf } from './refusals.ts';

const PASSWORD = 'pass:word:ä€🔑';
const SESSION: Grant = { use: 'session', userId: 7, securityVersion: 3 };
const ANN: Caller = { kind: 'user', userId: 7, username: 'ann', role: 'user', securityVersion: 3 };

const SECRETS = sqliteSecrets(':memory:', createSecretKey(randomBytes(32)));
await ensureSigningKey(SECRETS, 'k1');
const KEYS = await signingKeys(SECRETS);
const PASSWORD_HASH = await passwords({ memoryCost: 8, timeCost: 1 }).hash(PASSWORD);

const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

describe('authenticate', () => {
  let account: Account;
  let lookups: string[];
  let authentication: Authentication;

  const bearer = async (grant: Grant): Promise<string> => `Bearer ${(await authentication.tokens.issue(grant)).token}`;
  const refused = async (header: string): Promise<void> => {
    const error = await refusalOf(() => authenticate(header, authentication));
    expect(error).to.include({ code: 'UNAUTHENTICATED', message: 'The credentials are not valid.' });
    expect(error.detail).to.deep.equal({});
  };

  beforeEach(() => {
    account = { userId: 7, username: 'ann', role: 'user', passwordHash: PASSWORD_HASH, securityVersion: 3, suspended: false };
    lookups = [];
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
      },
      passwords: passwords({ memoryCost: 8, timeCost: 1, width: 1, longestQueue: 100 }),
      tokens: tokens({ keys: KEYS, issuer: 'ghostdock', service: 'registry', newId: randomUUID }),
      anonymousPull: true,
    };
  });

  after(() => SECRETS.close());

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

    it('refuses a user whose password hash is erased', async () => {
      account = { ...account, passwordHash: 'erased' };
      await refused(basic('ann', 'erased'));
    });

    it('works where users are looked up elsewhere', async () => {
      const { findByUsername, findById } = authentication.accounts;
      const accounts = {
        findByUsername: async (name: string) => findByUsername(name),
        findById: async (id: number) => findById(id),
      };
      expect(await authenticate(basic('ann', PASSWORD), { ...authentication, accounts })).to.deep.equal(ANN);
      expect(await authenticate(await bearer(SESSION), { ...authentication, accounts })).to.deep.equal(ANN);
    });

    it('is what logins with a body use', async () => {
      expect(await authenticatePassword('Ann', PASSWORD, authentication)).to.deep.equal(ANN);
      expect((await refusalOf(() => authenticatePassword('ann', 'wrong', authentication))).code).to.equal('UNAUTHENTICATED');
    });
  });

  describe('by Bearer', () => {
    it('knows the user of a session', async () => {
      expect(await authenticate(await bearer(SESSION), authentication)).to.deep.equal(ANN);
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
      expect(await authenticate(header, authentication)).to.deep.equal({ ...ANN, role: 'auditor' });
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
      expect(authenticate(header, authentication)).to.deep.equal(ANN);
      for (const change of [{ suspended: true }, { securityVersion: 4 }, { userId: 8 }]) {
        const before = account;
        account = { ...account, ...change };
        await refused(header);
        account = before;
      }
      expect(authenticate(header, authentication)).to.deep.equal(ANN);
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
      'an access token that there is not': 'Bearer ghd_0123456789',
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
});
