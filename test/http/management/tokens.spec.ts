import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { basic, bearer, type HttpClient, pushImage, startUpload, tagsOf } from '../../support/http.ts';
import { randomImage } from '../../support/images.ts';
import { waitUntil } from '../../support/processes.ts';
import { PASSWORD } from '../../support/registryProcess.ts';
import { type Json, jsonOf } from '../exchanges.ts';
import { type Call, call, calls, sessionBy } from './calls.ts';

const TOKENS = '/api/v1/tokens';
const IMAGE = randomImage('access tokens', { layers: 1 });
const DAY_MS = 86_400_000;
const inDays = (days: number): string => `${new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 19)}Z`;

describe('access tokens', () => {
  const registry = registryFor();
  let ann: HttpClient;
  const admin = (): HttpClient => registry().admin;

  const created = async (body: Json, by: HttpClient = ann): Promise<Json> => {
    const { status, body: token } = await call(by, 'POST', TOKENS, { name: 'a token', permissions: ['pull'], ...body });
    expect(status, JSON.stringify(token)).to.equal(201);
    return token;
  };
  /** The ways in which a value may be sent. */
  const carrying = (value: unknown): readonly HttpClient[] => [
    admin().as(`Bearer ${value}`),
    admin().as(basic('ann', String(value))),
    admin().as(basic('whoever', String(value))),
  ];
  const statusOf = async (client: HttpClient, method: string, path: string): Promise<number> =>
    (await client.send(method, path)).status;

  before(async () => {
    ann = await registry().register('ann');
    await registry().register('bob');
    await pushImage(ann, 'ann/app', 'v1', IMAGE);
    await pushImage(ann, 'ann/tools/lint', 'v1', IMAGE);
  });

  describe('are created', () => {
    it('as is documented: the value is told this once', async () => {
      const asked = { name: 'CI/CD Token', permissions: ['pull', 'push'], expires_at: '2099-12-31T23:59:59Z' };
      const { id, token, created_at: createdAt, ...rest } = await created(asked);
      expect(id).to.be.a('number');
      expect(token).to.match(/^ghd_[0-9A-Za-z]{46}$/);
      expect(Math.abs(Date.parse(String(createdAt)) - Date.now())).to.be.lessThan(60_000);
      expect(rest).to.deep.equal({ ...asked, user_id: 2, prefix: String(token).slice(0, 8), repositories: [] });
    });

    it('for ever, where no end is given', async () => {
      expect((await created({})).expires_at).to.equal(null);
      expect((await created({ expires_at: null })).expires_at).to.equal(null);
    });

    it('with an end in any offset, told in UTC', async () => {
      expect((await created({ expires_at: '2099-01-01T01:30:00+02:00' })).expires_at).to.equal('2098-12-31T23:30:00Z');
    });

    const refused: readonly (readonly [what: string, body: Json, field: string])[] = [
      ['without a name', { permissions: ['pull'] }, 'name'],
      ['with an empty name', { name: ' ', permissions: ['pull'] }, 'name'],
      ['with a name that is too long', { name: 'x'.repeat(101), permissions: ['pull'] }, 'name'],
      ['without permissions', { name: 'x' }, 'permissions'],
      ['with no permission', { name: 'x', permissions: [] }, 'permissions'],
      ['with a permission that there is not', { name: 'x', permissions: ['pull', 'write'] }, 'permissions.1'],
      ['with permissions that are no list', { name: 'x', permissions: 'pull' }, 'permissions'],
      ['with an end that has passed', { name: 'x', permissions: ['pull'], expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
      ['with an end that is no time', { name: 'x', permissions: ['pull'], expires_at: 'tomorrow' }, 'expires_at'],
      ['with an end without an offset', { name: 'x', permissions: ['pull'], expires_at: '2099-01-01T00:00:00' }, 'expires_at'],
      [
        'with an end on a day that there is not',
        { name: 'x', permissions: ['pull'], expires_at: '2099-13-41T00:00:00Z' },
        'expires_at',
      ],
      [
        'with an end beyond the year 9999',
        { name: 'x', permissions: ['pull'], expires_at: '9999-12-31T23:59:59-23:00' },
        'expires_at',
      ],
      ['with a pattern that is none', { name: 'x', permissions: ['pull'], repositories: ['ann/*', 'a*'] }, 'repositories.1'],
      ['with a field that there is not', { name: 'x', permissions: ['pull'], scope: 'all' }, 'scope'],
      ['with a value of one’s own', { name: 'x', permissions: ['pull'], token: 'ghd_mine' }, 'token'],
    ];
    calls(
      registry,
      refused.map(([what, body, field]) => ({
        it: `not ${what}`,
        by: () => ann,
        send: ['POST', TOKENS, body],
        gets: { status: 400, code: 'INVALID_REQUEST', field },
      })),
    );
  });

  it('are listed with what they were given, and never with their value', async () => {
    const { token, ...made } = await created({ name: 'listed', repositories: ['ann/app'], expires_at: '2099-12-31T23:59:59Z' });
    const { status, body } = await call(ann, 'GET', `${TOKENS}?limit=100`);
    expect(status).to.equal(200);
    const found = (body.tokens as Json[]).find(({ id }) => id === made.id);
    const { last_used: lastUsed, ...listed } = found ?? {};
    expect(listed).to.deep.equal(made);
    expect(lastUsed).to.equal(null);
    expect(JSON.stringify(body)).not.to.contain(String(token).slice(9));
    expect(body.data).to.deep.equal(body.tokens);
    expect(body.total).to.equal((body.tokens as Json[]).length);
  });

  it('are listed with when they were last used, soon after', async () => {
    const { id, token } = await created({ name: 'used' });
    const lastUsed = async () => {
      const { body } = await call(ann, 'GET', `${TOKENS}?limit=100`);
      return (body.tokens as Json[]).find((one) => one.id === id)?.last_used;
    };
    expect(await lastUsed()).to.equal(null);
    expect((await registry().anonymous.as(`Bearer ${token}`).send('GET', '/v2/')).status).to.equal(200);
    await waitUntil('the use is shown', async () => (await lastUsed()) !== null);
    expect(Math.abs(Date.parse(String(await lastUsed())) - Date.now())).to.be.lessThan(60_000);
  });

  it('are listed in pages', async () => {
    for (let n = 0; n < 3; n += 1) await created({ name: `page ${n}` });
    const { body: first } = await call(ann, 'GET', `${TOKENS}?limit=2`);
    const { body: second } = await call(ann, 'GET', `${TOKENS}?limit=2&page=2`);
    const ids = [...(first.tokens as Json[]), ...(second.tokens as Json[])].map(({ id }) => Number(id));
    expect(ids).to.deep.equal([...new Set(ids)].sort((a, b) => a - b));
    expect(ids).to.have.lengthOf(4);
  });

  describe('let in', () => {
    it('wherever a password does: as Bearer, and in Basic with any username', async () => {
      const { token } = await created({ permissions: ['pull', 'push', 'delete'] });
      for (const [n, client] of carrying(token).entries()) {
        await pushImage(client, 'ann/by-token', `v${n}`, IMAGE);
        expect(await tagsOf(client, 'ann/by-token')).to.include(`v${n}`);
        expect((await call(client, 'GET', '/api/v1/users/me')).body).to.include({ username: 'ann' });
        expect(await statusOf(client, 'DELETE', `/v2/ann/by-token/manifests/v${n}`)).to.equal(202);
      }
    });

    it('by the token service, as docker login asks it, and the login has no more than the token', async () => {
      const { token } = await created({ permissions: ['pull'] });
      const scope = 'repository:ann/app:pull,push,delete';
      const login = await bearer(admin(), basic('anything', String(token)), scope);
      const client = admin().as(login);
      expect(await tagsOf(client, 'ann/app')).to.deep.equal(['v1']);
      expect(await statusOf(client, 'POST', '/v2/ann/app/blobs/uploads/')).to.equal(403);
    });

    it('to a session of a person, which has no more than the token', async () => {
      const { token } = await created({ permissions: ['pull'] });
      const session = await sessionBy(admin(), 'ann', String(token));
      expect((await call(session, 'GET', '/api/v1/users/me')).status).to.equal(200);
      expect((await call(session, 'POST', TOKENS, { name: 'x', permissions: ['pull'] })).status).to.equal(403);
      expect(await statusOf(session, 'POST', '/v2/ann/app/blobs/uploads/')).to.equal(403);
    });
  });

  describe('are limited', () => {
    it('to their permissions', async () => {
      const table: readonly (readonly [permissions: readonly string[], pull: number, push: number, remove: number])[] = [
        [['pull'], 200, 403, 403],
        [['push'], 403, 202, 403],
        [['delete'], 403, 403, 404],
        [['pull', 'push'], 200, 202, 403],
        [['admin'], 200, 202, 404],
      ];
      for (const [permissions, ...expected] of table) {
        const [client] = carrying((await created({ permissions })).token);
        if (client === undefined) throw new Error('There are three.');
        const found = [
          await statusOf(client, 'GET', '/v2/ann/app/tags/list'),
          await statusOf(client, 'POST', '/v2/ann/app/blobs/uploads/'),
          await statusOf(client, 'DELETE', '/v2/ann/app/manifests/none'),
        ];
        expect(found, permissions.join()).to.deep.equal(expected);
      }
    });

    it('to their repositories', async () => {
      const [client] = carrying(
        (await created({ permissions: ['pull', 'push'], repositories: ['ann/tools/*', 'ann/other'] })).token,
      );
      if (client === undefined) throw new Error('There are three.');
      expect(await statusOf(client, 'GET', '/v2/ann/tools/lint/tags/list')).to.equal(200);
      await startUpload(client, 'ann/other');
      for (const path of ['/v2/ann/app/tags/list', '/v2/ann/tools/tags/list', '/v2/_catalog'])
        expect(await statusOf(client, 'GET', path), path).to.equal(403);
      const mount = `/v2/ann/other/blobs/uploads/?mount=${IMAGE.config.digest}&from=ann/app`;
      expect(await statusOf(client, 'POST', mount), 'no mount from elsewhere').to.equal(202);
    });

    it('to what their owner may do, whatever they say', async () => {
      const { token } = await created({ permissions: ['admin'], repositories: ['bob/*'] });
      const [client] = carrying(token);
      expect(client && (await statusOf(client, 'POST', '/v2/bob/app/blobs/uploads/'))).to.equal(403);
      const [all] = carrying((await created({ permissions: ['admin'] })).token);
      expect(all && (await statusOf(all, 'GET', '/api/v1/users'))).to.equal(403);
    });

    it('to the management of nothing without the permission admin', async () => {
      const limited = [
        await created({ permissions: ['pull', 'push', 'delete'] }, admin()),
        await created({ permissions: ['admin'], repositories: ['team/*'] }, admin()),
      ];
      for (const { token } of limited)
        for (const client of carrying(token)) {
          for (const path of ['/api/v1/users', TOKENS, `${TOKENS}?user_id=all`])
            expect((await call(client, 'GET', path)).status).to.equal(403);
          expect((await call(client, 'POST', TOKENS, { name: 'x', permissions: ['pull'] })).status).to.equal(403);
          expect((await call(client, 'POST', '/api/v1/users', { username: 'eve', password: PASSWORD })).status).to.equal(403);
          expect((await call(client, 'DELETE', `${TOKENS}/1`)).status).to.equal(403);
        }
      const [client] = carrying((await created({ permissions: ['admin'] }, admin())).token);
      expect(client && (await statusOf(client, 'GET', '/api/v1/users'))).to.equal(200);
    });

    it('in what they may create to tokens that do not outlive them', async () => {
      const { token } = await created({ permissions: ['admin'], expires_at: inDays(2) });
      const [client] = carrying(token);
      if (client === undefined) throw new Error('There are three.');
      const later = { name: 'x', permissions: ['pull'], expires_at: inDays(3) };
      expect((await call(client, 'POST', TOKENS, later)).error.details).to.deep.equal({ field: 'expires_at' });
      const unsaid = await created({}, client);
      expect(Date.parse(String(unsaid.expires_at))).to.be.at.most(Date.now() + 2 * DAY_MS);
      expect((await created({ expires_at: inDays(1) }, client)).expires_at).to.be.a('string');
    });
  });

  describe('end', () => {
    it('when they are revoked, with every login that was made from them, on the next request', async () => {
      const { id, token } = await created({ permissions: ['pull', 'admin'] });
      const scope = 'repository:ann/app:pull';
      const offline = `/auth?service=x&scope=${scope}&offline_token=true`;
      const basicAnswer = jsonOf(
        await admin()
          .as(basic('x', String(token)))
          .send('GET', offline),
      );
      const session = await sessionBy(admin(), 'ann', String(token));
      const within = await bearer(admin(), basic('x', String(token)), scope);
      const clients = [...carrying(token), admin().as(within), session, admin().as(`Bearer ${basicAnswer.token}`)];
      const refresh = { headers: { 'content-type': 'application/x-www-form-urlencoded' } };
      const form = { grant_type: 'refresh_token', refresh_token: String(basicAnswer.refresh_token), scope };
      const refreshed = () =>
        registry().anonymous.send('POST', '/auth', { ...refresh, body: new URLSearchParams(form).toString() });

      for (const client of clients) expect(await statusOf(client, 'GET', '/v2/')).to.equal(200);
      expect((await refreshed()).status).to.equal(200);
      expect((await call(ann, 'DELETE', `${TOKENS}/${id}`)).status).to.equal(204);
      for (const client of clients) expect(await statusOf(client, 'GET', '/v2/')).to.equal(401);
      expect((await refreshed()).status).to.equal(401);
      expect((await call(ann, 'DELETE', `${TOKENS}/${id}`)).status, 'it is gone').to.equal(404);
    });

    it('and are as unknown afterwards as those that never were', async () => {
      const { id, token } = await created({});
      await call(ann, 'DELETE', `${TOKENS}/${id}`);
      const texts = await Promise.all(
        [token, `ghd_${'0'.repeat(46)}`, 'ghd_short'].map(async (value) => {
          const answer = await admin().as(`Bearer ${value}`).send('GET', '/v2/');
          return `${answer.status} ${answer.body}`;
        }),
      );
      expect(new Set(texts).size, texts.join('\n')).to.equal(1);
    });
  });

  describe('of others', () => {
    it('are nobody’s business: neither seen nor revoked, and not told from those that there are not', async () => {
      const { id } = await created({});
      const bob = admin().as(basic('bob', PASSWORD));
      expect((await call(bob, 'GET', TOKENS)).body).to.include({ total: 0 });
      for (const query of ['user_id=2', 'user_id=all'])
        expect((await call(bob, 'GET', `${TOKENS}?${query}`)).status).to.equal(403);
      const [theirs, none] = [await call(bob, 'DELETE', `${TOKENS}/${id}`), await call(bob, 'DELETE', `${TOKENS}/99999`)];
      expect([theirs.status, none.status]).to.deep.equal([404, 404]);
      expect(Object.keys(theirs.error.details as object)).to.deep.equal(Object.keys(none.error.details as object));
    });

    it('are listed and revoked by administrators, who never see a value', async () => {
      const { id, token } = await created({ name: 'ann’s' });
      for (const query of ['user_id=2', 'user_id=all']) {
        const { body } = await call(admin(), 'GET', `${TOKENS}?${query}&limit=100`);
        const found = (body.tokens as Json[]).find((one) => one.id === id);
        expect(found).to.deep.include({ name: 'ann’s', user_id: 2 });
        expect(JSON.stringify(body)).not.to.contain(String(token).slice(9));
      }
      expect((await call(admin(), 'DELETE', `${TOKENS}/${id}`)).status).to.equal(204);
      const [client] = carrying(token);
      expect(client && (await statusOf(client, 'GET', '/v2/'))).to.equal(401);
    });

    it('are read by auditors, and not revoked', async () => {
      const { id } = await created({});
      const auditor = await registry().register('auditor-1', 'auditor');
      expect((await call(auditor, 'GET', `${TOKENS}?user_id=2`)).status).to.equal(200);
      expect((await call(auditor, 'DELETE', `${TOKENS}/${id}`)).status).to.equal(404);
    });

    it('are made by administrators for robots, and for nobody else', async () => {
      const { body: robot } = await call(admin(), 'POST', '/api/v1/users', { username: 'builder', role: 'robot' });
      const made = await created({ user_id: Number(robot.id), permissions: ['pull', 'push'] }, admin());
      expect(made.user_id).to.equal(robot.id);
      const [client] = carrying(made.token);
      if (client === undefined) throw new Error('There are three.');
      await pushImage(client, 'builder/app', 'v1', IMAGE);

      const body = { name: 'x', permissions: ['pull'] };
      expect((await call(admin(), 'POST', TOKENS, { ...body, user_id: 2 })).error.details).to.deep.equal({ field: 'user_id' });
      expect((await call(admin(), 'POST', TOKENS, { ...body, user_id: 999 })).status).to.equal(404);
      expect((await call(ann, 'POST', TOKENS, { ...body, user_id: Number(robot.id) })).status).to.equal(403);
      expect((await call(ann, 'POST', TOKENS, { ...body, user_id: 2 })).status).to.equal(201);
    });
  });

  calls(registry, [
    { it: 'are nobody’s without a login', by: ({ anonymous }) => anonymous, send: ['GET', TOKENS], gets: { status: 401 } },
    {
      it: 'are refused under an id that is none',
      by: () => ann,
      send: ['DELETE', `${TOKENS}/x`],
      gets: { status: 404, code: 'NOT_FOUND' },
    },
    { it: 'are listed for nobody that there is not', send: ['GET', `${TOKENS}?user_id=x`], gets: { status: 404 } },
  ] satisfies readonly Call[]);
});

describe('access tokens with a longest life', () => {
  const registry = registryFor({ GHOSTDOCK_TOKEN_MAX_DAYS: '30' });
  const asked = (expires?: string | null): Json => ({
    name: 'x',
    permissions: ['pull'],
    ...(expires !== undefined && { expires_at: expires }),
  });

  it('end at it, where no end is given', async () => {
    for (const expires of [undefined, null]) {
      const { body } = await call(registry().admin, 'POST', TOKENS, asked(expires));
      const life = Date.parse(String(body.expires_at)) - Date.now();
      expect(life).to.be.within(30 * DAY_MS - 60_000, 30 * DAY_MS + 1000);
    }
  });

  it('are refused a later end, and take an earlier one', async () => {
    const late = await call(registry().admin, 'POST', TOKENS, asked(inDays(31)));
    expect(late.status).to.equal(400);
    expect(late.error.details).to.deep.equal({ field: 'expires_at' });
    expect((await call(registry().admin, 'POST', TOKENS, asked(inDays(29)))).status).to.equal(201);
  });
});
