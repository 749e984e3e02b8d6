import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openTestApp, registryFor, type TestApp } from '../../support/app.ts';
import { type Answer, expectStatus, type HttpClient, pushImage } from '../../support/http.ts';
import { randomImage } from '../../support/images.ts';
import { CLIENT, type Issuer, startIssuer } from '../../support/issuer.ts';
import { scratchFolder } from '../../support/processes.ts';
import { ROUTES } from '../management/calls.ts';
import { tokensOf } from './given.ts';

const IMAGE = randomImage('cross-site', { layers: 1 });
type Headers = Readonly<Record<string, string>>;

/** All that changes something in the management API, as it is: no list of ours that could fall behind. */
const UNSAFE = ROUTES.filter(({ method }) => !['GET', 'HEAD', 'OPTIONS'].includes(method)).map(
  ({ method, url }) => [method, url.replace(':name', 'a%2Fimage').replace(/:\w+/g, '1')] as const,
);

describe('a page of another site, in the browser of somebody who is logged in', () => {
  const registry = registryFor();
  let cookie: string;
  let browser: HttpClient;
  before(async () => {
    await pushImage(registry().admin, 'a/image', 'latest', IMAGE);
    cookie = `ghostdock-session=${(await tokensOf(registry(), 'admin')).session}`;
    browser = registry().anonymous;
  });

  it('would have found the cookie to work', async () => {
    expect((await browser.send('GET', '/api/v1/users', { headers: { cookie } })).status).to.equal(200);
    expect((await browser.send('GET', '/api/v1/users')).status).to.equal(401);
    expect(UNSAFE.length).to.be.greaterThan(10);
  });

  /** What browsers send without asking first, and what they say of where it comes from. */
  const PAGES: readonly (readonly [what: string, headers: Headers])[] = [
    [
      'a form',
      { origin: 'https://evil.example', 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'cross-site' },
    ],
    ['a form that is text', { origin: 'https://evil.example', 'content-type': 'text/plain' }],
    ['a form with a file', { origin: 'https://evil.example', 'content-type': 'multipart/form-data; boundary=x' }],
    ['a frame without an origin', { origin: 'null', 'content-type': 'text/plain' }],
    ['a beacon', { origin: 'https://evil.example', 'content-type': 'text/plain;charset=UTF-8', 'sec-fetch-mode': 'no-cors' }],
    ['a page of a sibling', { 'sec-fetch-site': 'same-site', 'content-type': 'application/json' }],
    [
      'a script that asks nicely',
      { origin: 'https://evil.example', 'content-type': 'application/json', 'x-requested-with': 'XMLHttpRequest' },
    ],
    [
      'a page that says it is ours, too',
      { origin: 'https://evil.example', referer: 'http://127.0.0.1/', 'sec-fetch-site': 'same-origin' },
    ],
    [
      'a page that says where it should be',
      { origin: 'https://evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
    ],
    ['two origins', { origin: 'http://127.0.0.1, https://evil.example' }],
    [
      'a header for another method',
      { origin: 'https://evil.example', 'x-http-method-override': 'DELETE', 'x-http-method': 'DELETE' },
    ],
  ];
  for (const [what, headers] of PAGES)
    it(`changes nothing by ${what}`, async () => {
      const before = await registry().head();
      for (const [method, path] of [
        ...UNSAFE,
        ['POST', '/auth/logout'],
        ['POST', '/auth/login'],
        ['POST', '/auth/oidc/token'],
      ] as const)
        for (const body of ['', '{"username":"eve","password":"a good passphrase","role":"admin"}='])
          expect(
            (await browser.send(method, path, { body, headers: { cookie, ...headers } })).status,
            `${method} ${path}`,
          ).to.equal(403);
      expect(await registry().head()).to.equal(before);
    });

  it('changes nothing by what browsers send from everywhere', async () => {
    const before = await registry().head();
    const headers = {
      cookie,
      origin: 'https://evil.example',
      'sec-fetch-site': 'cross-site',
      'x-http-method-override': 'DELETE',
    };
    for (const [method, path] of UNSAFE) {
      for (const safe of ['GET', 'HEAD', 'OPTIONS'])
        for (const query of ['', `?_method=${method}`, '?method=DELETE'])
          expect((await browser.send(safe, `${path}${query}`, { headers })).status, `${safe} ${path}`).to.be.oneOf([
            200, 204, 404, 405,
          ]);
    }
    for (const path of ['/auth/logout', '/auth/login'])
      expect((await browser.send('GET', path, { headers })).status).to.equal(405);
    expect(await registry().head()).to.equal(before);
    expect((await browser.send('GET', '/api/v1/users', { headers: { cookie } })).status, 'still logged in').to.equal(200);
  });

  it('is let in nowhere but in the management API by the cookie', async () => {
    for (const path of ['/v2/', '/v2/a/image/manifests/latest', '/v2/_catalog', '/auth?scope=repository:a/image:pull'])
      expect((await browser.send('GET', path, { headers: { cookie } })).status, path).to.equal(401);
  });

  it('reads no answer, nor learns from a preflight that it might', async () => {
    for (const [method, path] of [...UNSAFE, ['GET', '/api/v1/users'], ['GET', '/v2/'], ['GET', '/auth']] as const)
      for (const asked of [method, 'OPTIONS']) {
        const { headers } = await browser.send(asked, path, {
          headers: {
            cookie,
            origin: 'https://evil.example',
            'access-control-request-method': method,
            'access-control-request-headers': 'authorization',
          },
        });
        expect(
          Object.keys(headers).filter((name) => /^access-control|^timing-allow/.test(name)),
          `${asked} ${path}`,
        ).to.deep.equal([]);
      }
  });

  it('takes no other cookie for the session’s', async () => {
    const value = cookie.split('=')[1] ?? '';
    for (const other of [
      `Ghostdock-Session=${value}`,
      `xghostdock-session=${value}`,
      `ghostdock-session =${value}`,
      `__Host-ghostdock-session=${value}`,
      `ghostdock-session="${value}"`,
      `ghostdock-session=${value}x`,
      `ghostdock-session=; ghostdock-session=${value}`,
      'ghostdock-session=rubbish',
      'ghostdock-session=%00',
    ])
      expect((await browser.send('GET', '/api/v1/users', { headers: { cookie: other } })).status, other.slice(0, 30)).to.equal(
        401,
      );
  });
});

describe('a login by a browser', () => {
  let issuer: Issuer;
  let registry: TestApp;
  const folder = scratchFolder();
  before(async () => {
    issuer = await startIssuer();
    const file = join(folder.path, 'oidc.json');
    const people = { clientId: CLIENT.clientId, clientSecretFile: join(folder.path, 'secret'), defaultRole: 'user' };
    writeFileSync(people.clientSecretFile, CLIENT.clientSecret, { mode: 0o600 });
    writeFileSync(file, JSON.stringify({ issuers: [{ name: 'sso', issuer: issuer.url, audience: 'registry', people }] }));
    registry = await openTestApp({
      GHOSTDOCK_OIDC_FILE: file,
      GHOSTDOCK_PUBLIC_URL: 'https://registry.example.com',
    });
  });
  after(async () => {
    await registry.close();
    await issuer.close();
    folder.remove();
  });

  const begin = (query = ''): Promise<Answer> => registry.anonymous.send('GET', `/auth/oidc/sso${query}`);

  it('keeps what it needs in a cookie that no other host can set and no script can read', async () => {
    const answer = expectStatus('begin', await begin(), 302);
    const attributes = String(answer.headers['set-cookie']).split('; ');
    expect(attributes[0]).to.match(/^__Host-ghostdock-login=/);
    expect(attributes).to.include.members(['Path=/', 'HttpOnly', 'Secure', 'SameSite=Lax']);
    expect(String(answer.headers['set-cookie'])).to.not.match(/domain/i);
  });

  it('leads nowhere else afterwards', async () => {
    for (const to of [
      '//evil.example',
      '/\\evil.example',
      'https://evil.example',
      '/%5cevil.example/..',
      'javascript:alert(1)',
      '/\t/evil.example',
      '/x\r\nSet-Cookie: a=b',
      '/a\\b',
      '',
    ])
      expect((await begin(`?return=${encodeURIComponent(to)}`)).status, to).to.be.oneOf(to.startsWith('/%5c') ? [302] : [400]);
    for (const query of ['?return=/a&return=//evil.example', '?return[]=x'])
      expect((await begin(query)).status, query).to.be.oneOf(query.includes('[]') ? [302] : [400]);
  });

  it('cannot be finished by whoever did not begin it', async () => {
    const { headers } = expectStatus('begin', await begin(), 302);
    const state = new URL(String(headers.location)).searchParams.get('state') ?? '';
    const before = await registry.head();
    const [cookie = ''] = String(headers['set-cookie']).split(';');
    for (const [query, sent] of [
      [`?code=x&state=${state}`, undefined],
      [`?code=x&state=${state}`, 'ghostdock-login=x'],
      [`?code=x&state=${state}`, `${cookie}x`],
      ['?code=x&state=another', cookie],
      ['?error=access_denied', undefined],
      ['', undefined],
    ] as const) {
      const answer = await registry.anonymous.send('GET', `/auth/oidc/sso/callback${query}`, {
        headers: sent === undefined ? {} : { cookie: sent },
      });
      expect(answer.status, query).to.be.oneOf([400, 401, 403]);
      expect(String(answer.headers['set-cookie'] ?? ''), query).to.not.contain('session=e');
    }
    expect(await registry.head()).to.equal(before);
  });
});

describe('a name of an attacker that leads to a registry without authentication', () => {
  // Also browsers of the network are at addresses of proxies.
  const registry = registryFor({
    GHOSTDOCK_AUTH: 'off',
    GHOSTDOCK_TRUSTED_PROXIES: 'loopback, uniquelocal',
    GHOSTDOCK_ALLOWED_HOSTS: 'registry',
  });
  before(() => pushImage(registry().anonymous, 'a/image', 'latest', IMAGE));

  const ask = (headers: Headers, method = 'GET', path = '/v2/a/image/manifests/latest'): Promise<Answer> =>
    registry().anonymous.send(method, path, { headers });

  it('gets no answer, whatever its page says of a proxy', async () => {
    for (const headers of [
      {},
      { 'x-forwarded-host': 'localhost' },
      { 'x-forwarded-host': 'registry' },
      { 'x-forwarded-host': 'evil.example, localhost' },
      { 'x-forwarded-host': '127.0.0.1:5000', 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' },
      { forwarded: 'host=localhost', 'x-host': 'localhost', 'x-original-host': 'localhost' },
      { origin: 'http://evil.example:5000', 'sec-fetch-site': 'same-origin' },
    ] as const)
      for (const host of [
        'evil.example',
        'evil.example:5000',
        '127.0.0.1.evil.example',
        'localhost.evil.example',
        'registry.evil.example',
        '0x7f.evil',
        '192.0.2.1',
        '[2001:db8::1]',
      ])
        for (const [method, path] of [
          ['GET', '/v2/a/image/manifests/latest'],
          ['GET', '/api/v1/users'],
          ['GET', '/health'],
          ['POST', '/v2/a/image/blobs/uploads/'],
          ['OPTIONS', '/v2/'],
        ] as const)
          expect((await ask({ host, ...headers }, method, path)).status, `${method} ${path} ${host}`).to.be.oneOf(
            'origin' in headers ? [421, 403] : [421],
          );
  });

  it('gets none either where a proxy forwards it', async () => {
    for (const host of ['localhost', 'registry', '127.0.0.1'])
      expect((await ask({ host, 'x-forwarded-host': 'evil.example' })).status, host).to.equal(421);
  });

  it('is told from a name that is known, asked directly or through a proxy', async () => {
    for (const headers of [
      { host: 'localhost' },
      { host: 'registry:5000' },
      { host: 'localhost', 'x-forwarded-host': 'registry' },
      { host: 'registry', 'x-forwarded-host': 'localhost:8443', 'x-forwarded-proto': 'https' },
    ])
      expect((await ask(headers)).status, JSON.stringify(headers)).to.equal(200);
  });
});
