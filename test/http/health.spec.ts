import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { basic, httpClient, startUpload } from '../support/http.ts';
import { waitUntil } from '../support/processes.ts';
import { exchange, exchanges, jsonOf } from './exchanges.ts';

describe('GET /health', () => {
  const registry = registryFor();
  // Views that nothing is decided from are not waited for at the start.
  before(() =>
    waitUntil('all views are there', async () => {
      const { status } = jsonOf(await registry().anonymous.send('GET', '/health'));
      return status === 'healthy';
    }),
  );

  it('tells everyone that all is well: monitors have no login', async () => {
    const answer = await exchange(registry().anonymous, ['GET', '/health'], {
      status: 200,
      headers: { 'content-type': /^application\/json/, 'cache-control': 'no-store', 'www-authenticate': undefined },
    });
    const { uptime, ...state } = jsonOf(answer);
    expect(uptime).to.be.a('number').that.is.at.least(0);
    expect(state).to.deep.equal({ status: 'healthy', version: '0.0.0-test', database: 'healthy', storage: 'healthy' });
  });

  exchanges(registry, [
    { it: 'answers HEAD', by: ({ anonymous }) => anonymous, send: ['HEAD', '/health'], gets: { status: 200 } },
    { it: 'ignores a query', by: ({ anonymous }) => anonymous, send: ['GET', '/health?full=1'], gets: { status: 200 } },
    {
      it: 'does not look at credentials',
      by: ({ admin }) => admin.as(basic('nobody', 'wrong')),
      send: ['GET', '/health/'],
      gets: { status: 200 },
    },
  ]);
});

describe('GET /health/live', () => {
  const ailing = registryFor();

  it('says that this process takes requests, whatever ails what it needs', async () => {
    await ailing().app.log.close();
    await exchange(ailing().anonymous, ['GET', '/health'], { status: 503 });
    const answer = await exchange(ailing().anonymous, ['GET', '/health/live'], {
      status: 200,
      headers: { 'content-type': /^application\/json/, 'cache-control': 'no-store', 'www-authenticate': undefined },
    });
    expect(jsonOf(answer)).to.deep.equal({ status: 'alive' });
  });
});

describe('GET /healthz and GET /readyz', () => {
  const registry = registryFor();
  const plain = { headers: { 'content-type': /^application\/json/, 'cache-control': 'no-store', 'www-authenticate': undefined } };

  it('say of a registry that serves that it lives and is ready, to everyone', async () => {
    const { anonymous } = registry();
    await exchange(anonymous, ['GET', '/healthz'], { status: 200, ...plain, json: { status: 'alive' } });
    await exchange(anonymous, ['GET', '/readyz'], { status: 200, ...plain, json: { status: 'ready' } });
    for (const path of ['/healthz', '/readyz']) await exchange(anonymous, ['HEAD', path], { status: 200 });
  });

  it('say of one that is degraded that it is ready: it is of use', async () => {
    const { anonymous, app } = registry();
    await app.reporting.close();
    expect(jsonOf(await exchange(anonymous, ['GET', '/health'], { status: 200 })).status).to.equal('degraded');
    await exchange(anonymous, ['GET', '/readyz'], { status: 200, json: { status: 'ready' } });
  });

  it('say of one whose log is away that it lives, and is not ready', async () => {
    const { anonymous, app } = registry();
    await app.log.close();
    await exchange(anonymous, ['GET', '/healthz'], { status: 200, ...plain, json: { status: 'alive' } });
    await exchange(anonymous, ['GET', '/readyz'], { status: 503, ...plain, json: { status: 'unready' } });
  });
});

describe('GET /readyz', function () {
  this.timeout(20_000);
  const registry = registryFor();

  /** What a probe finds, which opens a connection each time. */
  const probe = async (): Promise<number | 'refused'> => {
    const client = httpClient(registry().url);
    try {
      return (await client.send('GET', '/readyz')).status;
    } catch {
      return 'refused';
    } finally {
      client.close();
    }
  };

  it('finds nobody, or 503, while a stopping registry still ends what is under way', async () => {
    const { admin, app } = registry();
    const location = await startUpload(admin, 'a/b');
    const chunks = new PassThrough();
    const uploading = admin.send('PATCH', location, { body: chunks, headers: { 'content-type': 'application/octet-stream' } });
    chunks.write('the first bytes');
    await waitUntil('it is under way', async () => (await probe()) === 200 && app.http.server.listening);
    const stopped = app.http.close();
    await waitUntil('probes are sent away', async () => (await probe()) !== 200);
    chunks.end('and the last');
    expect((await uploading).status, 'what was under way is ended').to.equal(202);
    await stopped;
    expect(await probe()).to.equal('refused');
  });
});
