import { METHODS, STATUS_CODES } from 'node:http';
import { expect } from 'chai';
import { registryFor, type TestApp } from '../../support/app.ts';
import { type Answer, basic, type HttpClient, pushImage } from '../../support/http.ts';
import { accessTokenOf } from '../../support/identities.ts';
import { randomImage } from '../../support/images.ts';
import { ADMIN, PASSWORD } from '../../support/registryProcess.ts';
import { jsonOf } from '../exchanges.ts';
import { sessionBy } from '../management/calls.ts';
import { monitored } from './calls.ts';

const JSON_PATHS = [
  ...['registry/state', 'registry/repositories', 'registry/repositories/team/app', 'registry/blobs', 'registry/sessions'],
  ...['registry/health', 'registry/storage', 'garbage-collect/stats', 'web/status'],
].map((path) => `/api/${path}`);
const PATHS = [...JSON_PATHS, '/api/blobs'];

/** “Error responses include detailed error information”: `error` and `message`, and nothing else. */
const expectRefusal = (answer: Answer, status: number): void => {
  expect(answer.status, answer.body.toString()).to.equal(status);
  expect(answer.headers['content-type']).to.equal('application/json; charset=utf-8');
  const { error, message, ...others } = jsonOf(answer);
  expect(error).to.equal(STATUS_CODES[status]);
  expect(message).to.be.a('string').that.is.not.empty;
  expect(others).to.deep.equal({});
};

describe('the monitoring API', () => {
  const registry = registryFor();
  before(async () => {
    await pushImage(registry().admin, 'team/app', 'latest', randomImage('surface'));
    await registry().register('ann');
    await registry().register('auditor-1', 'auditor');
  });

  for (const path of PATHS) {
    it(`${path}: a trailing slash is ignored; HEAD works wherever GET does; a query that it does not know is passed over`, async () => {
      const { admin } = registry();
      for (const same of [path, `${path}/`, `${path}?`, `${path}?x=y`]) {
        const answer = await admin.send('GET', same);
        expect(answer.status, answer.body.toString()).to.equal(200);
        if (path !== '/api/blobs') monitored('GET', path, answer);
        const head = await admin.send('HEAD', same);
        expect(head.status).to.equal(200);
        expect(head.body.length).to.equal(0);
        for (const name of ['content-type', 'cache-control']) expect(head.headers[name], name).to.equal(answer.headers[name]);
      }
    });

    it(`${path}: other methods are refused with 405 in this API’s form`, async () => {
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        const answer = await registry().admin.send(method, path, { body: '{}', headers: { 'content-type': 'application/json' } });
        expectRefusal(answer, 405);
        expect(answer.headers.allow).to.equal('GET, HEAD');
      }
    });

    it(`${path}: \`401 Unauthorized\` - Authentication required, by Basic; 403 for those whom it is not for`, async () => {
      const { anonymous, admin } = registry();
      for (const client of [anonymous, admin.as(basic(ADMIN, 'wrong'))]) {
        const answer = await client.send('GET', path);
        expectRefusal(answer, 401);
        expect(answer.headers['www-authenticate']).to.match(/^Basic realm="[^"]+"/);
      }
      const user = admin.as(basic('ann', PASSWORD));
      expectRefusal(await user.send('GET', path), 403);
    });
  }
  const credentials: readonly (readonly [what: string, by: (registry: TestApp) => Promise<HttpClient>])[] = [
    ['“use basic authentication with the configured credentials”', async ({ admin }) => admin],
    ['an auditor', async ({ admin }) => admin.as(basic('auditor-1', PASSWORD))],
    ['a session’s token', ({ admin }) => sessionBy(admin, ADMIN, PASSWORD)],
    [
      'an access token that pulls, as the password',
      async ({ admin }) => admin.as(basic('anything', (await accessTokenOf(admin, { permissions: ['pull'] })).value)),
    ],
    [
      'an access token that pulls, as Bearer',
      async ({ admin }) => admin.as(`Bearer ${(await accessTokenOf(admin, { permissions: ['pull'] })).value}`),
    ],
  ];
  for (const [what, by] of credentials)
    it(`any credential (admin or read scope): ${what}`, async () => {
      const client = await by(registry());
      for (const path of JSON_PATHS) monitored('GET', path, await client.send('GET', path));
    });

  for (const path of ['/api/nothing', '/api/registry', '/api/registry/none', '/api/garbage-collect', '/api/web', '/api/'])
    it(`unknown paths give 404 in JSON: ${path}`, async () => {
      for (const method of METHODS.filter((one) => one !== 'CONNECT' && one !== 'HEAD'))
        expectRefusal(await registry().admin.send(method, path), 404);
    });

  it('`500 Internal Server Error`: nothing of what went wrong is shown', async () => {
    const { app, admin, takeFailures } = registry();
    const works = app.reporting.totals;
    Object.assign(app.reporting, { totals: () => Promise.reject(new Error('Database connection failed')) });
    try {
      for (const path of ['/api/registry/state', '/api/registry/blobs', '/api/registry/storage', '/api/web/status'])
        expectRefusal(await admin.send('GET', path), 500);
    } finally {
      Object.assign(app.reporting, { totals: works });
    }
    expect(takeFailures().join()).to.contain('Database connection failed');
  });
});

describe('the monitoring API without authentication', () => {
  const registry = registryFor({ GHOSTDOCK_AUTH: 'off' });

  it('follow the registry’s mode: none in no-auth mode', async () => {
    const { anonymous } = registry();
    await pushImage(anonymous, 'team/app', 'latest', randomImage('surface'));
    for (const path of JSON_PATHS) monitored('GET', path, await anonymous.send('GET', path));
    expect((await anonymous.send('GET', '/api/blobs')).status).to.equal(200);
  });
});
