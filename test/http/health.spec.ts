import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { basic } from '../support/http.ts';
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
