import { expect } from 'chai';
import Fastify, { type FastifyInstance } from 'fastify';
import type { HttpDeps } from '../../src/http/deps.ts';
import { demandActions, type RouteAction } from '../../src/http/permit.ts';
import { addSurfaces } from '../../src/http/server.ts';
import { isRepositoryAction } from '../../src/identity/authorize.ts';
import { registryFor } from '../support/app.ts';
import { type Answer, basic, bearer, type HttpClient, pushImage } from '../support/http.ts';
import { accessTokenOf, revokeAccessToken } from '../support/identities.ts';
import { randomImage } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { PASSWORD } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { chosenStores } from '../support/stores.ts';
import { call, sessionBy } from './management/calls.ts';

type Declared = Readonly<{
  method: string;
  url: string;
  action: RouteAction | undefined;
  refusing: boolean;
  /** Its answer does not end. */
  stream: boolean;
}>;

/** Every route that the registry adds, as it declares itself. Those that only refuse a method are left out. */
const declared = async (add: (app: FastifyInstance) => Promise<void>): Promise<readonly Declared[]> => {
  const routes: Declared[] = [];
  const app = Fastify();
  app.addHook('onRoute', ({ method, url, config, handler, onRequest }) => {
    // What refuses and what tells of methods does the same in front of everything.
    const refusing = onRequest !== undefined && [onRequest].flat().some((hook) => (hook as unknown) === handler);
    const stream = config?.stream === true;
    for (const one of [method].flat()) routes.push({ method: one, url, action: config?.action, refusing, stream });
  });
  await add(app);
  await app.ready();
  await app.close();
  return routes.filter(({ refusing }) => !refusing);
};
// Routes only keep what they are given until somebody calls.
const DEPS = { limits: {}, settings: {}, blobs: {}, people: {} } as unknown as HttpDeps;
const ROUTES = await declared((app) => addSurfaces(app, DEPS));

/** What is open to everybody, also without a login: adding to this list is a decision. */
const OPEN = [
  ...['GET /health', 'HEAD /health', 'GET /health/live', 'HEAD /health/live'],
  ...['GET /healthz', 'HEAD /healthz', 'GET /readyz', 'HEAD /readyz', 'GET /api/v1/health', 'HEAD /api/v1/health'],
  ...['GET /auth', 'HEAD /auth', 'POST /auth', 'POST /auth/login', 'POST /auth/logout', 'POST /auth/oidc/token'],
  ...['GET /auth/oidc/:provider', 'HEAD /auth/oidc/:provider'],
  ...['GET /auth/oidc/:provider/callback', 'HEAD /auth/oidc/:provider/callback'],
  ...['GET /api/openapi.json', 'HEAD /api/openapi.json', 'GET /api/docs', 'HEAD /api/docs'],
];

/** Actions that a user without any grant may do everywhere, and an auditor. */
const USER_MAY: readonly RouteAction[] = ['catalog', 'version', 'readOwnAccount', 'manageOwnAccount', 'readTeams'];
const AUDITOR_MAY: readonly RouteAction[] = [...USER_MAY, 'readUsers', 'readAccess', 'pull', 'inspect', 'monitor', 'readAudit'];

const mayBesides = (action: RouteAction): readonly string[] => {
  const user = USER_MAY.includes(action) ? ['a user', 'a robot'] : [];
  return AUDITOR_MAY.includes(action) ? [...user, 'an auditor'] : user;
};

const EXISTING = 'other/image';
const IMAGE = randomImage('routes', { layers: 1 });

/** A path of the route; of its parameters the repository is there, and nothing else. */
const pathOf = (url: string, name = EXISTING): string =>
  url
    .replace(':name', name)
    .replace(':digest', IMAGE.config.digest)
    .replace(':reference', 'latest')
    .replace(':upload', 'none')
    .replace(/:(?:id|user)\b/g, '999999')
    .replace(':provider', 'none');

/** Of an answer that does not end its head, with no body. */
const answerTo = async (client: HttpClient, { method, stream }: Declared, path: string): Promise<Answer> => {
  if (!stream) return client.send(method, path);
  const message = await client.open(method, path);
  const { statusCode: status = 0, headers } = message;
  message.on('error', () => undefined).destroy();
  return { status, headers, body: Buffer.from(String(status)) };
};

const named = ({ method, url }: Declared): string => `${method} ${url === '/auth/' ? '/auth' : url}`;

/** The clock of this process for the suite that calls it, which can be put back for a while. */
const shiftableClock = (): ((hours: number) => void) => {
  const { now } = Date;
  let shift = 0;
  before(() => {
    Date.now = () => now() + shift;
  });
  after(() => {
    Date.now = now;
  });
  return (hours) => {
    shift = hours * 3_600_000;
  };
};

describe('every route', function () {
  requires(this, chosenStores() === 'embedded', 'thousands of requests whose answers no store has a part in');
  // Before the registry takes the clock.
  const clock = shiftableClock();
  const registry = registryFor();
  const wrong = new Map<string, HttpClient>();
  const wellMeaning = new Map<string, HttpClient>();
  const clientOf = (who: string): HttpClient => wrong.get(who) ?? wellMeaning.get(who) ?? registry().anonymous;

  before(async () => {
    const { admin, register } = registry();
    await pushImage(admin, EXISTING, 'latest', IMAGE);
    const everything = { permissions: ['admin'] };
    const idOf = async (client: HttpClient) => (await call(client, 'GET', '/api/v1/users/me')).body.id;
    const suspended = await register('suspended', 'admin');
    const bySession = await sessionBy(admin, 'suspended', PASSWORD);
    const deleted = await register('gone', 'admin');
    const ofDeleted = await accessTokenOf(deleted, everything);
    const revoked = await accessTokenOf(admin, everything);
    const byRevoked = await sessionBy(admin, 'admin', revoked.value);
    const forDocker = await bearer(admin, basic('admin', revoked.value), `repository:${EXISTING}:pull,push,delete`);
    clock(-13);
    const expired = await sessionBy(admin, 'admin', PASSWORD);
    clock(0);
    const ended = await sessionBy(admin, 'admin', PASSWORD);
    const demoted = await register('demoted', 'admin');
    const beforeDemotion = await sessionBy(admin, 'demoted', PASSWORD);
    const shortLived = await call(admin, 'POST', '/api/v1/tokens', {
      name: 'short',
      ...everything,
      expires_at: new Date(Date.now() + 1000).toISOString(),
    });
    const overdue = admin.as(`Bearer ${shortLived.body.token}`);

    await call(admin, 'PATCH', `/api/v1/users/${await idOf(demoted)}`, { role: 'user' });
    await call(admin, 'PATCH', `/api/v1/users/${await idOf(suspended)}`, { suspended: true });
    await call(admin, 'DELETE', `/api/v1/users/${await idOf(deleted)}`);
    await revokeAccessToken(admin, revoked);
    await ended.send('POST', '/auth/logout');
    await waitUntil('the access token has expired', async () => (await overdue.send('GET', '/v2/')).status === 401);

    wrong
      .set('nobody', registry().anonymous)
      .set('a wrong password', admin.as(basic('admin', 'wrong')))
      .set('an unsigned token', admin.as('Bearer eyJhbGciOiJub25lIn0.e30.'))
      .set('a suspended user', suspended)
      .set('a suspended user’s session', bySession)
      .set('a deleted user’s access token', admin.as(`Bearer ${ofDeleted.value}`))
      .set('a revoked access token', admin.as(`Bearer ${revoked.value}`))
      .set('a revoked access token as a password', admin.as(basic('admin', revoked.value)))
      .set('a session made from a revoked access token', byRevoked)
      .set('a token for docker made from a revoked access token', admin.as(forDocker))
      .set('an expired access token', overdue)
      .set('an expired session', expired)
      .set('a session that was ended', ended)
      .set('a session from before another role', beforeDemotion);
    wellMeaning
      .set('a user', await register('eve'))
      .set('a robot', await register('eves-robot', 'robot'))
      .set('an auditor', await register('auditor-1', 'auditor'));
  });

  it('says what its caller must be allowed to do', () => {
    expect(ROUTES.length).to.be.greaterThan(50);
    expect(ROUTES.filter(({ action }) => action === undefined)).to.deep.equal([]);
  });

  it('that does not keeps the registry from starting', async () => {
    const app = Fastify();
    demandActions(app);
    expect(() => app.get('/hidden', async () => 'here')).to.throw('GET /hidden does not say');
    await app.close();
  });

  it('that is open to everybody is one of these', () => {
    const open = ROUTES.filter(({ action }) => action === 'open').map(named);
    expect([...new Set(open)]).to.have.members(OPEN);
  });

  const closed = ROUTES.filter(({ action }) => action !== 'open');

  for (const route of closed)
    it(`that is ${named(route)} takes no credentials that are none, or none any more`, async () => {
      const before = await registry().head();
      for (const who of wrong.keys()) {
        for (const name of [EXISTING, 'no/thing']) {
          const answer = await answerTo(clientOf(who), route, pathOf(route.url, name));
          expect(answer.status, `${who}: ${answer.body}`).to.equal(401);
          expect(answer.headers['www-authenticate'], who).to.match(route.url.startsWith('/v2') ? /^Bearer / : /^Basic /);
        }
      }
      expect(await registry().head(), 'nothing was recorded').to.equal(before);
    });

  for (const route of closed) {
    const action = route.action ?? 'open';
    const allows = mayBesides(action);
    it(`that is ${named(route)} lets ${allows.join(', ') || 'none of the others'} besides administrators ${action}`, async () => {
      const before = await registry().head();
      for (const who of wellMeaning.keys()) {
        const answers = [];
        for (const name of isRepositoryAction(action as never) ? [EXISTING, 'no/thing'] : [EXISTING])
          answers.push(await answerTo(clientOf(who), route, pathOf(route.url, name)));
        for (const answer of answers)
          if (allows.includes(who)) expect(answer.status, `${who}: ${answer.body}`).not.to.be.oneOf([401, 403]);
          else expect(answer.status, `${who}: ${answer.body}`).to.equal(403);
        const [there, missing] = answers;
        if (missing !== undefined && !allows.includes(who))
          expect(there?.body.toString().replaceAll(EXISTING, 'no/thing'), 'told apart').to.equal(missing.body.toString());
      }
      expect(await registry().head(), 'nothing was recorded').to.equal(before);
    });
  }
});
