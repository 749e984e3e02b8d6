import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { basic, bearer, type HttpClient } from '../../support/http.ts';
import { waitUntil } from '../../support/processes.ts';
import { PASSWORD } from '../../support/registryProcess.ts';
import type { Json } from '../exchanges.ts';
import { type Call, call, calls, sessionBy } from './calls.ts';

const USERS = '/api/v1/users';
const GOOD = 'blue cars sing loudly';

describe('the users, to an administrator', () => {
  const registry = registryFor();
  const admin = (): HttpClient => registry().admin;
  const create = async (body: Json): Promise<Json> => {
    const { status, body: made } = await call(admin(), 'POST', USERS, body);
    expect(status, JSON.stringify(made)).to.equal(201);
    return made;
  };
  const as = (username: string, password = GOOD): HttpClient => admin().as(basic(username, password));
  const sessionOf = (username: string): Promise<HttpClient> => sessionBy(admin(), username, GOOD);
  const works = async (client: HttpClient): Promise<boolean> => (await client.send('GET', '/v2/')).status === 200;

  describe('are created', () => {
    it('as is documented, and can log in at once', async () => {
      const body = { username: 'newuser', email: 'user@example.com', password: 'secure-cables-hum', role: 'user' };
      const { status, headers, body: user } = await call(admin(), 'POST', USERS, body);
      expect(status).to.equal(201);
      expect(headers.location).to.equal(`/api/v1/users/${user.id}`);
      const { id, created_at: createdAt, ...rest } = user;
      expect(id).to.be.a('number');
      expect(Math.abs(Date.parse(String(createdAt)) - Date.now())).to.be.lessThan(60_000);
      expect(rest).to.deep.equal({
        username: 'newuser',
        email: 'user@example.com',
        role: 'user',
        suspended: false,
        last_login: null,
      });
      expect(await works(as('newuser', 'secure-cables-hum'))).to.equal(true);
    });

    it('as plain users without an address, where nothing else is said', async () => {
      expect(await create({ username: 'plain', password: GOOD })).to.include({ email: null, role: 'user' });
    });

    it('as robots without a password, which nobody needs to know', async () => {
      const robot = await create({ username: 'robot-1', role: 'robot' });
      expect(robot).to.include({ role: 'robot' });
      expect(await works(as('robot-1', ''))).to.equal(false);
    });

    const base = { username: 'somebody', password: GOOD };
    const refused: readonly (readonly [what: string, body: unknown, field: string, message: string])[] = [
      ['without a username', { password: GOOD }, 'username', 'username is missing.'],
      ['without a password', { username: 'somebody' }, 'password', 'at least 8 characters'],
      ['with a username that is no text', { ...base, username: 7 }, 'username', 'must be string'],
      ['with a username that cannot be', { ...base, username: 'Some Body' }, 'username', 'lower-case letters'],
      ['with a reserved username', { ...base, username: 'library' }, 'username', 'reserved'],
      ['with a role that there is not', { ...base, role: 'root' }, 'role', 'must be one of admin, user, auditor, robot.'],
      ['with an address that is none', { ...base, email: 'me' }, 'email', 'name@domain'],
      ['with a short password', { ...base, password: 'x7#kQ9!' }, 'password', 'at least 8 characters'],
      ['with a common password', { ...base, password: 'Password123' }, 'password', 'guessed first'],
      ['with the name for a password', { ...base, username: 'somebody-else', password: 'Somebody-Else' }, 'password', 'username'],
      ['with a field that there is not', { ...base, is_admin: true }, 'is_admin', 'There is no field is_admin here.'],
      ['with a list', [base], 'body', 'must be object'],
      ['with nothing', undefined, 'body', 'must be object'],
      ['with a prototype', '{"username":"x","__proto__":{"role":"admin"}}', 'body', ''],
    ];
    calls(
      registry,
      refused.map(([what, body, field, message]) => ({
        it: `not ${what}`,
        send: ['POST', USERS, body],
        gets: { status: 400, code: 'INVALID_REQUEST', ...(field !== 'body' && { field }), message },
      })),
    );

    it('once: a name is taken for ever, in whatever case, also after its user is deleted', async () => {
      const { id } = await create({ username: 'unique', password: GOOD });
      const again = () => call(admin(), 'POST', USERS, { username: 'unique', password: GOOD });
      expect(await again()).to.deep.include({ status: 409 });
      expect((await call(admin(), 'DELETE', `${USERS}/${id}`)).status).to.equal(204);
      const { status, error } = await again();
      expect(status).to.equal(409);
      expect(error).to.deep.include({ code: 'CONFLICT', details: { field: 'username' } });
    });

    it('with no trace of the password in any answer or list', async () => {
      await create({ username: 'traceless', password: GOOD });
      const { body } = await call(admin(), 'GET', `${USERS}?limit=100`);
      expect(JSON.stringify(body)).not.to.match(/argon2|password/i);
    });
  });

  it('are shown with when they last logged in, soon after', async () => {
    const { id } = await create({ username: 'lately', password: GOOD });
    const lastLogin = async () => (await call(admin(), 'GET', `${USERS}/${id}`)).body.last_login;
    expect(await lastLogin()).to.equal(null);
    await sessionOf('lately');
    await waitUntil('the login is shown', async () => (await lastLogin()) !== null);
    expect(Math.abs(Date.parse(String(await lastLogin())) - Date.now())).to.be.lessThan(60_000);
    const { body } = await call(admin(), 'GET', `${USERS}?limit=100`);
    expect((body.users as Json[]).find((user) => user.id === id)?.last_login).to.equal(await lastLogin());
  });

  describe('are changed', () => {
    it('as is documented: what is given, and nothing else', async () => {
      const { id } = await create({ username: 'changed', email: 'old@example.com', password: GOOD });
      const { status, body } = await call(admin(), 'PUT', `${USERS}/${id}`, { email: 'newemail@example.com', role: 'admin' });
      expect(status).to.equal(200);
      expect(body).to.include({ id, username: 'changed', email: 'newemail@example.com', role: 'admin', suspended: false });
      expect((await call(admin(), 'PATCH', `${USERS}/${id}`, { email: null })).body).to.include({ email: null, role: 'admin' });
      expect((await call(admin(), 'GET', `${USERS}/${id}`)).body).to.include({ email: null, role: 'admin' });
    });

    it('all at once or not at all', async () => {
      const { id } = await create({ username: 'atomic', email: 'a@example.com', password: GOOD });
      const before = await registry().head();
      const { status } = await call(admin(), 'PUT', `${USERS}/${id}`, { email: 'nonsense', role: 'auditor' });
      expect(status).to.equal(400);
      expect(await registry().head()).to.equal(before);
      expect((await call(admin(), 'GET', `${USERS}/${id}`)).body).to.include({ email: 'a@example.com', role: 'user' });
    });

    it('without an event where everything is so already', async () => {
      const { id } = await create({ username: 'unchanged', email: 'u@example.com', password: GOOD });
      const before = await registry().head();
      for (const changes of [{}, { email: 'u@EXAMPLE.com' }, { role: 'user', suspended: false }])
        expect((await call(admin(), 'PUT', `${USERS}/${id}`, changes)).status).to.equal(200);
      expect(await registry().head()).to.equal(before);
    });

    it('and lose their logins with another role: the next one has it', async () => {
      const { id } = await create({ username: 'promoted', password: GOOD });
      const session = await sessionOf('promoted');
      expect(await works(session)).to.equal(true);
      await call(admin(), 'PUT', `${USERS}/${id}`, { role: 'auditor' });
      expect(await works(session)).to.equal(false);
      expect((await call(as('promoted'), 'GET', USERS)).status).to.equal(200);
    });

    it('and may do nothing while they are suspended, whatever they log in with', async () => {
      const { id } = await create({ username: 'paused', password: GOOD });
      const { body: token } = await call(as('paused'), 'POST', '/api/v1/tokens', { name: 'x', permissions: ['admin'] });
      const old = [await sessionOf('paused'), admin().as(await bearer(admin(), basic('paused', GOOD), ''))];
      const lasting = [as('paused'), as('x', String(token.token)), admin().as(`Bearer ${token.token}`)];
      for (const client of [...lasting, ...old]) expect(await works(client)).to.equal(true);

      expect((await call(admin(), 'PUT', `${USERS}/${id}`, { suspended: true })).body).to.include({ suspended: true });
      for (const client of [...lasting, ...old]) expect(await works(client)).to.equal(false);

      await call(admin(), 'PUT', `${USERS}/${id}`, { suspended: false });
      for (const client of lasting) expect(await works(client)).to.equal(true);
      for (const client of old) expect(await works(client), 'a login of before').to.equal(false);
    });

    calls(registry, [
      { it: 'not where there is nobody', send: ['PUT', `${USERS}/999`, {}], gets: { status: 404, code: 'NOT_FOUND' } },
      { it: 'not under an id that is none', send: ['PUT', `${USERS}/admin`, {}], gets: { status: 404, code: 'NOT_FOUND' } },
      { it: 'not in their name', send: ['PUT', `${USERS}/1`, { username: 'boss' }], gets: { status: 400, field: 'username' } },
      { it: 'not in their password', send: ['PUT', `${USERS}/1`, { password: GOOD }], gets: { status: 400, field: 'password' } },
    ] satisfies readonly Call[]);
  });

  describe('have their password reset', () => {
    it('to one that is given, which ends their logins and leaves their access tokens', async () => {
      const { id } = await create({ username: 'reset', password: GOOD });
      const { body: token } = await call(as('reset'), 'POST', '/api/v1/tokens', { name: 'x', permissions: ['pull'] });
      const session = await sessionOf('reset');
      const other = 'green boats hum quietly';
      expect((await call(admin(), 'POST', `${USERS}/${id}/password`, { password: other })).status).to.equal(204);
      expect(await works(as('reset'))).to.equal(false);
      expect(await works(session)).to.equal(false);
      expect(await works(as('reset', other))).to.equal(true);
      expect(await works(as('reset', String(token.token)))).to.equal(true);
    });

    it('to a random one, which is told once', async () => {
      const { id } = await create({ username: 'forgot', password: GOOD });
      const { status, body } = await call(admin(), 'POST', `${USERS}/${id}/password`, {});
      expect(status).to.equal(200);
      expect(await works(as('forgot', String(body.password)))).to.equal(true);
      expect(await works(as('forgot'))).to.equal(false);
    });

    calls(registry, [
      {
        it: 'not to a bad one',
        send: ['POST', `${USERS}/1/password`, { password: 'short' }],
        gets: { status: 400, field: 'password' },
      },
      { it: 'not where there is nobody', send: ['POST', `${USERS}/999/password`, {}], gets: { status: 404 } },
    ] satisfies readonly Call[]);
  });

  describe('are deleted', () => {
    it('with all that they log in with', async () => {
      const { id } = await create({ username: 'gone', password: GOOD });
      const { body: token } = await call(as('gone'), 'POST', '/api/v1/tokens', { name: 'x', permissions: ['admin'] });
      const session = await sessionOf('gone');
      expect((await call(admin(), 'DELETE', `${USERS}/${id}`)).status).to.equal(204);
      for (const client of [as('gone'), as('x', String(token.token)), session]) expect(await works(client)).to.equal(false);
      for (const method of ['GET', 'DELETE']) expect((await call(admin(), method, `${USERS}/${id}`)).status).to.equal(404);
      expect((await call(admin(), 'POST', `${USERS}/${id}/password`, {})).status).to.equal(404);
      const { body } = await call(admin(), 'GET', `${USERS}?limit=100`);
      expect((body.users as Json[]).map(({ username }) => username)).not.to.include('gone');
    });
  });

  describe('but the last of the administrators', () => {
    const LAST: Readonly<Record<string, readonly [method: string, body?: unknown]>> = {
      'cannot be demoted': ['PUT', { role: 'user' }],
      'cannot be suspended': ['PATCH', { suspended: true }],
      'cannot be deleted': ['DELETE'],
    };
    before(async () => {
      for (const { id, role } of (await call(admin(), 'GET', `${USERS}?limit=100`)).body.users as Json[])
        if (role === 'admin' && id !== 1) await call(admin(), 'PUT', `${USERS}/${id}`, { role: 'user' });
    });
    calls(
      registry,
      Object.entries(LAST).map(([what, [method, body]]) => ({
        it: what,
        send: [method, `${USERS}/1`, body],
        gets: { status: 409, code: 'CONFLICT', message: 'last administrator' },
      })),
    );
  });
});

describe('the list of users', () => {
  const registry = registryFor();
  const NAMES = Array.from({ length: 12 }, (_, n) => `user-${n + 1}`);
  before(async () => {
    for (const name of NAMES) await registry().register(name);
  });

  it('is as documented, in the order in which they came', async () => {
    const { body } = await call(registry().admin, 'GET', USERS);
    expect(body).to.have.all.keys('users', 'total', 'page', 'limit', 'pagination');
    expect(body).to.deep.include({ total: 13, page: 1, limit: 50, pagination: { page: 1, limit: 50, total: 13, pages: 1 } });
    const users = body.users as Json[];
    expect(users.map(({ username }) => username)).to.deep.equal(['admin', ...NAMES]);
    expect(users.map(({ id }) => id)).to.deep.equal(users.map((_, n) => n + 1));
  });

  it('comes in pages', async () => {
    const seen: unknown[] = [];
    for (const page of [1, 2, 3, 4]) {
      const { body } = await call(registry().admin, 'GET', `${USERS}?page=${page}&limit=5`);
      expect(body.pagination).to.deep.equal({ page, limit: 5, total: 13, pages: 3 });
      seen.push((body.users as Json[]).map(({ id }) => id));
    }
    expect(seen).to.deep.equal([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13], []]);
  });

  it('counts those who are left, and leaves no hole for those who are not', async () => {
    await call(registry().admin, 'DELETE', `${USERS}/3`);
    const { body } = await call(registry().admin, 'GET', `${USERS}?limit=5`);
    expect((body.users as Json[]).map(({ id }) => id)).to.deep.equal([1, 2, 4, 5, 6]);
    expect(body.total).to.equal(12);
  });

  const bounds: readonly (readonly [query: string, limit: number])[] = [
    ['limit=100', 100],
    ['limit=101', 100],
    ['limit=999999', 100],
    ['limit=1', 1],
    ['limit=0', 1],
    ['limit=-5', 1],
    ['other=1', 50],
  ];
  calls(registry, [
    ...bounds.map(([query, limit]) => ({
      it: `takes ?${query} as a limit of ${limit}`,
      send: ['GET', `${USERS}?${query}`] as const,
      gets: { status: 200, body: { limit } },
    })),
    ...[
      'page=0',
      'page=-1',
      'page=x',
      'page=1.5',
      'page=',
      'page=1e3',
      'page=99999999999999999999',
      'page=10001',
      'page=1&page=x',
    ].map((query) => ({
      it: `refuses ?${query}`,
      send: ['GET', `${USERS}?${query}`] as const,
      gets: { status: 400, code: 'INVALID_REQUEST', field: 'page' },
    })),
    ...['limit=x', 'limit=', 'limit=1.5'].map((query) => ({
      it: `refuses ?${query}`,
      send: ['GET', `${USERS}?${query}`] as const,
      gets: { status: 400, code: 'INVALID_REQUEST', field: 'limit' },
    })),
  ]);
});

describe('one’s own account', () => {
  const registry = registryFor();
  const ME = '/api/v1/users/me';
  let ann: HttpClient;
  before(async () => {
    ann = await registry().register('ann');
  });

  calls(registry, [
    { it: 'is shown', by: () => ann, send: ['GET', ME], gets: { status: 200, body: { id: 2, username: 'ann', role: 'user' } } },
    {
      it: 'has an address that can be set',
      by: () => ann,
      send: ['PUT', ME, { email: 'ann@example.com' }],
      gets: { status: 200, body: { email: 'ann@example.com' } },
    },
    {
      it: 'and be taken away',
      by: () => ann,
      send: ['PATCH', ME, { email: null }],
      gets: { status: 200, body: { email: null } },
    },
    {
      it: 'has a role that one cannot change',
      by: () => ann,
      send: ['PUT', ME, { role: 'admin' }],
      gets: { status: 400, field: 'role' },
    },
    {
      it: 'cannot be suspended by oneself',
      by: () => ann,
      send: ['PUT', ME, { suspended: false }],
      gets: { status: 400, field: 'suspended' },
    },
    {
      it: 'is nobody’s without a login',
      by: ({ anonymous }) => anonymous,
      send: ['GET', ME],
      gets: { status: 401, code: 'UNAUTHORIZED' },
    },
    {
      it: 'keeps its password without the current one',
      by: () => ann,
      send: ['POST', `${ME}/password`, { current_password: 'wrong', new_password: GOOD }],
      gets: { status: 403, code: 'FORBIDDEN', field: 'current_password' },
    },
    {
      it: 'says which part of a new password is missing',
      by: () => ann,
      send: ['POST', `${ME}/password`, { new_password: GOOD }],
      gets: { status: 400, field: 'current_password' },
    },
    {
      it: 'keeps its password where the new one is bad',
      by: () => ann,
      send: ['POST', `${ME}/password`, { current_password: PASSWORD, new_password: 'Password1' }],
      gets: { status: 400, field: 'new_password' },
    },
  ]);

  it('is not opened for a new password by an access token in the place of the current one', async () => {
    const { body } = await call(ann, 'POST', '/api/v1/tokens', { name: 'x', permissions: ['admin'] });
    const change = { current_password: body.token, new_password: GOOD };
    for (const client of [ann, registry().admin.as(`Bearer ${body.token}`)])
      expect((await call(client, 'POST', `${ME}/password`, change)).status).to.equal(403);
  });

  it('gets a new password for the current one, and every login ends, this one too', async () => {
    const session = await sessionBy(registry().admin, 'ann', PASSWORD);
    const change = { current_password: PASSWORD, new_password: GOOD };
    expect((await call(session, 'POST', `${ME}/password`, change)).status).to.equal(204);
    for (const client of [session, ann]) expect((await call(client, 'GET', ME)).status).to.equal(401);
    expect((await call(registry().admin.as(basic('ann', GOOD)), 'GET', ME)).status).to.equal(200);
  });
});
