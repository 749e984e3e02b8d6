import { expect } from 'chai';
import { decodeJwt } from 'jose';
import type { Document } from '../../src/http/openapiDocument.ts';
import { identities } from '../../src/projections/identities.ts';
import { type Answer, basic, type HttpClient } from '../support/http.ts';
import { CLIENT } from '../support/issuer.ts';
import { registryWith } from '../support/oidc.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { type Json, jsonOf } from './exchanges.ts';

const ADA = { sub: 'ada-1', preferred_username: 'Ada', email: 'ada@example.com', email_verified: true, groups: ['developers'] };
const ROLES = [
  { match: { groups: 'registry-admins' }, role: 'admin' },
  { match: { groups: 'developers' }, role: 'user' },
];

/** What of a `Set-Cookie` matters. */
type Cookie = Readonly<{ name: string; value: string; attributes: readonly string[] }>;

const cookiesOf = ({ headers }: Answer): readonly Cookie[] =>
  (headers['set-cookie'] ?? []).map((line) => {
    const [pair = '', ...attributes] = line.split('; ');
    const [name = '', value = ''] = pair.split('=');
    return { name, value, attributes };
  });

describe('the login of people', () => {
  const { registry, issuer } = registryWith(
    (url) => ({
      issuers: [
        {
          name: 'corp',
          issuer: url,
          people: { clientId: CLIENT.clientId, clientSecretFile: 'secret', roles: ROLES, defaultRole: 'none' },
        },
        {
          name: 'jobs',
          issuer: 'https://jobs.example.com',
          audience: 'x',
          workloads: [{ match: { sub: 'x' }, repositories: ['x'], actions: ['pull'] }],
        },
      ],
    }),
    { secret: CLIENT.clientSecret },
  );
  const LOGIN = '/auth/oidc/corp';
  const CALLBACK = `${LOGIN}/callback`;
  const PROFILE = '/api/v1/users/me';

  beforeEach(() => {
    issuer().behave('well');
    issuer().tamper({});
    issuer().person(ADA);
  });

  /** A browser, as far as cookies go. */
  const browser = () => {
    const jar = new Map<string, string>();
    const get = async (path: string, method = 'GET', headers: Readonly<Record<string, string>> = {}): Promise<Answer> => {
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
      const answer = await registry().anonymous.send(method, path, { headers: { ...(cookie !== '' && { cookie }), ...headers } });
      for (const { name, value } of cookiesOf(answer)) {
        if (value === '') jar.delete(name);
        else jar.set(name, value);
      }
      return answer;
    };
    /** To the provider and back, without what happens then. @returns where the provider sends the browser */
    const visitProvider = async (path = LOGIN): Promise<string> => {
      const begun = await get(path);
      expect(begun.status, begun.body.toString()).to.equal(302);
      const back = await fetch(String(begun.headers.location), { redirect: 'manual' });
      return String(back.headers.get('location'));
    };
    const logIn = async (path = LOGIN): Promise<Answer> => get(await visitProvider(path));
    return { jar, get, visitProvider, logIn };
  };

  const profileOf = async (claims: Json): Promise<Json> => {
    issuer().person(claims);
    const { get, logIn } = browser();
    const answer = await logIn();
    expect(answer.status, answer.body.toString()).to.equal(200);
    return jsonOf(await get(PROFILE));
  };

  const refused = (answer: Answer, status: number): void => {
    expect(answer.status, answer.body.toString()).to.equal(status);
    expect(cookiesOf(answer).filter(({ name, value }) => name.endsWith('-session') && value !== '')).to.deep.equal([]);
  };

  it('sends the browser to the provider, with everything that protects the way back', async () => {
    const answer = await browser().get(LOGIN);
    const { origin, pathname, searchParams } = new URL(String(answer.headers.location));
    expect(origin + pathname).to.equal(`${issuer().url}/authorize`);
    expect(Object.fromEntries(searchParams)).to.include({
      client_id: CLIENT.clientId,
      response_type: 'code',
      redirect_uri: `${registry().url}${CALLBACK}`,
      scope: 'openid profile email',
      code_challenge_method: 'S256',
    });
    for (const name of ['state', 'nonce', 'code_challenge']) expect(searchParams.get(name)?.length, name).to.be.at.least(40);
    const [cookie] = cookiesOf(answer);
    expect(cookie?.name).to.equal('ghostdock-login');
    expect(cookie?.attributes).to.deep.equal(['Path=/', 'Max-Age=600', 'HttpOnly', 'SameSite=Lax']);
    for (const name of ['state', 'nonce'])
      expect(Buffer.from(String(cookie?.value), 'base64url').toString('latin1')).to.not.contain(searchParams.get(name));
  });

  it('ends in a session, and makes a user who has no password', async () => {
    const { get, logIn } = browser();
    const answer = await logIn();
    expect(answer.status, answer.body.toString()).to.equal(200);
    const session = cookiesOf(answer).find(({ name }) => name === 'ghostdock-session');
    expect(session?.attributes).to.deep.equal(['Path=/', 'Max-Age=43200', 'HttpOnly', 'SameSite=Strict']);
    expect(answer.body.toString()).to.not.contain(session?.value);
    expect(answer.headers).to.include({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
    const profile = jsonOf(await get(PROFILE));
    expect(profile).to.include({ username: 'ada', email: 'ada@example.com', role: 'user' });
    for (const password of ['none', ''])
      expect((await get('/v2/', 'GET', { authorization: basic('ada', password) })).status).to.equal(401);
  });

  it('knows the person again by the subject, whatever else has changed', async () => {
    const first = await profileOf({ ...ADA, sub: 'again-1', preferred_username: 'again' });
    const second = await profileOf({ ...ADA, sub: 'again-1', preferred_username: 'other', email: 'other@example.com' });
    expect(second.id).to.equal(first.id);
    expect(second.username).to.equal('again');
  });

  it('takes nobody for another person, whatever name and address they have', async () => {
    await registry().register('grace', 'admin');
    const profile = await profileOf({ ...ADA, sub: 'mallory-1', preferred_username: 'grace', email: 'ada@example.com' });
    expect(profile).to.include({ username: 'grace-2', role: 'user' });
    const again = await profileOf({ ...ADA, sub: 'mallory-2', preferred_username: 'Grace' });
    expect(again.username).to.equal('grace-3');
    expect((await profileOf({ ...ADA, sub: 'mallory-3', preferred_username: ADMIN })).username).to.equal('admin-2');
    expect((await profileOf({ ...ADA, sub: 'mallory-4', preferred_username: 'root' })).username).to.equal('root-2');
  });

  it('takes over no address that the provider has not seen to be the person’s', async () => {
    expect((await profileOf({ ...ADA, sub: 'unseen-1', email_verified: false })).email).to.equal(null);
  });

  it('brings the role to what the provider says, at each login', async () => {
    const mary = { ...ADA, sub: 'mary-1', preferred_username: 'mary' };
    expect((await profileOf(mary)).role).to.equal('user');
    expect((await profileOf({ ...mary, groups: ['developers', 'registry-admins'] })).role).to.equal('admin');
    expect((await profileOf(mary)).role).to.equal('user');
    const head = await registry().head();
    await profileOf(mary);
    expect(await registry().head()).to.equal(head);
  });

  it('lets nobody in whom no rule is about, and makes no user', async () => {
    const before = await registry().head();
    issuer().person({ ...ADA, sub: 'outside-1', groups: ['visitors'] });
    refused(await browser().logIn(), 403);
    expect(await registry().head()).to.equal(before);
  });

  it('records who was linked, and the subject for nobody to read', async () => {
    await profileOf({ ...ADA, sub: 'secret-subject', preferred_username: 'linked' });
    const events = await registry().app.log.readStream(registry().app.streams.users, { direction: 'backwards', limit: 3 });
    expect(events.map(({ type }) => type)).to.have.members(['UserRegistered', 'UsernameReserved', 'IdentityLinked']);
    expect(JSON.stringify(events)).to.not.contain('secret-subject');
    const found = await registry().app.views.find(identities, { limit: 100 });
    expect(JSON.stringify(found)).to.not.contain('secret-subject');
  });

  it('makes one user of a person who logs in twice at once', async () => {
    issuer().person({ ...ADA, sub: 'twice-1', preferred_username: 'twice' });
    const browsers = Array.from({ length: 4 }, browser);
    const answers = await Promise.all(browsers.map(({ logIn }) => logIn()));
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200]);
    const ids = await Promise.all(browsers.map(async ({ get }) => jsonOf(await get(PROFILE)).id));
    expect(new Set(ids)).to.have.lengthOf(1);
  });

  describe('is refused', () => {
    it('without the cookie of the browser that began it', async () => {
      refused(await browser().get(await browser().visitProvider()), 401);
    });

    it('with that of another login', async () => {
      const [mine, other] = [browser(), browser()];
      const way = await mine.visitProvider();
      await other.visitProvider();
      refused(await other.get(way), 401);
    });

    it('a second time', async () => {
      const { jar, get, visitProvider } = browser();
      const way = await visitProvider();
      const cookie = jar.get('ghostdock-login') as string;
      expect((await get(way)).status).to.equal(200);
      refused(await browser().get(way, 'GET', { cookie: `ghostdock-login=${cookie}` }), 401);
    });

    it('with a state, or a cookie, that was made up', async () => {
      const one = browser();
      const way = new URL(await one.visitProvider());
      way.searchParams.set('state', 'x'.repeat(43));
      refused(await one.get(way.href), 401);
      const other = browser();
      const cookie = `ghostdock-login=${Buffer.alloc(200, 1).toString('base64url')}`;
      refused(await other.get(await browser().visitProvider(), 'GET', { cookie }), 401);
    });

    it('with a code that was stolen: the verifier is in the cookie alone', async () => {
      const [victim, thief] = [browser(), browser()];
      const code = new URL(await victim.visitProvider()).searchParams.get('code') as string;
      const way = new URL(await thief.visitProvider());
      way.searchParams.set('code', code);
      refused(await thief.get(way.href), 401);
    });

    it('when the provider says no', async () => {
      const one = browser();
      const way = new URL(await one.visitProvider());
      way.searchParams.delete('code');
      way.searchParams.set('error', 'access_denied');
      refused(await one.get(way.href), 401);
    });

    const now = (): number => Math.floor(Date.now() / 1000);
    for (const [what, claims] of [
      ['of another client', () => ({ aud: 'another' })],
      ['of another issuer', () => ({ iss: 'https://evil.example' })],
      ['of another login', () => ({ nonce: 'x'.repeat(43) })],
      ['without the login that it is of', () => ({ nonce: undefined })],
      ['that has expired', () => ({ iat: now() - 900, exp: now() - 600 })],
      ['of nobody', () => ({ sub: undefined })],
    ] as const)
      it(`with an ID token ${what}`, async () => {
        issuer().tamper(claims());
        refused(await browser().logIn(), 401);
      });

    it('at a provider that is for no people, or that there is not', async () => {
      for (const name of ['jobs', 'none']) {
        refused(await browser().get(`/auth/oidc/${name}`), 404);
        refused(await browser().get(`/auth/oidc/${name}/callback?code=x&state=y`), 404);
      }
    });

    it('on a way that others can listen to', async () => {
      refused(await browser().get(LOGIN, 'GET', { host: 'registry.example.com' }), 403);
    });

    it('to those who are suspended or deleted', async () => {
      for (const [change, sub] of [
        ['suspend', 'gone-1'],
        ['delete', 'gone-2'],
      ] as const) {
        const { id } = await profileOf({ ...ADA, sub, preferred_username: sub });
        const path = `/api/v1/users/${id}`;
        const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ suspended: true }) };
        const answer = await (change === 'delete'
          ? registry().admin.send('DELETE', path)
          : registry().admin.send('PUT', path, json));
        expect(answer.status, answer.body.toString()).to.be.oneOf([200, 204]);
        refused(await browser().logIn(), 403);
      }
    });
  });

  it('leads to no other site', async () => {
    for (const path of ['https://evil.example', '//evil.example', '/\\evil.example', '/a\\b', 'evil', '/%0d%0a', '', '/ x'].map(
      encodeURIComponent,
    )) {
      const answer = await browser().get(`${LOGIN}?return=${path}`);
      if (path !== encodeURIComponent('/%0d%0a')) expect(answer.status, path).to.equal(400);
    }
    const page = (await browser().logIn(`${LOGIN}?return=${encodeURIComponent('/a?b="><script>&c')}`)).body.toString();
    expect(page).to.contain('0;url=/a?b=&quot;>&lt;script>&amp;c"').and.not.contain('<script');
  });

  describe('by its cookie', () => {
    const loggedIn = async () => {
      const one = browser();
      await one.logIn();
      return one;
    };

    it('is good for the management API, and not for docker’s clients', async () => {
      const { get } = await loggedIn();
      expect((await get(PROFILE)).status).to.equal(200);
      expect((await get('/v2/')).status).to.equal(401);
    });

    it('is nothing to pages of other sites', async () => {
      const { get } = await loggedIn();
      const headers = { origin: 'https://evil.example', 'content-type': 'application/json' };
      expect((await get('/api/v1/tokens', 'POST', headers)).status).to.equal(403);
      expect((await get('/auth/logout', 'POST', headers)).status).to.equal(403);
      expect((await get(PROFILE)).status).to.equal(200);
    });

    it('ends with the logout, also for whoever has a copy', async () => {
      const { jar, get } = await loggedIn();
      const copy = `ghostdock-session=${jar.get('ghostdock-session')}`;
      const answer = await get('/auth/logout', 'POST');
      expect(cookiesOf(answer)).to.deep.include({
        name: 'ghostdock-session',
        value: '',
        attributes: ['Path=/', 'Max-Age=0', 'HttpOnly', 'SameSite=Strict'],
      });
      expect((await browser().get(PROFILE, 'GET', { cookie: copy })).status).to.equal(401);
    });

    it('gives way to credentials that are sent', async () => {
      const { get } = await loggedIn();
      expect(jsonOf(await get(PROFILE, 'GET', { authorization: basic(ADMIN, PASSWORD) })).username).to.equal(ADMIN);
      expect((await get(PROFILE, 'GET', { authorization: basic(ADMIN, 'wrong') })).status).to.equal(401);
    });

    it('is found among others, and is nothing when it is none', async () => {
      const { jar } = await loggedIn();
      const session = `ghostdock-session=${jar.get('ghostdock-session')}`;
      for (const [cookie, status] of [
        [`a=b; ${session}; c=d`, 200],
        [`${session.slice(0, -3)}`, 401],
        ['ghostdock-session=', 401],
        ['x-ghostdock-session=a; ghostdock', 401],
        [`__Host-${session}`, 401],
      ] as const)
        expect((await browser().get(PROFILE, 'GET', { cookie })).status, cookie).to.equal(status);
    });
  });
});

describe('the login of people behind TLS', () => {
  const { registry, issuer } = registryWith(
    (url) => ({ issuers: [{ name: 'corp', issuer: url, people: { clientId: CLIENT.clientId, clientSecretFile: 'secret' } }] }),
    { secret: CLIENT.clientSecret, env: { GHOSTDOCK_PUBLIC_URL: 'https://example.com/registry' } },
  );

  it('has cookies that no other host, and no page without TLS, can use', async () => {
    issuer().person(ADA);
    const client: HttpClient = registry().anonymous;
    const begun = await client.send('GET', '/auth/oidc/corp?return=/ui');
    const [login] = cookiesOf(begun);
    expect(login?.name).to.equal('__Host-ghostdock-login');
    expect(login?.attributes).to.include.members(['Secure', 'HttpOnly', 'SameSite=Lax', 'Path=/']);
    const sent = new URL(String(begun.headers.location));
    expect(sent.searchParams.get('redirect_uri')).to.equal('https://example.com/registry/auth/oidc/corp/callback');
    const back = new URL(String((await fetch(sent, { redirect: 'manual' })).headers.get('location')));
    const answer = await client.send('GET', `/auth/oidc/corp/callback${back.search}`, {
      headers: { cookie: `__Host-ghostdock-login=${login?.value}` },
    });
    expect(answer.body.toString()).to.contain('url=/registry/ui"');
    const session = cookiesOf(answer).find(({ name }) => name === '__Host-ghostdock-session');
    expect(session?.attributes).to.deep.equal(['Path=/', 'Max-Age=43200', 'HttpOnly', 'SameSite=Strict', 'Secure']);
    expect(decodeJwt(String(session?.value)).use).to.equal('session');
    const description = jsonOf(await client.send('GET', '/api/openapi.json')) as unknown as Document;
    const described = description.components.securitySchemes.session as Readonly<{ in: string; name: string }>;
    expect(described.in).to.equal('cookie');
    const headers = { cookie: `${described.name}=${session?.value}` };
    expect((await client.send('GET', '/api/v1/users/me', { headers })).status).to.equal(200);
  });
});

describe('the login of people while the provider is away', () => {
  const { registry, issuer } = registryWith((url) => ({
    issuers: [{ name: 'corp', issuer: url, people: { clientId: CLIENT.clientId } }],
  }));

  it('says so before they are sent there, and when they come back', async () => {
    const { anonymous } = registry();
    const begun = await anonymous.send('GET', '/auth/oidc/corp');
    const [login] = cookiesOf(begun);
    const back = String((await fetch(String(begun.headers.location), { redirect: 'manual' })).headers.get('location'));
    issuer().behave('failing');
    const answer = await anonymous.send('GET', back, { headers: { cookie: `ghostdock-login=${login?.value}` } });
    expect(answer.status).to.equal(503);
    expect(answer.body.toString()).to.contain('corp').and.not.contain(issuer().url);
  });
});
