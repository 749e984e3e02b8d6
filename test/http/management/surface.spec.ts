import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { basic, bearer, type HttpClient } from '../../support/http.ts';
import { PASSWORD } from '../../support/registryProcess.ts';
import { jsonOf } from '../exchanges.ts';
import { call, type Described, expectManaged, ROUTES, sessionBy } from './calls.ts';

const BASIC_CHALLENGE = 'Basic realm="GhostDock Registry",charset="UTF-8"';
/** A path of the route that names nothing that there is. */
const pathOf = ({ url }: Described): string => url.replace(/:(?:id|user)\b/g, '999999').replace(/[:*][^/]*/g, 'nobody/nothing');

describe('the management API', () => {
  const registry = registryFor();
  const send = (client: HttpClient, route: Described) => client.send(route.method, pathOf(route));
  const clients = new Map<string, HttpClient>();

  before(async () => {
    const { admin, register } = registry();
    const id = async (client: HttpClient): Promise<unknown> => (await call(client, 'GET', '/api/v1/users/me')).body.id;
    const token = async (client: HttpClient) =>
      (await call(client, 'POST', '/api/v1/tokens', { name: 'x', permissions: ['admin'] })).body;
    const ended = await register('ended');
    const revoked = await token(admin);
    const scoped = await bearer(admin, basic('admin', PASSWORD), 'repository:a/b:pull registry:catalog:*');
    clients
      .set('nobody', registry().anonymous)
      .set('a wrong password', admin.as(basic('admin', 'wrong')))
      .set('an unknown user', admin.as(basic('nobody', PASSWORD)))
      .set('a made-up bearer token', admin.as('Bearer eyJhbGciOiJub25lIn0.e30.'))
      .set('a revoked access token', admin.as(`Bearer ${revoked.token}`))
      .set('a suspended user', await register('suspended'))
      .set('the token of a deleted user', admin.as(`Bearer ${(await token(ended)).token}`))
      .set('a session that has ended', await sessionBy(admin, 'admin', PASSWORD))
      .set('a token for docker', admin.as(scoped))
      .set('a user', await register('ann'))
      .set('a robot', await register('robot-1', 'robot'))
      .set('an auditor', await register('auditor-1', 'auditor'));
    const suspended = clients.get('a suspended user') ?? admin;
    await call(admin, 'PATCH', `/api/v1/users/${await id(suspended)}`, { suspended: true });
    await call(admin, 'DELETE', `/api/v1/users/${await id(ended)}`);
    await call(admin, 'DELETE', `/api/v1/tokens/${revoked.id}`);
    await clients.get('a session that has ended')?.send('POST', '/auth/logout');
  });

  it('describes every route, with what its caller must be allowed to do', () => {
    expect(ROUTES.length).to.be.greaterThan(15);
    for (const { method, url, schema } of ROUTES) {
      expect(schema.summary, `${method} ${url}`).to.match(/^[A-Z].+\.$/);
      expect(Object.keys(schema.response).length).to.be.greaterThan(0);
    }
  });

  const closed = ROUTES.filter(({ action }) => action !== 'open');

  for (const route of closed)
    it(`lets nobody ${route.method} ${route.url} without a login that is good now, and challenges by Basic`, async () => {
      const before = await registry().head();
      for (const who of [...clients.keys()].slice(0, 8)) {
        const client = clients.get(who) ?? registry().anonymous;
        const answer = await send(client, route);
        expect(answer.status, who).to.equal(401);
        expect(answer.headers['www-authenticate'], who).to.equal(BASIC_CHALLENGE);
        if (route.method !== 'HEAD') expectManaged(route.method, pathOf(route), answer);
      }
      expect(await registry().head()).to.equal(before);
    });

  const MAY: Readonly<Record<string, readonly string[]>> = {
    readUsers: ['an auditor'],
    manageUsers: [],
    readOwnAccount: ['a user', 'a robot', 'an auditor'],
    manageOwnAccount: ['a user', 'a robot', 'an auditor'],
  };
  for (const route of closed.filter(({ action }) => MAY[action] !== undefined))
    it(`lets ${[...(MAY[route.action] ?? []), 'an administrator'].join(', ')} ${route.method} ${route.url}, and refuses others before it looks at anything`, async () => {
      for (const who of ['a token for docker', 'a user', 'a robot', 'an auditor']) {
        const { status } = await send(clients.get(who) ?? registry().anonymous, route);
        if (MAY[route.action]?.includes(who)) expect(status, who).not.to.be.oneOf([401, 403]);
        else expect(status, who).to.equal(403);
      }
      expect((await send(registry().admin, route)).status).not.to.be.oneOf([401, 403]);
    });

  it('refuses a body that is too large, is no JSON, or says that it is something else', async () => {
    const bodies: readonly (readonly [body: string, type: string, status: number])[] = [
      [`{"username":"${'x'.repeat(70_000)}"}`, 'application/json', 413],
      ['{"username":', 'application/json', 400],
      ['', 'application/json', 400],
      ['null', 'application/json', 400],
      ['[]', 'application/json', 400],
      ['username=eve&password=x', 'application/x-www-form-urlencoded', 400],
      ['<username>eve</username>', 'text/xml', 400],
    ];
    const before = await registry().head();
    for (const [body, type, status] of bodies) {
      const answer = await registry().admin.send('POST', '/api/v1/users', { body, headers: { 'content-type': type } });
      expect(answer.status, `${type} ${body.slice(0, 30)}`).to.equal(status);
      expectManaged('POST', '/api/v1/users', answer);
      expect((jsonOf(answer).error as { code: string }).code).to.equal('INVALID_REQUEST');
    }
    expect(await registry().head()).to.equal(before);
  });

  it('asks for the login before it reads a body', async () => {
    const body = Buffer.alloc(1_000_000, 'x');
    const answer = await registry().anonymous.send('POST', '/api/v1/users', {
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.status).to.equal(401);
  });

  it('answers HEAD as GET, without a body', async () => {
    const [get, head] = [
      await registry().admin.send('GET', '/api/v1/users'),
      await registry().admin.send('HEAD', '/api/v1/users'),
    ];
    expect([head.status, head.body.length]).to.deep.equal([200, 0]);
    expect(head.headers['content-length']).to.equal(get.headers['content-length']);
  });
});

describe('the management API with authentication off', () => {
  const registry = registryFor({ GHOSTDOCK_AUTH: 'off' });

  it('lets everybody manage the users', async () => {
    const { anonymous } = registry();
    const { status, body } = await call(anonymous, 'POST', '/api/v1/users', { username: 'ann', password: PASSWORD });
    expect(status).to.equal(201);
    expect((await call(anonymous, 'GET', '/api/v1/users')).body).to.include({ total: 2 });
    expect((await call(anonymous, 'DELETE', `/api/v1/users/${body.id}`)).status).to.equal(204);
  });

  it('has no account and no tokens for those who are nobody', async () => {
    const { anonymous } = registry();
    expect((await call(anonymous, 'GET', '/api/v1/users/me')).status).to.equal(404);
    expect((await call(anonymous, 'POST', '/api/v1/tokens', { name: 'x', permissions: ['pull'] })).status).to.equal(404);
    expect((await call(anonymous, 'GET', '/api/v1/tokens?user_id=all')).body).to.include({ total: 0 });
  });
});
