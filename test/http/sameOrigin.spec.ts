import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { type Answer, basic } from '../support/http.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { exchange, type Json, jsonOf } from './exchanges.ts';

type Headers = Readonly<Record<string, string>>;

/** What changes something, one of every surface, and what it is answered with when nothing stands against it. */
const UNSAFE: readonly (readonly [surface: string, method: string, path: string, answer: number])[] = [
  ['/v2', 'POST', '/v2/a/image/blobs/uploads/', 202],
  ['/v2', 'PUT', '/v2/a/image/manifests/latest', 400],
  ['/v2', 'PATCH', '/v2/a/image/blobs/uploads/none', 404],
  ['/v2', 'DELETE', '/v2/a/image/manifests/latest', 404],
  ['/auth', 'POST', '/auth', 400],
  ['/auth', 'POST', '/auth/login', 400],
  ['/auth', 'POST', '/auth/logout', 200],
  ['/auth', 'POST', '/auth/oidc/token', 400],
  ['/api/v1', 'POST', '/api/v1/users', 400],
  ['/api/v1', 'DELETE', '/api/v1/users/999', 404],
  ['a path that there is not', 'POST', '/nothing', 404],
];

describe('a request that a page has a browser send', () => {
  const registry = registryFor();

  const send = (method: string, path: string, headers: Headers): Promise<Answer> =>
    registry().admin.send(method, path, { headers });

  const FOREIGN: readonly (readonly [what: string, headers: () => Headers])[] = [
    ['from another site', () => ({ origin: 'https://evil.example' })],
    ['from nowhere that it would tell', () => ({ origin: 'null' })],
    ['from another port', () => ({ origin: 'http://127.0.0.1:1' })],
    ['from a name that begins like ours', () => ({ origin: `http://${registry().host}.evil.example` })],
    ['from what is no origin', () => ({ origin: `http://${registry().host}/path` })],
    ['from another site, by the browser’s word', () => ({ 'sec-fetch-site': 'cross-site' })],
    ['from a sibling of our site', () => ({ 'sec-fetch-site': 'same-site' })],
    [
      'from another site, with an origin like ours',
      () => ({ 'sec-fetch-site': 'cross-site', origin: `http://${registry().host}` }),
    ],
    ['from another site, as the browser’s own', () => ({ 'sec-fetch-site': 'none', origin: 'https://evil.example' })],
    ['from somewhere new', () => ({ 'sec-fetch-site': 'same-party' })],
  ];
  for (const [what, headers] of FOREIGN)
    it(`is refused ${what}, before anything is done`, async () => {
      const before = await registry().head();
      for (const [surface, method, path] of UNSAFE) {
        const answer = await send(method, path, headers());
        expect(answer.status, `${method} ${path}`).to.equal(403);
        const { errors, error } = jsonOf(answer) as { errors?: readonly Json[]; error: Json };
        expect(error.code).to.equal('FORBIDDEN');
        expect(errors?.[0]?.code).to.equal(surface === '/v2' ? 'DENIED' : undefined);
      }
      expect(await registry().head()).to.equal(before);
    });

  const OURS: readonly (readonly [what: string, headers: () => Headers])[] = [
    ['from our own page', () => ({ origin: `http://${registry().host}`, 'sec-fetch-site': 'same-origin' })],
    ['from our own page, by an older browser', () => ({ origin: `http://${registry().host}` })],
    ['from our own page behind TLS', () => ({ origin: `https://${registry().host}` })],
    ['by the person at the browser', () => ({ 'sec-fetch-site': 'none' })],
    ['by no browser', () => ({})],
  ];
  for (const [what, headers] of OURS)
    it(`is answered ${what}`, async () => {
      for (const [, method, path, status] of UNSAFE)
        expect((await send(method, path, headers())).status, `${method} ${path}`).to.equal(status);
    });

  it('is answered where it changes nothing: links lead to us from everywhere', async () => {
    const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    for (const method of ['GET', 'HEAD'])
      for (const path of ['/v2/', '/auth', '/api/v1/users', '/health'])
        expect((await send(method, path, headers)).status, path).to.equal(200);
  });

  it('is refused before a password is looked at', async () => {
    const { anonymous } = registry();
    const body = JSON.stringify({ username: ADMIN, password: PASSWORD });
    const headers = { 'content-type': 'application/json', origin: 'https://evil.example' };
    expect((await anonymous.send('POST', '/auth/login', { body, headers })).status).to.equal(403);
  });

  it('gets no answer that another site may read', async () => {
    for (const [, method, path] of [...UNSAFE, ['', 'OPTIONS', '/v2/', 0], ['', 'GET', '/v2/', 0]] as const)
      for (const origin of ['https://evil.example', `http://${registry().host}`]) {
        const { headers } = await send(method, path, { origin, 'access-control-request-method': 'POST' });
        expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).to.deep.equal([]);
      }
  });
});

describe('a registry with a public URL', () => {
  const registry = registryFor({ GHOSTDOCK_PUBLIC_URL: 'https://registry.example.com/registry' });

  it('knows pages from there as its own, and those from where it was asked', async () => {
    for (const [origin, status] of [
      ['https://registry.example.com', 202],
      [`http://${registry().host}`, 202],
      ['http://registry.example.com', 403],
      ['https://example.com', 403],
    ] as const)
      await exchange(registry().admin, ['POST', '/v2/a/image/blobs/uploads/', { headers: { origin } }], { status });
  });
});

describe('a registry without authentication', () => {
  const registry = registryFor({
    GHOSTDOCK_AUTH: 'off',
    GHOSTDOCK_PUBLIC_URL: 'https://registry.example.com',
    GHOSTDOCK_ALLOWED_HOSTS: 'registry, Registry.local',
  });
  const PATHS = ['/v2/', '/v2/a/b/tags/list', '/auth', '/api/v1/users', '/health', '/nothing'];

  const as = (host: string, path: string, method = 'GET'): Promise<Answer> =>
    registry().anonymous.send(method, path, { headers: { host } });

  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '192.0.2.1',
    'registry.example.com.evil.example',
    '[::2]',
    'a@localhost',
    'localhost:x',
  ])
    it(`does not answer to ${host}`, async () => {
      for (const path of PATHS) {
        const answer = await as(host, path);
        expect(answer.status, path).to.equal(421);
        expect((jsonOf(answer).error as Json).code).to.equal('FORBIDDEN');
      }
      const before = await registry().head();
      expect((await as(host, '/v2/a/b/blobs/uploads/', 'POST')).status).to.equal(421);
      expect(await registry().head()).to.equal(before);
    });

  for (const host of [
    'localhost',
    'LOCALHOST:5000',
    'app.localhost',
    '127.0.0.1:1',
    '127.0.0.2',
    '[::1]:5000',
    'registry.example.com',
    'registry:5000',
    'registry.local',
  ])
    it(`answers to ${host}`, async () => {
      expect((await as(host, '/v2/')).status).to.equal(200);
    });

  it('refuses pages of other sites all the same', async () => {
    const headers = { origin: 'https://evil.example' };
    await exchange(registry().anonymous, ['POST', '/v2/a/b/blobs/uploads/', { headers }], { status: 403, code: 'DENIED' });
  });
});

describe('a registry with authentication', () => {
  const registry = registryFor();

  it('answers to any name: a page that it is mistaken for has no login', async () => {
    const headers = { host: 'any.example', authorization: basic(ADMIN, PASSWORD) };
    await exchange(registry().anonymous, ['GET', '/v2/', { headers }], { status: 200 });
  });
});
