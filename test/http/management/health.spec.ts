import { expect } from 'chai';
import Fastify from 'fastify';
import { RegistryError } from '../../../src/errors.ts';
import type { Health, HttpDeps } from '../../../src/http/deps.ts';
import { openHealth, sizeInUnits } from '../../../src/http/management/health.ts';
import { registryFor } from '../../support/app.ts';
import { whileAway } from '../../support/away.ts';
import { basic, pushImage } from '../../support/http.ts';
import { accessTokenOf } from '../../support/identities.ts';
import { randomImage } from '../../support/images.ts';
import { waitUntil } from '../../support/processes.ts';
import { PASSWORD } from '../../support/registryProcess.ts';
import { exchange } from '../exchanges.ts';
import { call } from './calls.ts';

const HEALTHY = {
  status: 'healthy',
  version: '0.0.0-test',
  services: { database: 'healthy', storage: 'healthy', auth: 'healthy' },
};

describe('GET /api/v1/health', () => {
  const registry = registryFor({ GHOSTDOCK_API_REQUESTS_PER_MINUTE: '3' });
  const image = randomImage('health', { layers: 2, size: 4096 });

  before(async () => {
    await pushImage(registry().admin, 'a/b', '1', image);
    await pushImage(registry().admin, 'a/b', '2', image);
    await pushImage(registry().admin, 'c', '1', image);
  });

  it('“System Information: Health Check”: status, version, services and metrics, as the document’s sample has them', async () => {
    const bytes = [image.config, ...image.layers].reduce((sum, { bytes: { length } }) => sum + length, 0);
    const { status, body } = await call(registry().admin, 'GET', '/api/v1/health');
    expect(status).to.equal(200);
    // The views of the counters may be a moment behind: what is told is never waited for here.
    expect(body).to.have.all.keys('status', 'version', 'services', 'metrics');
    expect(body.services).to.have.all.keys('database', 'storage', 'auth');
    expect(body.metrics).to.have.all.keys('repositories', 'images', 'users', 'storage_used');
    await call(registry().admin, 'GET', '/api/v1/metrics');
    const later = await call(registry().admin, 'GET', '/api/v1/health');
    expect(later.body.metrics).to.deep.equal({ repositories: 2, images: 3, users: 1, storage_used: sizeInUnits(bytes) });
  });

  it('is open to callers without a login, who are told no numbers', async () => {
    const { status, body } = await call(registry().anonymous, 'GET', '/api/v1/health');
    expect(status).to.equal(200);
    expect(body).to.deep.equal(HEALTHY);
  });

  it('takes no credentials that are none', async () => {
    await exchange(registry().admin.as(basic('admin', 'wrong')), ['GET', '/api/v1/health'], {
      status: 401,
      headers: { 'www-authenticate': /^Basic / },
    });
  });

  it('answers monitors however often they ask: it counts for no limit', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { status, headers } = await call(registry().anonymous, 'GET', '/api/v1/health');
      expect(status).to.equal(200);
      expect(headers).to.not.have.property('x-ratelimit-limit');
    }
  });

  it('answers HEAD, and refuses other methods', async () => {
    await exchange(registry().anonymous, ['HEAD', '/api/v1/health'], { status: 200 });
    await exchange(registry().anonymous, ['POST', '/api/v1/health'], { status: 405, headers: { allow: 'GET, HEAD' } });
  });
});

describe('the numbers of GET /api/v1/health', () => {
  const registry = registryFor();

  before(async () => {
    const { admin, app, head } = registry();
    await pushImage(admin, 'a/b', '1', randomImage('numbers', { layers: 1 }));
    const last = await head();
    await waitUntil('they are counted', async () => (await app.reporting.checkpoint()) >= last);
  });

  it('tells the numbers to those who may monitor, and to nobody else', async () => {
    const { admin, register } = registry();
    const eve = await register('eve');
    const auditor = await register('auditor', 'auditor');
    const byToken = async (permissions: readonly string[], repositories: readonly string[] = []) =>
      admin.as(`Bearer ${(await accessTokenOf(admin, { permissions, repositories })).value}`);
    const told = async (client: typeof admin) => (await call(client, 'GET', '/api/v1/health')).body;
    for (const client of [auditor, await byToken(['pull']), await byToken(['admin'])])
      expect((await told(client)).metrics).to.deep.include({ repositories: 1, users: 3 });
    for (const client of [eve, await byToken(['push']), await byToken(['admin'], ['a/*'])])
      expect(await told(client)).to.deep.equal(HEALTHY);
  });

  it('tells them without the access log, which has no part in them', async () => {
    const { admin, app } = registry();
    const { body } = await whileAway(app.access, () => call(admin, 'GET', '/api/v1/health'));
    expect(body.metrics).to.deep.include({ repositories: 1, images: 1 });
  });
});

describe('GET /api/v1/health of a registry that ails', () => {
  const registry = registryFor();

  it('leaves the numbers out that it cannot tell, and stays of use without them', async () => {
    const { admin, app } = registry();
    await app.reporting.close();
    const { status, body } = await call(admin, 'GET', '/api/v1/health');
    expect(status).to.equal(200);
    expect(body).to.deep.equal({ ...HEALTHY, status: 'degraded', services: { ...HEALTHY.services, database: 'degraded' } });
  });

  it('answers 503 `unhealthy` when the log is away, in the same words', async () => {
    const { admin, app } = registry();
    await app.log.close();
    const services = { ...HEALTHY.services, database: 'unhealthy' };
    const json = { ...HEALTHY, status: 'unhealthy', services };
    await exchange(admin, ['GET', '/api/v1/health'], { status: 503, headers: { 'cache-control': 'no-store' }, json });
  });
});

describe('GET /api/v1/health where nobody can be looked up', () => {
  const ailing: Health = {
    status: 'unhealthy',
    version: '1.0.0',
    uptime: 1,
    database: 'unhealthy',
    storage: 'healthy',
    auth: 'unhealthy',
    problems: [],
  };

  const answerWith = async (authenticate: () => Promise<never>) => {
    const app = Fastify();
    const deps = { settings: {}, authenticate, health: async () => ailing } as unknown as HttpDeps;
    app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
    await app.register(openHealth(deps));
    const answer = await app.inject({ url: '/health', headers: { authorization: basic('admin', PASSWORD) } });
    await app.close();
    return answer;
  };

  for (const [what, authenticate] of [
    ['is away', () => Promise.reject(new RegistryError('UNAVAILABLE', 'The views do not answer.'))],
    ['fails', () => Promise.reject(new Error('database is not open'))],
    ['hangs', () => new Promise<never>(() => undefined)],
  ] as const)
    it(`answers as to a caller without a login when what logins are checked with ${what}`, async () => {
      const { statusCode, body } = await answerWith(authenticate);
      expect(statusCode).to.equal(503);
      const services = { database: 'unhealthy', storage: 'healthy', auth: 'unhealthy' };
      expect(JSON.parse(body)).to.deep.equal({ status: 'unhealthy', version: '1.0.0', services });
    });
});

describe('storage_used', () => {
  for (const [bytes, text] of [
    [2_684_354_560, '2.5GB'],
    [0, '0B'],
    [1023, '1023B'],
    [1024, '1KB'],
    [1_048_575, '1MB'],
    [1_048_576, '1MB'],
    [1_610_612_736, '1.5GB'],
    [5_497_558_138_880, '5TB'],
    [Number.MAX_SAFE_INTEGER, '8PB'],
  ] as const)
    it(`says ${bytes} bytes as “${text}”: units are powers of 1024`, () => {
      expect(sizeInUnits(bytes)).to.equal(text);
    });
});
