import { expect } from 'chai';
import { newAccessTokenValue } from '../../src/identity/accessTokenValue.ts';
import { registryFor } from '../support/app.ts';
import { type Answer, basic, bearer, type HttpClient, pushImage } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { exchange, jsonOf } from './exchanges.ts';

/** The tests are a proxy, so that requests come from where they say. */
const PROXIED = { GHOSTDOCK_TRUSTED_PROXIES: 'loopback' };

const from = (ip: string) => ({ headers: { 'x-forwarded-for': ip } });
const HOME = '192.0.2.1';
const ELSEWHERE = '198.51.100.7';

const rateOf = ({ headers }: Answer): Readonly<Record<'limit' | 'remaining' | 'reset', number>> => ({
  limit: Number(headers['x-ratelimit-limit']),
  remaining: Number(headers['x-ratelimit-remaining']),
  reset: Number(headers['x-ratelimit-reset']),
});

/** Needs no view that may still be built. */
const NOBODY = '/api/v1/users/999';

const secondsNow = (): number => Math.floor(Date.now() / 1000);

describe('the limits of the management API', () => {
  const registry = registryFor({ ...PROXIED, GHOSTDOCK_API_REQUESTS_PER_MINUTE: '3', GHOSTDOCK_API_REQUESTS_PER_HOUR: '1000' });
  const USERS = '/api/v1/users';

  it('are told in every answer, and refuse what goes over in the words of the API', async () => {
    const ann = await registry().register('ann', 'auditor');
    const before = secondsNow();
    const first = rateOf(await exchange(ann, ['GET', NOBODY], { status: 404 }));
    expect(first).to.include({ limit: 1000, remaining: 999 });
    expect(first.reset).to.be.within(before + 3600, secondsNow() + 3601);

    await exchange(ann, ['GET', NOBODY], { status: 404, headers: { 'x-ratelimit-remaining': '998' } });
    const last = rateOf(await exchange(ann, ['GET', NOBODY], { status: 404 }));
    expect(last).to.include({ limit: 1000, remaining: 0 });
    expect(last.reset).to.be.within(before + 59, secondsNow() + 61);

    const over = await exchange(ann, ['GET', NOBODY], { status: 429, headers: { 'x-ratelimit-remaining': '0' } });
    const { error } = jsonOf(over) as { error: Record<string, unknown> };
    expect(error).to.have.property('code', 'RATE_LIMITED');
    expect(error.details).to.have.property('limit', 1000);
    expect(Number(over.headers['retry-after'])).to.be.within(1, 60);
    expect(rateOf(over).reset).to.be.within(secondsNow(), secondsNow() + 61);
  });

  it('are each user’s own, however many addresses and tokens the user has', async () => {
    const bob = await registry().register('bob');
    const token = registry().admin.as(await bearer(registry().admin, basic('bob', PASSWORD), ''));
    const profile = '/api/v1/users?page=1';
    for (const [client, ip] of [
      [bob, HOME],
      [token, ELSEWHERE],
      [bob, '203.0.113.9'],
    ] as const)
      expect((await client.send('GET', profile, from(ip))).status).to.equal(403);
    expect((await bob.send('GET', profile, from('203.0.113.10'))).status).to.equal(429);
    const carol = await registry().register('carol');
    expect((await carol.send('GET', profile, from(HOME))).status).to.equal(403);
  });

  it('are those of an address without a login', async () => {
    const { anonymous } = registry();
    for (let count = 0; count < 3; count += 1) expect((await anonymous.send('GET', USERS, from(HOME))).status).to.equal(401);
    expect((await anonymous.send('GET', USERS, from(HOME))).status).to.equal(429);
    expect((await anonymous.send('GET', USERS, from(ELSEWHERE))).status).to.equal(401);
  });

  it('are no business of /v2, of the token service and of the health check', async () => {
    const dave = await registry().register('dave');
    for (let count = 0; count < 10; count += 1) {
      for (const path of ['/v2/', '/auth', '/health']) {
        const answer = await dave.send('GET', path);
        expect(answer.status, path).to.equal(200);
        expect(answer.headers).to.not.have.property('x-ratelimit-limit');
      }
    }
  });
});

describe('the limit of the monitoring API', () => {
  const registry = registryFor({ ...PROXIED, GHOSTDOCK_MONITORING_REQUESTS_PER_MINUTE: '3' });
  const STATUS = '/api/web/status';
  const get = (client: HttpClient, path: string, ip: string) => client.send('GET', path, from(ip));

  it('is told in every answer, and refuses what goes over in the words of that API', async () => {
    const ann = await registry().register('ann', 'auditor');
    const before = secondsNow();
    const paths = [
      [STATUS, 200],
      ['/api/nothing', 404],
      [STATUS, 200],
    ] as const;
    for (const [index, [path, status]] of paths.entries()) {
      const answer = await ann.send('GET', path);
      expect(answer.status).to.equal(status);
      expect(rateOf(answer)).to.include({ limit: 3, remaining: 2 - index });
      expect(rateOf(answer).reset).to.be.within(before + 59, secondsNow() + 61);
    }
    const over = await ann.send('GET', STATUS);
    expect(over.status).to.equal(429);
    const wait = Number(over.headers['retry-after']);
    expect(wait).to.be.within(1, 60);
    expect(jsonOf(over)).to.deep.equal({
      error: 'Too Many Requests',
      message: `Too many requests. Try again in ${wait} seconds.`,
    });
    expect(rateOf(over)).to.include({ limit: 3, remaining: 0 });
  });

  it('is that of an address without a login, and of a stream as of any request', async () => {
    const { anonymous } = registry();
    for (const path of [STATUS, '/api/logs/stream', '/api/registry/state'])
      expect((await get(anonymous, path, HOME)).status).to.equal(401);
    for (const path of [STATUS, '/api/logs/stream']) expect((await get(anonymous, path, HOME)).status).to.equal(429);
    expect((await get(anonymous, STATUS, ELSEWHERE)).status).to.equal(401);
  });

  it('is no business of the management API, /metrics, the health and the description, nor theirs of it', async () => {
    const dave = await registry().register('dave', 'auditor');
    for (let count = 0; count < 4; count += 1)
      for (const path of ['/api/v1/users/me', '/metrics', '/health', '/api/v1/health', '/api/openapi.json', '/v2/'])
        expect((await dave.send('GET', path)).status, path).to.equal(200);
    expect(rateOf(await dave.send('GET', STATUS)).remaining).to.equal(2);
  });
});

describe('a monitoring API', () => {
  const registry = registryFor();

  it('has no limit by default, and says nothing of one', async () => {
    const answer = await exchange(registry().admin, ['GET', '/api/web/status'], { status: 200 });
    expect(Object.keys(answer.headers).filter((name) => name.includes('ratelimit'))).to.deep.equal([]);
  });
});

describe('a management API without limits', () => {
  const registry = registryFor({ GHOSTDOCK_API_REQUESTS_PER_MINUTE: '0', GHOSTDOCK_API_REQUESTS_PER_HOUR: '0' });

  it('says nothing of them', async () => {
    const answer = await exchange(registry().admin, ['GET', NOBODY], { status: 404 });
    expect(Object.keys(answer.headers).filter((name) => name.includes('ratelimit'))).to.deep.equal([]);
  });
});

const IMAGE = randomImage('limited');

describe('the limits of pulls', () => {
  const registry = registryFor({
    ...PROXIED,
    GHOSTDOCK_ANONYMOUS_PULL: 'on',
    GHOSTDOCK_PULLS_PER_HOUR: '4',
    GHOSTDOCK_ANONYMOUS_PULLS_PER_HOUR: '2',
  });
  const MANIFEST = '/v2/open/image/manifests/latest';

  before(async () => {
    await registry().createPublic('open/image');
    await pushImage(registry().admin, 'open/image', 'latest', IMAGE);
  });

  it('count manifests that are fetched, by user, and refuse as docker’s clients know it', async () => {
    const ann = await registry().register('ann');
    for (const remaining of [3, 2, 1, 0])
      await exchange(ann, ['GET', MANIFEST], {
        status: 200,
        headers: { 'ratelimit-limit': '4;w=3600', 'ratelimit-remaining': `${remaining};w=3600` },
      });
    const over = await exchange(ann, ['GET', MANIFEST], { status: 429, code: 'TOOMANYREQUESTS' });
    expect(Number(over.headers['retry-after'])).to.be.within(3500, 3600);
    await exchange(registry().admin, ['GET', MANIFEST], { status: 200 });
  });

  it('leave alone what asks whether a manifest is there, and blobs', async () => {
    const bob = await registry().register('bob');
    for (let count = 0; count < 8; count += 1) {
      await exchange(bob, ['HEAD', MANIFEST], { status: 200, headers: { 'ratelimit-limit': undefined } });
      await exchange(bob, ['GET', `/v2/open/image/blobs/${IMAGE.config.digest}`], { status: 200 });
    }
    await exchange(bob, ['GET', MANIFEST], { status: 200, headers: { 'ratelimit-remaining': '3;w=3600' } });
  });

  it('are those of an address without a login, an IPv6 network being one', async () => {
    const { anonymous } = registry();
    const pull = async (ip: string): Promise<number> => (await anonymous.send('GET', MANIFEST, from(ip))).status;
    expect(await pull('2001:db8::1')).to.equal(200);
    expect(await pull('2001:db8::2')).to.equal(200);
    expect(await pull('2001:db8::3')).to.equal(429);
    expect(await pull(HOME)).to.equal(200);
  });
});

describe('failed logins', () => {
  const registry = registryFor({ ...PROXIED, GHOSTDOCK_FAILED_LOGINS: '3', GHOSTDOCK_FAILED_LOGINS_PER_ADDRESS: '50' });
  let turn = 0;
  let ip: string;

  beforeEach(() => {
    turn += 1;
    ip = `203.0.113.${turn}`;
  });

  const json = (value: unknown) => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) });
  const form = (fields: Record<string, string>) => ({
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  });

  /** Everywhere that a password is taken, with what it answers to a wrong one. */
  const DOORS: readonly (readonly [door: string, knock: (username: string, password: string) => Promise<Answer>])[] = [
    ['Basic on /v2', (user, word) => as(user, word).send('GET', '/v2/', from(ip))],
    ['Basic on /api/v1', (user, word) => as(user, word).send('GET', '/api/v1/users', from(ip))],
    ['Basic on the monitoring API', (user, word) => as(user, word).send('GET', '/api/registry/state', from(ip))],
    ['Basic on /metrics', (user, word) => as(user, word).send('GET', '/metrics', from(ip))],
    ['Basic on /api/v1/health', (user, word) => as(user, word).send('GET', '/api/v1/health', from(ip))],
    ['the token service', (user, word) => as(user, word).send('GET', '/auth?scope=repository:a/b:pull', from(ip))],
    ['the login with JSON', (username, password) => post('/auth', json({ username, password }))],
    ['the login with a form', (username, password) => post('/auth', form({ grant_type: 'password', username, password }))],
  ];
  const as = (username: string, password: string): HttpClient => registry().admin.as(basic(username, password));
  const post = (path: string, { headers, body }: { headers: Record<string, string>; body: string }): Promise<Answer> =>
    registry().anonymous.send('POST', path, { body, headers: { ...headers, ...from(ip).headers } });

  for (const [door, knock] of DOORS) {
    it(`are limited at ${door}`, async () => {
      for (let count = 0; count < 3; count += 1) expect((await knock(ADMIN, `wrong ${count}`)).status).to.equal(401);
      const refused = await knock(ADMIN, PASSWORD);
      expect(refused.status).to.equal(429);
      expect(Number(refused.headers['retry-after'])).to.be.within(1, 900);
      expect(refused.body.toString()).to.contain('Too many failed logins').and.not.contain(ADMIN);
      ip = ELSEWHERE;
      expect((await knock(ADMIN, PASSWORD)).status).to.equal(200);
    });
  }

  it('are counted over all doors together', async () => {
    for (const [, knock] of DOORS.slice(0, 3)) expect((await knock(ADMIN, `wrong at ${knock}`)).status).to.equal(401);
    for (const [, knock] of DOORS) expect((await knock(ADMIN, PASSWORD)).status).to.equal(429);
  });

  it('of users that there are and are not get the same answers', async () => {
    const answers = async (username: string) => {
      const all: unknown[] = [];
      for (let count = 0; count < 5; count += 1) {
        const { status, body, headers } = await as(username, `wrong ${count}`).send('GET', '/v2/', from(ip));
        all.push([status, body.toString().replace(/\d+/g, 'N'), Object.keys(headers)]);
      }
      return all;
    };
    expect(await answers('nobody-at-all')).to.deep.equal(await answers(ADMIN));
  });

  it('refuse the right password even where it was right a moment ago', async () => {
    const admin = as(ADMIN, PASSWORD);
    expect((await admin.send('GET', '/v2/', from(ip))).status).to.equal(200);
    for (let count = 0; count < 4; count += 1) await as(ADMIN, `wrong ${count}`).send('GET', '/v2/', from(ip));
    expect((await admin.send('GET', '/v2/', from(ip))).status).to.equal(429);
  });

  it('leave those who have a token alone', async () => {
    const token = registry().admin.as(await bearer(registry().admin, basic(ADMIN, PASSWORD), ''));
    for (let count = 0; count < 4; count += 1) await as(ADMIN, `wrong ${count}`).send('GET', '/v2/', from(ip));
    expect((await token.send('GET', '/v2/', from(ip))).status).to.equal(200);
  });

  it('come from where the connection does for whoever is no trusted proxy', async () => {
    const open = registry().app.http;
    for (let count = 0; count < 3; count += 1)
      await open.inject({
        url: '/v2/',
        remoteAddress: '192.0.2.99',
        headers: { authorization: basic(ADMIN, `wrong ${count}`), 'x-forwarded-for': `203.0.113.${200 + count}` },
      });
    const { statusCode } = await open.inject({
      url: '/v2/',
      remoteAddress: '192.0.2.99',
      headers: { authorization: basic(ADMIN, PASSWORD), 'x-forwarded-for': '203.0.113.250' },
    });
    expect(statusCode).to.equal(429);
  });
});

describe('tokens that are none', () => {
  const registry = registryFor({ ...PROXIED, GHOSTDOCK_FAILED_LOGINS_PER_ADDRESS: '1' });

  it('are counted by address, and hold up nobody who has a good one', async () => {
    const good = registry().admin.as(await bearer(registry().admin, basic(ADMIN, PASSWORD), ''));
    const wrong = [`Bearer ${newAccessTokenValue().value}`, 'Bearer x.y.z', basic('any', newAccessTokenValue().value)];
    for (let count = 0; count < 10; count += 1) {
      const answer = await registry()
        .admin.as(wrong[count % 3])
        .send('GET', '/v2/', from(HOME));
      expect(answer.status).to.equal(401);
    }
    for (const one of wrong)
      await exchange(registry().admin.as(one), ['GET', '/v2/', from(HOME)], { status: 429, code: 'TOOMANYREQUESTS' });
    await exchange(good, ['GET', '/v2/', from(HOME)], { status: 200 });
    await exchange(registry().admin, ['GET', '/v2/', from(HOME)], { status: 200 });
    await exchange(registry().admin.as(wrong[0]), ['GET', '/v2/', from(ELSEWHERE)], { status: 401 });
  });
});
