import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { registryFor } from '../support/app.ts';
import type { Answer, Sending } from '../support/http.ts';
import { basic } from '../support/http.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { exchange, type Json, jsonOf } from './exchanges.ts';

const form = (fields: Readonly<Record<string, string>>): Sending => ({
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(fields).toString(),
});
const json = (value: unknown): Sending => ({
  headers: { 'content-type': 'application/json' },
  body: typeof value === 'string' ? value : JSON.stringify(value),
});

/** What a token may do, by its own words. */
const accessOf = (token: unknown): unknown => decodeJwt(String(token)).access;

const BASIC_CHALLENGE = 'Basic realm="GhostDock Registry",charset="UTF-8"';

describe('the token service', () => {
  const registry = registryFor();

  before(async () => {
    await registry().register('ann');
  });

  const ask = (query: string, authorization: string | undefined = basic('ann', PASSWORD)): Promise<Answer> =>
    registry().admin.as(authorization).send('GET', `/auth?service=registry.test${query}`);

  const granted = async (query: string): Promise<Json> => {
    const answer = await ask(query);
    expect(answer.status, answer.body.toString()).to.equal(200);
    return jsonOf(answer);
  };

  const refused = (answer: Answer, status: number, code: string): Json => {
    expect(answer.status, answer.body.toString()).to.equal(status);
    const { error, ...others } = jsonOf(answer) as { error: Json };
    expect(others).to.deep.equal({});
    expect(error.code).to.equal(code);
    expect(error.message).to.be.a('string').that.is.not.empty;
    return error;
  };

  describe('GET with Basic', () => {
    it('gives a token with the scope that was asked for, as docker’s clients read it', async () => {
      const answer = await granted('&account=ann&scope=repository:ann/web:pull,push');
      expect(answer).to.have.all.keys('token', 'access_token', 'expires_in', 'issued_at', 'scope');
      expect(answer.access_token).to.equal(answer.token);
      expect(answer.expires_in).to.equal(1800);
      expect(answer.issued_at).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(answer.scope).to.equal('repository:ann/web:pull,push');
      expect(accessOf(answer.token)).to.deep.equal([{ type: 'repository', name: 'ann/web', actions: ['pull', 'push'] }]);
    });

    it('takes several scopes, each in a parameter of its own or all in one', async () => {
      const both = [
        { type: 'repository', name: 'ann/web', actions: ['pull', 'push'] },
        { type: 'repository', name: 'ann/base', actions: ['pull'] },
      ];
      const apart = await granted('&scope=repository:ann/web:pull,push&scope=repository:ann/base:pull');
      expect(accessOf(apart.token)).to.deep.equal(both);
      const together = await granted('&scope=repository:ann/web:pull,push%20repository:ann/base:pull');
      expect(accessOf(together.token)).to.deep.equal(both);
    });

    it('leaves out what the user may not have, without a word', async () => {
      const answer = await granted('&scope=repository:bob/web:pull,push&scope=repository:ann/web:pull&scope=registry:catalog:*');
      expect(answer.scope).to.equal('repository:ann/web:pull registry:catalog:*');
    });

    it('leaves out what is no scope', async () => {
      const scopes = ['nonsense', 'repository:ann/web', 'repository::pull', 'repository:ANN/web:pull', 'plugin:ann/web:pull'];
      const answer = await granted(scopes.map((scope) => `&scope=${encodeURIComponent(scope)}`).join(''));
      expect(accessOf(answer.token)).to.deep.equal([]);
    });

    it('gives a token without any scope, for docker login', async () => {
      expect(accessOf((await granted('&account=ann&client_id=docker')).token)).to.deep.equal([]);
    });

    it('adds a refresh token for those who ask for one', async () => {
      const answer = await granted('&scope=repository:ann/web:pull&offline_token=true');
      expect(decodeJwt(String(answer.refresh_token)).use).to.equal('refresh');
      expect(await granted('&offline_token=false')).not.to.have.property('refresh_token');
    });

    it('keeps every answer out of every cache', async () => {
      expect((await ask('')).headers['cache-control']).to.equal('no-store');
    });

    it('challenges those who send no password or a wrong one, by Basic', async () => {
      for (const authorization of [undefined, basic('ann', 'wrong'), basic('nobody', PASSWORD), 'Bearer rubbish', 'rubbish']) {
        const answer = await registry().admin.as(authorization).send('GET', '/auth?service=registry.test');
        refused(answer, 401, 'UNAUTHORIZED');
        expect(answer.headers['www-authenticate']).to.equal(BASIC_CHALLENGE);
      }
    });

    it('gives no token for a token: it would live for ever', async () => {
      const { token } = await granted('&scope=repository:ann/web:pull');
      refused(await ask('&scope=repository:ann/web:pull,push', `Bearer ${token}`), 401, 'UNAUTHORIZED');
      refused(await ask('&offline_token=true', `Bearer ${token}`), 401, 'UNAUTHORIZED');
    });

    it('gives a session a token, but none that outlives it', async () => {
      const session = jsonOf(await registry().anonymous.send('POST', '/auth', json({ username: 'ann', password: PASSWORD })));
      const answer = jsonOf(await ask('&scope=repository:ann/web:pull&offline_token=true', `Bearer ${session.token}`));
      expect(answer.scope).to.equal('repository:ann/web:pull');
      expect(answer).not.to.have.property('refresh_token');
    });

    it('refuses more scopes than a token could carry', async () => {
      const many = Array.from({ length: 51 }, (_, index) => `&scope=repository:ann/${index}:pull`).join('');
      const error = refused(await ask(many), 400, 'INVALID_REQUEST');
      expect(error.details).to.deep.equal({ field: 'scope' });
    });
  });

  describe('POST of a form', () => {
    const post = (fields: Readonly<Record<string, string>>): Promise<Answer> =>
      registry().anonymous.send('POST', '/auth', form({ service: 'registry.test', client_id: 'test', ...fields }));

    it('gives a token for a password', async () => {
      const answer = await post({
        grant_type: 'password',
        username: 'ann',
        password: PASSWORD,
        scope: 'repository:ann/web:push',
      });
      expect(answer.status).to.equal(200);
      expect(answer.headers['cache-control']).to.equal('no-store');
      const body = jsonOf(answer);
      expect(body).to.have.all.keys('token', 'access_token', 'expires_in', 'issued_at', 'scope');
      expect(accessOf(body.access_token)).to.deep.equal([{ type: 'repository', name: 'ann/web', actions: ['push'] }]);
    });

    it('gives a refresh token to those who ask for offline access, and tokens for it', async () => {
      const offline = { grant_type: 'password', username: 'ann', password: PASSWORD, access_type: 'offline' };
      const { refresh_token: held } = jsonOf(await post(offline));
      const again = { grant_type: 'refresh_token', refresh_token: String(held), scope: 'repository:ann/web:pull' };
      const answer = await post(again);
      expect(answer.status).to.equal(200);
      const body = jsonOf(answer);
      expect(body.refresh_token).to.equal(held);
      expect(body.scope).to.equal('repository:ann/web:pull');
      await exchange(registry().admin.as(`Bearer ${body.token}`), ['GET', '/v2/'], { status: 200 });
    });

    it('refuses a refresh token as a bearer, and a bearer as a refresh token', async () => {
      const offline = { grant_type: 'password', username: 'ann', password: PASSWORD, access_type: 'offline' };
      const { refresh_token: refresh, token } = jsonOf(await post(offline));
      await exchange(registry().admin.as(`Bearer ${refresh}`), ['GET', '/v2/'], { status: 401 });
      refused(await post({ grant_type: 'refresh_token', refresh_token: String(token) }), 401, 'UNAUTHORIZED');
    });

    const bad: readonly (readonly [what: string, fields: Readonly<Record<string, string>>, status: number])[] = [
      ['a wrong password', { grant_type: 'password', username: 'ann', password: 'wrong' }, 401],
      ['an unknown user', { grant_type: 'password', username: 'nobody', password: PASSWORD }, 401],
      ['a password grant without a user', { grant_type: 'password', password: PASSWORD }, 400],
      ['a password grant without a password', { grant_type: 'password', username: 'ann' }, 400],
      ['an empty password', { grant_type: 'password', username: 'ann', password: '' }, 400],
      ['a made-up refresh token', { grant_type: 'refresh_token', refresh_token: 'rubbish' }, 401],
      ['no refresh token', { grant_type: 'refresh_token' }, 400],
      ['another grant', { grant_type: 'authorization_code', code: 'x' }, 400],
      ['no grant', {}, 400],
    ];
    for (const [what, fields, status] of bad) {
      it(`refuses ${what} with ${status}`, async () => {
        refused(await post(fields), status, status === 401 ? 'UNAUTHORIZED' : 'INVALID_REQUEST');
      });
    }
  });

  for (const path of ['/auth', '/auth/login', '/auth/']) {
    it(`logs a person in by POST of JSON to ${path}`, async () => {
      const answer = await registry().anonymous.send('POST', path, json({ username: 'ann', password: PASSWORD }));
      expect(answer.status, answer.body.toString()).to.equal(200);
      expect(answer.headers['cache-control']).to.equal('no-store');
      const { token, expires_at: expiresAt, user, ...others } = jsonOf(answer);
      expect(others).to.deep.equal({});
      expect(user).to.deep.equal({ id: 2, username: 'ann', email: null, role: 'user' });
      expect(Date.parse(String(expiresAt)) - Date.now()).to.be.within(11.9 * 3_600_000, 12 * 3_600_000);
      await exchange(registry().admin.as(`Bearer ${token}`), ['GET', '/v2/'], { status: 200 });
    });
  }

  describe('POST of JSON', () => {
    const bodies: Readonly<Record<string, readonly [body: unknown, status: number]>> = {
      'a wrong password': [{ username: 'ann', password: 'wrong' }, 401],
      'an unknown user': [{ username: 'nobody', password: PASSWORD }, 401],
      'no password': [{ username: 'ann' }, 400],
      'a username that is no text': [{ username: { $ne: '' }, password: PASSWORD }, 400],
      'a password that is no text': [{ username: 'ann', password: 12345678 }, 400],
      'an empty object': [{}, 400],
      'a list': [[], 400],
      'a number': ['5', 400],
      null: ['null', 400],
      nothing: ['', 400],
      'something that is not JSON': ['{"username":', 400],
      'a prototype': ['{"__proto__":{"username":"ann"}}', 400],
      'more than 64 KB': [{ username: 'ann', password: 'x'.repeat(70_000) }, 413],
    };
    for (const [what, [body, status]] of Object.entries(bodies)) {
      it(`refuses ${what} with ${status}`, async () => {
        const answer = await registry().anonymous.send('POST', '/auth', json(body));
        refused(answer, status, status === 401 ? 'UNAUTHORIZED' : 'INVALID_REQUEST');
        if (status === 401) expect(answer.headers['www-authenticate']).to.equal(BASIC_CHALLENGE);
      });
    }

    it('says which field is missing', async () => {
      const answer = await registry().anonymous.send('POST', '/auth', json({ username: 'ann' }));
      expect(refused(answer, 400, 'INVALID_REQUEST').details).to.deep.equal({ field: 'password' });
    });

    it('refuses a body of another kind', async () => {
      for (const type of ['text/plain', 'application/xml', 'nonsense', 'multipart/form-data; boundary=x']) {
        const sending = { headers: { 'content-type': type }, body: `username=ann&password=${PASSWORD}` };
        refused(await registry().anonymous.send('POST', '/auth', sending), 400, 'INVALID_REQUEST');
      }
      refused(await registry().anonymous.send('POST', '/auth'), 400, 'INVALID_REQUEST');
    });
  });

  describe('logging out', () => {
    const MESSAGE = { message: 'Successfully logged out' };
    const sessionToken = async (): Promise<unknown> =>
      jsonOf(await registry().anonymous.send('POST', '/auth', json({ username: 'ann', password: PASSWORD }))).token;
    const logOut = (authorization: string | undefined): Promise<Answer> =>
      registry().admin.as(authorization).send('POST', '/auth/logout');
    const statusOf = async (token: unknown): Promise<number> =>
      (await registry().admin.as(`Bearer ${token}`).send('GET', '/v2/')).status;

    it('ends this session, and the tokens that were issued in it, at once', async () => {
      const session = await sessionToken();
      const { token } = jsonOf(await ask('&scope=repository:ann/web:pull', `Bearer ${session}`));
      expect([await statusOf(session), await statusOf(token)]).to.deep.equal([200, 200]);
      const answer = await logOut(`Bearer ${session}`);
      expect([answer.status, jsonOf(answer)]).to.deep.equal([200, MESSAGE]);
      expect(answer.headers['cache-control']).to.equal('no-store');
      expect([await statusOf(session), await statusOf(token)]).to.deep.equal([401, 401]);
    });

    it('leaves other sessions, the password and tokens of the password alone', async () => {
      const [one, other] = [await sessionToken(), await sessionToken()];
      const { token } = await granted('&scope=repository:ann/web:pull');
      await logOut(`Bearer ${one}`);
      expect([await statusOf(one), await statusOf(other), await statusOf(token)]).to.deep.equal([401, 200, 200]);
      expect((await ask('')).status).to.equal(200);
    });

    it('is one event a session, however often it is asked for', async () => {
      const session = await sessionToken();
      await logOut(`Bearer ${session}`);
      const before = await registry().head();
      expect((await logOut(`Bearer ${session}`)).status).to.equal(200);
      expect(await registry().head()).to.equal(before);
    });

    it('is no failure without a session: there is none that could go on', async () => {
      const before = await registry().head();
      const { token } = await granted('&scope=repository:ann/web:pull');
      for (const authorization of [undefined, 'Bearer rubbish', 'nonsense', basic('ann', 'wrong'), `Bearer ${token}`]) {
        const answer = await logOut(authorization);
        expect([answer.status, jsonOf(answer)]).to.deep.equal([200, MESSAGE]);
      }
      expect(await statusOf(token), 'no session of its own').to.equal(200);
      expect(await registry().head()).to.equal(before);
    });

    it('keeps every other session ended, whoever ends very many', async () => {
      const sessions: unknown[] = [];
      for (let n = 0; n < 22; n += 1) sessions.push(await sessionToken());
      for (const session of sessions.slice(0, 21)) await logOut(`Bearer ${session}`);
      for (const session of sessions) expect(await statusOf(session)).to.equal(401);
      expect(await statusOf(await sessionToken())).to.equal(200);
    });
  });

  it('ends nothing and starts nothing for another user: a token of one cannot push for another', async () => {
    const bob = await registry().register('bob');
    await exchange(bob, ['POST', '/v2/ann/web/blobs/uploads/'], { status: 403, code: 'DENIED' });
    const token = await registry().withToken('bob', 'repository:ann/web:pull,push');
    await exchange(token, ['POST', '/v2/ann/web/blobs/uploads/'], { status: 403, code: 'DENIED' });
  });

  it('gives the administrator everything that he asks for', async () => {
    const token = await registry().withToken(ADMIN, 'repository:ann/web:pull,push,delete registry:catalog:*');
    await exchange(token, ['POST', '/v2/ann/web/blobs/uploads/'], { status: 202 });
    await exchange(token, ['GET', '/v2/_catalog'], { status: 200 });
  });
});
