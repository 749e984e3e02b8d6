import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { registryFor } from '../../support/app.ts';
import { type Answer, basic, bearer, expectStatus, type HttpClient, pushImage } from '../../support/http.ts';
import { accessTokenOf, revokeAccessToken } from '../../support/identities.ts';
import { randomImage } from '../../support/images.ts';
import { PASSWORD } from '../../support/registryProcess.ts';
import { type Json, jsonOf } from '../exchanges.ts';
import { expectQuiet, form, idOf, json, suspend, tellingOf, tokensOf } from './given.ts';

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const hs256 = (input: string, key: string | Buffer): string => createHmac('sha256', key).update(input).digest('base64url');

/** A token as somebody writes it who has no key of ours, but may have seen tokens. */
const forged = (header: Json, claims: Json, key: string | Buffer = ''): string => {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${hs256(input, key)}`;
};

const IMAGE = randomImage('tokens', { layers: 1 });
const ALL = [{ type: 'repository', name: 'ann/web', actions: ['pull', 'push', 'delete', '*'] }];

describe('a bearer token that is not ours', () => {
  const registry = registryFor({ GHOSTDOCK_ANONYMOUS_PULL: 'on' });
  let good: string;
  let header: Json;
  let claims: Json;
  let rubbish: unknown;

  before(async () => {
    const ann = await registry().register('ann');
    await pushImage(ann, 'ann/web', 'latest', IMAGE);
    good = String(await bearer(registry().admin, basic('ann', PASSWORD), 'repository:ann/web:pull')).slice(7);
    header = decodeProtectedHeader(good) as Json;
    claims = decodeJwt(good) as Json;
    rubbish = tellingOf(await send('rubbish'));
  });

  const send = (token: string): Promise<Answer> =>
    registry().admin.as(`Bearer ${token}`).send('GET', '/v2/ann/web/manifests/latest');

  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = publicKey.export({ format: 'jwk' });
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();

  const FORGERIES: readonly (readonly [what: string, token: () => string])[] = [
    ['with the algorithm none', () => `${part({ ...header, alg: 'none' })}.${part(claims)}.`],
    ['with the algorithm None', () => `${part({ ...header, alg: 'None' })}.${part(claims)}.`],
    [
      'with the algorithm none and a signature of another token',
      () => `${part({ ...header, alg: 'none' })}.${good.split('.').slice(1).join('.')}`,
    ],
    ['without an algorithm', () => forged({ ...header, alg: undefined }, claims)],
    ['without a signature', () => `${good.split('.').slice(0, 2).join('.')}.`],
    ['of two parts', () => good.split('.').slice(0, 2).join('.')],
    ['of four parts', () => `${good}.x`],
    ['with a signature cut off by one', () => good.slice(0, -2)],
    ['with the empty key', () => forged(header, claims)],
    ['with a key that people take', () => forged(header, claims, 'secret')],
    ['with the name of the key for a key', () => forged(header, claims, String(header.kid))],
    ['with a public key for a secret one', () => forged({ ...header, alg: 'HS256' }, claims, pem)],
    ['with a longer hash', () => forged({ ...header, alg: 'HS512' }, claims)],
    ['with RS256', () => forged({ ...header, alg: 'RS256' }, claims, pem)],
    ['with another scope', () => [good.split('.')[0], part({ ...claims, access: ALL }), good.split('.')[2]].join('.')],
    ['with another user', () => [good.split('.')[0], part({ ...claims, sub: '1' }), good.split('.')[2]].join('.')],
    [
      'for another use',
      () => [good.split('.')[0], part({ ...claims, use: 'session', access: undefined }), good.split('.')[2]].join('.'),
    ],
    ['with a header changed', () => [part({ ...header, extra: 1 }), ...good.split('.').slice(1)].join('.')],
    ['with padding', () => `${good}==`],
    ['with its key beside it', () => forged({ ...header, jwk }, claims, pem)],
    ['with a place to fetch keys from', () => forged({ ...header, jku: 'http://127.0.0.1:1/keys' }, claims)],
    ['with a certificate', () => forged({ ...header, x5u: 'http://127.0.0.1:1/', x5c: ['MIIB'] }, claims)],
    ['with something critical', () => forged({ ...header, crit: ['exp'], exp: 1 }, claims)],
    ['with b64 off', () => forged({ ...header, crit: ['b64'], b64: false }, claims)],
    ['with an unknown key', () => forged({ ...header, kid: randomUUID() }, claims)],
    ['without a key', () => forged({ ...header, kid: undefined }, claims)],
    ['with a path for a key', () => forged({ ...header, kid: '../../../../dev/null' }, claims)],
    ['with a query for a key', () => forged({ ...header, kid: "' OR '1'='1" }, claims)],
    ['with an operator for a key', () => forged({ ...header, kid: { $gt: '' } }, claims)],
    ['with a prototype for a key', () => forged({ ...header, kid: '__proto__' }, claims)],
    ['with a NUL in the key', () => forged({ ...header, kid: `${header.kid}\u0000` }, claims)],
    ['with a number for a key', () => forged({ ...header, kid: 0 }, claims)],
    ['with another type', () => forged({ ...header, typ: 'at+jwt' }, claims)],
    ['that is encrypted', () => `${part({ alg: 'dir', enc: 'A256GCM' })}..${part(claims)}.x.y`],
    ['that is JSON', () => Buffer.from(JSON.stringify({ payload: part(claims), signatures: [] })).toString('base64url')],
    ['that is signed twice over', () => forged({ ...header, cty: 'JWT' }, claims, good)],
    ['that is very long', () => forged(header, { ...claims, padding: 'x'.repeat(5000) })],
    ['that is deep', () => `${part(header)}.${Buffer.from(`${'['.repeat(3000)}${']'.repeat(3000)}`).toString('base64url')}.x`],
  ];
  for (const [what, token] of FORGERIES)
    it(`is refused ${what}, in the same words as any other rubbish`, async () => {
      expect(tellingOf(await send(token()))).to.deep.equal(rubbish);
    });

  it('is refused with RS256 and a key pair of its own', async () => {
    const { SignJWT } = await import('jose');
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: String(header.kid), typ: 'JWT', jwk })
      .sign(privateKey);
    expect(tellingOf(await send(token))).to.deep.equal(rubbish);
  });

  it('is refused in the place of a password and of a refresh token', async () => {
    const { admin, anonymous } = registry();
    const token = forged({ ...header, alg: 'none' }, claims);
    expect((await admin.as(basic('ann', token)).send('GET', '/v2/')).status).to.equal(401);
    expect((await admin.as(basic('ann', good)).send('GET', '/v2/')).status, 'nor is a good one a password').to.equal(401);
    for (const held of [token, good, 'rubbish'])
      expect((await anonymous.send('POST', '/auth', form({ grant_type: 'refresh_token', refresh_token: held }))).status).to.equal(
        401,
      );
  });

  it('is refused though the good one has just been let in', async () => {
    expect((await send(good)).status).to.equal(200);
    expect((await send(`${good.slice(0, -4)}AAAA`)).status).to.equal(401);
    expect((await send(good)).status).to.equal(200);
  });
});

describe('a token of ours', () => {
  const registry = registryFor();
  let count = 0;
  let name: string;
  let person: HttpClient;
  beforeEach(async () => {
    count += 1;
    name = `person-${count}`;
    person = await registry().register(name);
    await pushImage(person, `${name}/web`, 'latest', IMAGE);
  });

  const pulls = async (authorization: string | undefined): Promise<number> =>
    (await registry().admin.as(authorization).send('GET', `/v2/${name}/web/manifests/latest`)).status;
  const docker = (credentials = basic(name, PASSWORD)): Promise<string | undefined> =>
    bearer(registry().admin, credentials, `repository:${name}/web:pull,push`);
  const refreshed = async (refresh: string): Promise<Answer> =>
    registry().anonymous.send(
      'POST',
      '/auth',
      form({ grant_type: 'refresh_token', refresh_token: refresh, scope: `repository:${name}/web:pull` }),
    );

  it('works for what it is for alone: one to refresh with is no bearer, one for a session no key to scopes of its own', async () => {
    const { session, refresh } = await tokensOf(registry(), name);
    expect(await pulls(`Bearer ${session}`)).to.equal(200);
    expect(await pulls(`Bearer ${refresh}`)).to.equal(401);
    for (const path of ['/auth', '/api/v1/users/me', '/v2/'])
      expect((await registry().admin.as(`Bearer ${refresh}`).send('GET', path)).status, path).to.equal(401);
    expect((await refreshed(session)).status).to.equal(401);
    const scoped = registry().admin.as(await docker());
    for (const path of ['/api/v1/users/me', '/api/v1/tokens', '/v2/_catalog'])
      expect((await scoped.send('GET', path)).status, path).to.be.oneOf([401, 403]);
    expect((await scoped.send('GET', '/auth?scope=registry:catalog:*')).status).to.equal(401);
  });

  /** Whatever ends what was issued before, ends it on the next request. */
  const ENDS: readonly (readonly [what: string, end: () => Promise<unknown>, accessTokensToo: boolean])[] = [
    ['a new password', () => registry().changePassword(name, 'quite another passphrase'), false],
    ['a suspension', async () => suspend(registry(), await idOf(person)), true],
    ['a deletion', async () => registry().admin.send('DELETE', `/api/v1/users/${await idOf(person)}`), true],
    [
      'another role',
      async () => registry().admin.send('PATCH', `/api/v1/users/${await idOf(person)}`, json({ role: 'robot' })),
      false,
    ],
  ];
  for (const [what, end, accessTokensToo] of ENDS)
    it(`ends with ${what}, though it was remembered`, async () => {
      const { session, refresh } = await tokensOf(registry(), name);
      const scoped = await docker();
      const access = (await accessTokenOf(person, { permissions: ['pull'] })).value;
      for (const authorization of [`Bearer ${session}`, scoped, `Bearer ${access}`, basic('x', access)])
        expect(await pulls(authorization)).to.equal(200);
      expect((await refreshed(refresh)).status).to.equal(200);
      await end();
      for (const authorization of [`Bearer ${session}`, scoped]) expect(await pulls(authorization)).to.equal(401);
      for (const authorization of [`Bearer ${access}`, basic('x', access)])
        expect(await pulls(authorization)).to.equal(accessTokensToo ? 401 : 200);
      expect((await refreshed(refresh)).status).to.equal(401);
      if (what !== 'another role')
        expect(await pulls(basic(name, PASSWORD)), 'the password, though it was remembered').to.equal(401);
    });

  it('ends when it is revoked, with everything that was made from it', async () => {
    const { admin, anonymous } = registry();
    const access = await accessTokenOf(person, { permissions: ['pull', 'push'] });
    const scoped = await docker(basic(name, access.value));
    const byBearer = await bearer(admin, `Bearer ${access.value}`, `repository:${name}/web:pull`);
    const session = jsonOf(
      expectStatus('login', await anonymous.send('POST', '/auth', json({ username: name, password: access.value })), 200),
    ).token;
    const offline = await anonymous.send(
      'POST',
      '/auth',
      form({ grant_type: 'password', username: name, password: access.value, access_type: 'offline' }),
    );
    const refresh = String(jsonOf(expectStatus('offline', offline, 200)).refresh_token);
    const inSession = await bearer(admin, `Bearer ${session}`, `repository:${name}/web:pull`);
    const all = [`Bearer ${access.value}`, basic('x', access.value), scoped, byBearer, `Bearer ${session}`, inSession];
    for (const authorization of all) expect(await pulls(authorization)).to.equal(200);
    await revokeAccessToken(person, access);
    for (const authorization of all) expect(await pulls(authorization)).to.equal(401);
    expect((await refreshed(refresh)).status).to.equal(401);
  });

  it('of a session ends when it logs out, with the scoped ones of it, and no others', async () => {
    const { admin } = registry();
    const [first, second] = [await tokensOf(registry(), name), await tokensOf(registry(), name)];
    const scoped = await bearer(admin, `Bearer ${first.session}`, `repository:${name}/web:pull`);
    expectStatus('logout', await admin.as(`Bearer ${first.session}`).send('POST', '/auth/logout'), 200);
    for (const ended of [`Bearer ${first.session}`, scoped]) expect(await pulls(ended)).to.equal(401);
    expect(await pulls(`Bearer ${second.session}`)).to.equal(200);
  });

  it('is the first of two headers or none: what a proxy has looked at cannot be pushed aside', async () => {
    const { authorization } = { authorization: String(await docker()) };
    const { rawExchange, head } = await import('../raw.ts');
    const two = (...values: readonly string[]): string =>
      head(`GET /v2/${name}/web/manifests/latest`, ...values.map((value) => `Authorization: ${value}`), 'Connection: close');
    const { port } = registry();
    expect((await rawExchange(port, two(authorization))).status).to.equal(200);
    expect((await rawExchange(port, two('Bearer rubbish', authorization))).status).to.equal(401);
  });

  it('is in no answer that refuses it', async () => {
    const access = (await accessTokenOf(person, { permissions: ['pull'] })).value;
    for (const authorization of [`Bearer ${access}`, basic('x', access), String(await docker())])
      for (const [method, path] of [
        ['DELETE', `/v2/${name}/web/manifests/latest`],
        ['POST', '/api/v1/users'],
        ['GET', '/api/v1/nothing'],
      ] as const) {
        const answer = await registry().admin.as(authorization).send(method, path);
        expect(answer.status, path).to.be.within(400, 499);
        expectQuiet(answer, access, authorization.slice(7), PASSWORD);
      }
  });
});
