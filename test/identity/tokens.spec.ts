import { createHmac, createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import type { Scope } from '../../src/identity/scopes.ts';
import { ensureSigningKey, rotateSigningKey, type SigningKeys, signingKeys } from '../../src/identity/signingKeys.ts';
import { type Claims, type Grant, type TokenOptions, type Tokens, tokens } from '../../src/identity/tokens.ts';
import type { Secrets } from '../../src/secrets/secrets.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';
import { clock, refusalOf } from './refusals.ts';

const START = Date.parse('2026-11-03T10:00:00.000Z');
const PULL: readonly Scope[] = [{ type: 'repository', name: 'ann/web', actions: ['pull'] }];
const GRANT: Grant = { use: 'registry', userId: 7, securityVersion: 3, access: PULL };
const SESSION: Grant = { use: 'session', userId: 7, securityVersion: 3 };

const MINUTES = 60_000;

describe('bearer tokens', () => {
  let secrets: Secrets;
  let keys: SigningKeys;
  let time: ReturnType<typeof clock>;
  let service: Tokens;

  const made = (options: Partial<TokenOptions> = {}): Tokens =>
    tokens({ keys, issuer: 'ghostdock', service: 'registry.example.org', newId: randomUUID, now: time.now, ...options });
  const nowSeconds = (): number => Math.floor(time.now() / 1000);
  const signedBytes = async (keyId = 'k1'): Promise<Uint8Array> =>
    Buffer.from((await secrets.get(`signing:${keyId}`)) ?? []).subarray(8);

  /** A token of our own key that says what it likes. */
  const forged = async (claims: JWTPayload = {}, header: Record<string, unknown> = {}, key?: Uint8Array): Promise<string> => {
    const { token } = await service.issue(GRANT);
    return new SignJWT({ ...decodeJwt(token), ...claims })
      .setProtectedHeader({ alg: 'HS256', kid: 'k1', typ: 'JWT', ...header })
      .sign(key ?? (await signedBytes()));
  };

  beforeEach(async () => {
    secrets = sqliteSecrets(':memory:', createSecretKey(randomBytes(32)));
    time = clock(START);
    await ensureSigningKey(secrets, 'k1', START);
    keys = await signingKeys(secrets, time.now);
    service = made();
  });

  afterEach(() => secrets.close());

  it('hold docker’s claims, with the key’s id in their header', async () => {
    const { token } = await service.issue(GRANT);
    expect(decodeProtectedHeader(token)).to.deep.equal({ alg: 'HS256', kid: 'k1', typ: 'JWT' });
    const { jti, ...claims } = decodeJwt(token);
    expect(jti).to.match(/^[0-9a-f-]{36}$/);
    expect(claims).to.deep.equal({
      iss: 'ghostdock',
      aud: 'registry.example.org',
      sub: '7',
      iat: START / 1000,
      nbf: START / 1000,
      exp: START / 1000 + 1800,
      sv: 3,
      use: 'registry',
      access: [{ type: 'repository', name: 'ann/web', actions: ['pull'] }],
    });
  });

  it('say when verified what they were issued for', async () => {
    const { token } = await service.issue(GRANT);
    const claims = await service.verify(token);
    const { jti } = decodeJwt(token);
    expect(claims).to.deep.equal({ ...GRANT, tokenId: jti, issuedAt: START, expiresAt: START + 30 * MINUTES });
  });

  it('carry the access token that they were made from, and the session that they belong to', async () => {
    const { token } = await service.issue({ ...GRANT, accessTokenId: 12, sessionId: 'a-session' });
    expect(decodeJwt(token)).to.include({ pat: 12, sid: 'a-session' });
    expect(await service.verify(token)).to.include({ accessTokenId: 12, sessionId: 'a-session' });
    for (const claims of [{ pat: '12' }, { pat: 1.5 }, { sid: 7 }])
      expect((await refusalOf(async () => service.verify(await forged(claims)))).code).to.equal('UNAUTHENTICATED');
  });

  it('of sessions have no list of scopes, those of anonymous callers no user', async () => {
    const session = await service.verify((await service.issue(SESSION)).token);
    expect(session).to.not.have.property('access');
    const anonymous: Grant = { use: 'registry', userId: null, securityVersion: 0, access: [] };
    const { token } = await service.issue(anonymous);
    expect(decodeJwt(token).sub).to.equal('anonymous');
    expect(await service.verify(token)).to.include({ userId: null });
  });

  it('live 30 minutes for docker, 12 hours as sessions, 30 days for refreshing, or as set', async () => {
    const lifetimes = async (by: Tokens): Promise<number[]> => {
      const uses = [GRANT, SESSION, { ...SESSION, use: 'refresh' as const }];
      return Promise.all(uses.map(async (grant) => (await by.issue(grant)).expiresInSeconds));
    };
    expect(await lifetimes(service)).to.deep.equal([1800, 43_200, 2_592_000]);
    expect(await lifetimes(made({ lifetimeSeconds: { registry: 60 } }))).to.deep.equal([60, 43_200, 2_592_000]);
  });

  for (const remembered of [false, true]) {
    it(`end when they expire and 30 seconds have passed, ${remembered ? 'also' : 'even'} when they were ${remembered ? '' : 'never '}verified before`, async () => {
      const { token } = await service.issue(GRANT);
      if (remembered) await service.verify(token);
      time.pass(30 * MINUTES + 29_999);
      expect(await (remembered ? service : made()).verify(token)).to.include({ userId: 7 });
      time.pass(1);
      expect((await refusalOf(() => service.verify(token))).code).to.equal('UNAUTHENTICATED');
    });
  }

  it('begin when they are issued, or 30 seconds before by a clock that is behind', async () => {
    const { token } = await made({ now: () => START + 30_000 }).issue(GRANT);
    expect(await service.verify(token)).to.include({ userId: 7 });
    const { token: tooEarly } = await made({ now: () => START + 31_000 }).issue(GRANT);
    expect((await refusalOf(() => service.verify(tooEarly))).code).to.equal('UNAUTHENTICATED');
  });

  it('are answered at once, without a promise, when they were verified before', async () => {
    const { token } = await service.issue(GRANT);
    const first = service.verify(token);
    expect(first).to.be.instanceOf(Promise);
    expect(service.verify(token)).to.be.instanceOf(Promise);
    await first;
    expect(service.verify(token)).to.include({ userId: 7 }).and.not.be.instanceOf(Promise);
  });

  it('are remembered up to a number', async () => {
    const small = made({ remembered: 1 });
    const [one, two] = [(await small.issue(GRANT)).token, (await small.issue(GRANT)).token];
    await small.verify(one);
    await small.verify(two);
    expect(small.verify(two)).to.not.be.instanceOf(Promise);
    const again = small.verify(one);
    expect(again).to.be.instanceOf(Promise);
    await again;
  });

  describe('for refreshing', () => {
    it('are no bearer tokens, and bearer tokens do not refresh', async () => {
      const { token } = await service.issue({ ...SESSION, use: 'refresh' });
      expect(await service.verifyRefresh(token)).to.include({ use: 'refresh', userId: 7, securityVersion: 3 });
      expect((await refusalOf(() => service.verify(token))).code).to.equal('UNAUTHENTICATED');
      for (const grant of [GRANT, SESSION]) {
        const bearer = (await service.issue(grant)).token;
        await service.verify(bearer);
        expect((await refusalOf(() => service.verifyRefresh(bearer))).code).to.equal('UNAUTHENTICATED');
      }
    });

    it('live 30 days', async () => {
      const { token } = await service.issue({ ...SESSION, use: 'refresh' });
      time.pass(30 * 24 * 60 * MINUTES);
      expect(await service.verifyRefresh(token)).to.include({ userId: 7 });
      time.pass(30_000);
      expect((await refusalOf(() => service.verifyRefresh(token))).code).to.equal('UNAUTHENTICATED');
    });
  });

  describe('that were forged', () => {
    const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

    const attacks: Readonly<Record<string, () => Promise<string>>> = {
      'without a signature, alg none': async () => {
        const { token } = await service.issue(GRANT);
        return new UnsecuredJWT(decodeJwt(token)).encode();
      },
      'alg none with our signature': async () => {
        const [, claims, signature] = (await service.issue(GRANT)).token.split('.');
        return `${base64url({ alg: 'none', kid: 'k1', typ: 'JWT' })}.${claims}.${signature}`;
      },
      'alg None in other letters': async () => {
        const [, claims] = (await service.issue(GRANT)).token.split('.');
        return `${base64url({ alg: 'nOnE', kid: 'k1', typ: 'JWT' })}.${claims}.`;
      },
      'with its signature cut off': async () => (await service.issue(GRANT)).token.replace(/[^.]*$/, ''),
      'with another key': () => forged({}, {}, randomBytes(32)),
      'with an empty key': async () => {
        const [header, claims] = (await service.issue(GRANT)).token.split('.');
        return `${header}.${claims}.${createHmac('sha256', '').update(`${header}.${claims}`).digest('base64url')}`;
      },
      'with another algorithm of the same key': async () =>
        forged({}, { alg: 'HS512' }, Buffer.concat([await signedBytes(), randomBytes(32)])),
      'with our key and HS384': async () => {
        const [, claims] = (await service.issue(GRANT)).token.split('.');
        const input = `${base64url({ alg: 'HS384', kid: 'k1', typ: 'JWT' })}.${claims}`;
        return `${input}.${createHmac('sha384', await signedBytes())
          .update(input)
          .digest('base64url')}`;
      },
      'with a key id that nobody has': () => forged({}, { kid: 'k2' }),
      'without a key id': () => forged({}, { kid: undefined }),
      'with a key id that leads to another secret': () => forged({}, { kid: '../subject:user-7' }),
      'with a key in its header': () => forged({}, { jwk: { kty: 'oct', k: 'AAAA' }, kid: undefined }, Buffer.from('AAAA')),
      'of another type': () => forged({}, { typ: 'at+jwt' }),
      'with an unknown critical header': async () => {
        const [, claims] = (await service.issue(GRANT)).token.split('.');
        const input = `${base64url({ alg: 'HS256', kid: 'k1', typ: 'JWT', crit: ['x'], x: 1 })}.${claims}`;
        return `${input}.${createHmac('sha256', await signedBytes())
          .update(input)
          .digest('base64url')}`;
      },
      'for another audience': () => forged({ aud: 'other.example.org' }),
      'for no audience': () => forged({ aud: undefined } as unknown as JWTPayload),
      'by another issuer': () => forged({ iss: 'other' }),
      expired: () => forged({ exp: nowSeconds() - 31 }),
      'without an end': () => forged({ exp: undefined } as unknown as JWTPayload),
      'not valid yet': () => forged({ nbf: nowSeconds() + 31 }),
      'with claims that were changed': async () => {
        const { token } = await service.issue(GRANT);
        const [header, , signature] = token.split('.');
        return `${header}.${base64url({ ...decodeJwt(token), sub: '1' })}.${signature}`;
      },
      'for no user': () => forged({ sub: '' }),
      'for the user 0': () => forged({ sub: '0' }),
      'for a user that is no number': () => forged({ sub: 'admin' }),
      'for half a user': () => forged({ sub: '1.5' }),
      'without a security version': () => forged({ sv: undefined }),
      'with a security version that is a text': () => forged({ sv: '3' }),
      'for another use': () => forged({ use: 'admin' }),
      'for the registry without scopes': () => forged({ access: undefined }),
      'with scopes that are none': () => forged({ access: [{ type: 'repository' }] }),
      'with scopes that are null': () => forged({ access: [null] }),
      'as a session with scopes': () => forged({ use: 'session' }),
      'encrypted with no key': async () => 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA',
      'longer than any of ours': () => forged({ padding: 'x'.repeat(8192) }),
      empty: async () => '',
    };

    for (const [what, attack] of Object.entries(attacks)) {
      it(`are refused: ${what}`, async () => {
        const token = await attack();
        const error = await refusalOf(() => service.verify(token));
        expect(error).to.include({ code: 'UNAUTHENTICATED', message: 'The credentials are not valid.' });
        expect(error.detail).to.deep.equal({});
        expect((await refusalOf(() => service.verify(token))).code).to.equal('UNAUTHENTICATED');
      });
    }

    it('would be accepted, were they not forged', async () => {
      expect(await service.verify(await forged())).to.include({ userId: 7 });
    });

    it('are refused whichever character was changed, also once the true one is remembered', async () => {
      const { token } = await service.issue(GRANT);
      await service.verify(token);
      // The last character carries two bits that base64url does not use.
      const places = fc.nat({ max: token.length - 2 });
      await fc.assert(
        fc.asyncProperty(places, fc.constantFrom(...'ABab01-_.=+ '), async (place, character) => {
          fc.pre(token[place] !== character);
          const altered = token.slice(0, place) + character + token.slice(place + 1);
          expect((await refusalOf(() => service.verify(altered))).code).to.equal('UNAUTHENTICATED');
        }),
      );
    });

    it('are refused whatever they are', async () => {
      await fc.assert(
        fc.asyncProperty(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.base64String()), async (token) => {
          expect((await refusalOf(() => service.verify(token))).code).to.equal('UNAUTHENTICATED');
          expect((await refusalOf(() => service.verifyRefresh(token))).code).to.equal('UNAUTHENTICATED');
        }),
      );
    });
  });

  describe('after the signing key was rotated', () => {
    const signedWith = (token: string): unknown => decodeProtectedHeader(token).kid;

    it('are signed with the newest, and those of older ones go on', async () => {
      const { token: old } = await service.issue(GRANT);
      await rotateSigningKey(secrets, 'k2', START + 1);
      await service.reloadKeys();
      time.pass(1000);
      const { token } = await service.issue(GRANT);
      expect([signedWith(old), signedWith(token)]).to.deep.equal(['k1', 'k2']);
      expect(await made().verify(old)).to.include({ userId: 7 });
      expect(await service.verify(token)).to.include({ userId: 7 });
    });

    it('are signed with the newest even if its maker’s clock was behind', async () => {
      await rotateSigningKey(secrets, 'a', START - 60 * MINUTES);
      await service.reloadKeys();
      time.pass(1000);
      expect(signedWith((await service.issue(GRANT)).token)).to.equal('a');
    });

    it('are signed with the old one for a second more: until every node may look for the new one again', async () => {
      await rotateSigningKey(secrets, 'k2', START + 1);
      await service.reloadKeys();
      time.pass(999);
      expect(signedWith((await service.issue(GRANT)).token)).to.equal('k1');
      time.pass(1);
      expect(signedWith((await service.issue(GRANT)).token)).to.equal('k2');
    });

    it('are understood when several come at once to a node that has not heard of the new key', async () => {
      await rotateSigningKey(secrets, 'k2', START + 1);
      const elsewhere = made({ keys: await signingKeys(secrets, time.now) });
      const issued = await Promise.all([1, 2, 3].map(async () => (await elsewhere.issue(GRANT)).token));
      time.pass(1000);
      const verified = await Promise.all(issued.map((token) => service.verify(token)));
      expect(verified.map(({ userId }) => userId)).to.deep.equal([7, 7, 7]);
    });

    it('are understood by a node that has not heard of the new key', async () => {
      await rotateSigningKey(secrets, 'k2', START + 1);
      const elsewhere = made({ keys: await signingKeys(secrets, time.now) });
      const { token } = await elsewhere.issue(GRANT);
      time.pass(1000);
      expect(await service.verify(token)).to.include({ userId: 7 });
    });

    it('do not make a node read the store for each key id that somebody made up', async () => {
      let reads = 0;
      const counting: Secrets = {
        ...secrets,
        list: (prefix) => {
          reads += 1;
          return secrets.list(prefix);
        },
      };
      const attacked = made({ keys: await signingKeys(counting, time.now) });
      time.pass(1000);
      reads = 0;
      for (let index = 0; index < 20; index += 1) {
        const token = await forged({}, { kid: `made-up-${index}` });
        await refusalOf(() => attacked.verify(token));
      }
      expect(reads).to.equal(1);
    });

    it('end at once with a key that was removed, even if they were verified before', async () => {
      const { token } = await service.issue(GRANT);
      await service.verify(token);
      await rotateSigningKey(secrets, 'k2', START + 1);
      await secrets.delete('signing:k1');
      await service.reloadKeys();
      expect((await refusalOf(() => service.verify(token))).code).to.equal('UNAUTHENTICATED');
    });

    it('cannot be judged while the store cannot be read, which is not the client’s fault', async () => {
      const token = await forged({}, { kid: 'k2' });
      await secrets.close();
      time.pass(1000);
      expect((await refusalOf(() => service.verify(token))).code).to.equal('UNAVAILABLE');
      secrets = sqliteSecrets(':memory:', createSecretKey(randomBytes(32)));
    });
  });

  describe('need a signing key, which', () => {
    it('is made once', async () => {
      const empty = sqliteSecrets(':memory:', createSecretKey(randomBytes(32)));
      expect(await ensureSigningKey(empty, 'first')).to.deep.equal({ keyId: 'first', created: true });
      expect(await ensureSigningKey(empty, 'second')).to.deep.equal({ keyId: 'first', created: false });
      expect(await empty.list('')).to.deep.equal(['signing:first']);
      await empty.close();
    });

    it('is the newest where there are several', async () => {
      await rotateSigningKey(secrets, 'k2', START + 1);
      expect(await ensureSigningKey(secrets, 'k3')).to.deep.equal({ keyId: 'k2', created: false });
    });

    it('is missed when there is none', async () => {
      const empty = sqliteSecrets(':memory:', createSecretKey(randomBytes(32)));
      const none = made({ keys: await signingKeys(empty) });
      expect((await refusalOf(() => none.issue(GRANT))).code).to.equal('UNAVAILABLE');
      await empty.close();
    });
  });

  it('of the same user are told apart', async () => {
    const ids = await Promise.all(
      [1, 2].map(async () => ((await service.verify((await service.issue(GRANT)).token)) as Claims).tokenId),
    );
    expect(new Set(ids).size).to.equal(2);
  });
});
