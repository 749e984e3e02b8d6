import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { type Answer, basic, pushImage } from '../../support/http.ts';
import { digestOf, OCI_MANIFEST, randomImage } from '../../support/images.ts';
import { ADMIN, PASSWORD } from '../../support/registryProcess.ts';
import { jsonOf } from '../exchanges.ts';
import { rawExchange } from '../raw.ts';
import { expectQuiet, json, tellingOf } from './given.ts';

const IMAGE = randomImage('headers', { layers: 1 });
const LOGIN = `Authorization: ${basic(ADMIN, PASSWORD)}`;

/** A line break, however it may be smuggled through. */
const BREAKS = [
  '%0d%0a',
  '%0a',
  '%0d',
  '%E5%98%8A%E5%98%8D',
  '%c0%8d%c0%8a',
  '\\r\\n',
  '%250d%250a',
  '%u000d%u000a',
  '%e2%80%a8',
];
const INJECTED = 'Set-Cookie:%20injected=1';

describe('a header of ours', () => {
  const registry = registryFor({ GHOSTDOCK_TRUSTED_PROXIES: 'loopback' });
  before(() => pushImage(registry().admin, 'a/image', 'latest', IMAGE));

  const send = (requestLine: string, ...lines: readonly string[]): Promise<Answer> => {
    const host = lines.some((line) => /^host:/i.test(line)) ? [] : ['Host: registry.test'];
    return rawExchange(
      registry().port,
      `${[`${requestLine} HTTP/1.1`, ...host, ...lines, 'Content-Length: 0', 'Connection: close'].join('\r\n')}\r\n\r\n`,
    );
  };
  const expectWhole = (answer: Answer, what: string): void => {
    expect(Object.keys(answer.headers), what).to.not.include('set-cookie');
    for (const [name, value] of Object.entries(answer.headers)) {
      expect(name, what).to.match(/^[a-z-]+$/);
      expect(String(value), `${what}: ${name}`).to.match(/^[\t\x20-\x7e]*$/);
    }
  };

  const TARGETS: readonly (readonly [method: string, target: (text: string) => string])[] = [
    ['GET', (text) => `/v2/${text}/tags/list`],
    ['GET', (text) => `/v2/a/image/manifests/${text}`],
    ['GET', (text) => `/v2/a/image/blobs/${text}`],
    ['PUT', (text) => `/v2/a/image/manifests/${text}`],
    ['PUT', (text) => `/v2/a/image/manifests/latest?tag=${text}`],
    ['POST', (text) => `/v2/${text}/blobs/uploads/`],
    ['POST', (text) => `/v2/a/image/blobs/uploads/?mount=${IMAGE.config.digest}&from=${text}`],
    ['POST', (text) => `/v2/a/image/blobs/uploads/?digest=${text}`],
    ['GET', (text) => `/v2/a/image/tags/list?n=1&last=${text}`],
    ['GET', (text) => `/v2/_catalog?n=1&last=${text}`],
    ['GET', (text) => `/v2/a/image/referrers/${IMAGE.manifest.digest}?artifactType=${text}&n=1`],
    ['GET', (text) => `/auth?scope=${text}&service=${text}&account=${text}&client_id=${text}`],
    ['GET', (text) => `/auth/oidc/${text}?return=${text}`],
    ['GET', (text) => `/auth/oidc/${text}/callback?state=${text}&error=${text}`],
    ['DELETE', (text) => `/api/v1/repositories/${text}`],
    ['GET', (text) => `/nothing/${text}`],
  ];
  for (const [method, target] of TARGETS)
    it(`cannot be added to by ${method} ${target('…')}`, async () => {
      for (const line of BREAKS)
        for (const login of [[LOGIN], []]) {
          const path = target(`x${line}${INJECTED}${line}${line}<script>`);
          const answer = await send(`${method} ${path}`, ...login);
          expect(answer.status, path).to.be.oneOf([200, 202, 400, 401, 404]);
          expectWhole(answer, path);
          expect(answer.headers['content-type'] ?? 'application/json', path).to.match(
            /^application\/(?:vnd\.oci\.image\.index\.v1\+)?json/,
          );
        }
    });

  /** What is quoted in challenges and locations. */
  const HOSTS = [
    'x"y',
    'a\\b',
    'a,b',
    'a b',
    "x'--",
    'user@evil.example',
    'evil.example/path',
    'evil.example?x',
    'a:b:c',
    '[::1',
    '<x>',
    'é.example',
    'x:99999999',
    '',
  ];
  it('quotes no name or prefix that is none', async () => {
    for (const host of HOSTS)
      for (const [name, value] of [
        ['Host', host],
        ['X-Forwarded-Host', host],
        ['X-Forwarded-Host', `good.example, ${host}`],
        ['X-Forwarded-Proto', host],
        ['X-Forwarded-Prefix', `/${host}`],
        ['X-Forwarded-Prefix', `//${host}`],
        ['X-Forwarded-Prefix', `/..//${host}`],
      ] as const) {
        if (name === 'Host' && host === '') continue;
        const answer = await send('GET /v2/', `${name}: ${value}`);
        expectWhole(answer, `${name}: ${value}`);
        if (answer.status !== 400)
          expect(answer.headers['www-authenticate'], `${name}: ${value}`).to.match(
            /^Bearer realm="https?:\/\/[A-Za-z0-9.:[\]-]+(?:\/[A-Za-z0-9._~-]+)*\/auth",service="[A-Za-z0-9.:[\]-]+"$/,
          );
        const pushed = await send('POST /v2/a/image/blobs/uploads/', LOGIN, `${name}: ${value}`);
        if (pushed.status === 202)
          expect(pushed.headers.location, value).to.match(
            /^(?:\/[A-Za-z0-9._~-]+)*\/v2\/a\/image\/blobs\/uploads\/[0-9a-f-]{36}$/,
          );
      }
  });

  it('names only scopes that one may ask for in a challenge', async () => {
    for (const name of ['a"b', 'a,error="x"', 'A/B', 'a%22b', 'a%2C', 'x y'.replace(' ', '%20'), '..%2f..', 'a:b']) {
      const answer = await send(`GET /v2/${name}/tags/list`);
      expectWhole(answer, name);
      expect(String(answer.headers['www-authenticate'] ?? ''), name).to.not.contain('scope=');
    }
  });

  it('quotes no tag that is none, though everything else is right', async () => {
    const push = { body: IMAGE.manifest.bytes, headers: { 'content-type': OCI_MANIFEST } };
    for (const line of BREAKS.filter((text) => text.startsWith('%')))
      for (const path of [`latest${line}x`, `${line}`, `latest?tag=good&tag=x${line}${INJECTED}`])
        expect((await registry().admin.send('PUT', `/v2/a/image/manifests/${path}`, push)).status, path).to.equal(400);
    expect((await registry().admin.send('PUT', '/v2/a/image/manifests/latest?tag=good', push)).headers['oci-tag']).to.contain(
      'good',
    );
  });

  it('is not made by the media type of a manifest, nor run by a browser', async () => {
    const { admin } = registry();
    const put = (mediaType: string, sent = mediaType): Promise<Answer> => {
      const body = JSON.stringify({ schemaVersion: 2, mediaType, x: '<script>alert(document.domain)</script>' });
      return admin.send('PUT', `/v2/a/page/manifests/v1`, { body, headers: { 'content-type': sent } });
    };
    for (const wrong of [
      'text/html\u0000',
      'text/html, x/y',
      'text',
      '/',
      'a/b/c',
      'text/ html',
      'é/x',
      'x/y\n',
      `x/${'y'.repeat(200)}`,
    ])
      expect((await put(wrong, 'application/json')).status, wrong).to.equal(400);
    for (const shown of [
      'text/html',
      'TEXT/HTML; charset=utf-7',
      'application/xhtml+xml',
      'image/svg+xml',
      'text/xml',
      'application/xml',
      'application/javascript',
      'application/pdf',
      'multipart/related',
      'application/vnd.oci.image.manifest.v2+json',
    ]) {
      expect((await put(shown)).status, shown).to.equal(201);
      for (const [method, headers] of [
        ['GET', {}],
        ['HEAD', {}],
        ['GET', { accept: 'text/html' }],
      ] as const) {
        const answer = await admin.send(method, '/v2/a/page/manifests/v1', { headers });
        expect(answer.status).to.equal(200);
        expect(answer.headers['content-security-policy'], shown).to.equal("default-src 'none'; sandbox");
        expect(answer.headers['x-content-type-options'], shown).to.equal('nosniff');
      }
    }
    const known = await admin.send('GET', '/v2/a/image/manifests/latest');
    expect(known.headers['content-type']).to.equal(OCI_MANIFEST);
    const bytes = Buffer.from('<!doctype html><script>alert(1)</script>');
    const blob = await admin.send('POST', `/v2/a/page/blobs/uploads/?digest=${digestOf(bytes)}`, {
      body: bytes,
      headers: { 'content-type': 'text/html' },
    });
    expect(blob.status).to.equal(201);
    const got = await admin.send('GET', String(blob.headers.location));
    expect(got.headers).to.include({ 'content-type': 'application/octet-stream', 'x-content-type-options': 'nosniff' });
  });
});

describe('a request that two servers may read as two', () => {
  const registry = registryFor();
  const AUTH = ['POST /auth HTTP/1.1', 'Host: registry.test', 'Content-Type: application/json'];

  /** Everything that a proxy and we might count differently. Smuggled in each: a request for what only the administrator sees. */
  const SMUGGLED = `GET /api/v1/users HTTP/1.1\r\nHost: registry.test\r\n${LOGIN}\r\n\r\n`;
  const ROWS: readonly (readonly [what: string, lines: readonly string[], body: string])[] = [
    ['both a length and chunks', ['Content-Length: 4', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
    ['chunks and then a length', ['Transfer-Encoding: chunked', 'Content-Length: 4'], '0\r\n\r\n'],
    ['two lengths', ['Content-Length: 0', 'Content-Length: 44'], ''],
    ['the same length twice', ['Content-Length: 2', 'Content-Length: 2'], '{}'],
    ['two lengths in one', ['Content-Length: 2, 2'], '{}'],
    ['a length with a sign', ['Content-Length: +2'], '{}'],
    ['a negative length', ['Content-Length: -2'], '{}'],
    ['a length in hex', ['Content-Length: 0x2'], '{}'],
    ['a length beyond all numbers', ['Content-Length: 99999999999999999999999'], '{}'],
    ['a space before the colon', ['Content-Length : 2'], '{}'],
    ['a folded line', ['Transfer-Encoding:', ' chunked'], '0\r\n\r\n'],
    ['chunks twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
    ['chunks that are not the last coding', ['Transfer-Encoding: chunked, identity'], '0\r\n\r\n'],
    ['an unknown coding', ['Transfer-Encoding: xchunked'], '0\r\n\r\n'],
    ['a coding with a vertical tab', ['Transfer-Encoding: \u000bchunked'], '0\r\n\r\n'],
    ['a chunk of a wrong size', ['Transfer-Encoding: chunked'], '1\r\nZZ\r\n0\r\n\r\n'],
    ['a chunk of a negative size', ['Transfer-Encoding: chunked'], '-1\r\n\r\n'],
    ['a chunk beyond all numbers', ['Transfer-Encoding: chunked'], 'fffffffffffffffff0\r\n'],
    ['a chunk’s size with a prefix', ['Transfer-Encoding: chunked'], '0x2\r\n{}\r\n0\r\n\r\n'],
    ['a chunk’s end without a carriage return', ['Transfer-Encoding: chunked'], '2\n{}\n0\n\n'],
    ['a NUL in a header', ['X: a\u0000b', 'Content-Length: 2'], '{}'],
    ['a bare carriage return in a header', ['X: a\rContent-Length: 2'], '{}'],
    ['a header without a name', [': x', 'Content-Length: 2'], '{}'],
    ['a header without a colon', ['X', 'Content-Length: 2'], '{}'],
  ];
  for (const [what, lines, body] of ROWS)
    it(`is refused with ${what}, and its connection closed`, async () => {
      const answer = await rawExchange(registry().port, `${[...AUTH, ...lines].join('\r\n')}\r\n\r\n${body}${SMUGGLED}`);
      expect(answer.status, answer.body.toString()).to.equal(400);
      expect(answer.headers.connection).to.equal('close');
      // `readAnswer` has read until the end: whatever stands behind the first answer would be in its body.
      expect(answer.body.toString()).to.not.contain('HTTP/1.1').and.not.contain('"users"');
      expectQuiet(answer, PASSWORD);
    });

  it('is refused where it names two hosts, on every surface, be they one or not', async () => {
    const TWICE = [
      ['Host: registry.test', 'Host: evil.test'],
      ['Host: registry.test', 'Host: registry.test'],
      ['Host: registry.test', 'X: y', 'hOST: '],
    ];
    for (const path of ['/v2/', '/v2/a/b/tags/list', '/auth', '/api/v1/users', '/health', '/nothing'])
      for (const hosts of TWICE) {
        const answer = await rawExchange(
          registry().port,
          `${[`GET ${path} HTTP/1.1`, ...hosts, LOGIN, 'Connection: close'].join('\r\n')}\r\n\r\n`,
        );
        expect(answer.status, `${path} ${hosts}`).to.equal(400);
        expect(answer.body.toString()).to.contain('A request has one Host header.');
      }
    const others = ['Host: registry.test', 'Hosts: evil.test', 'Ghost: evil.test', 'Date: today', 'Connection: close'];
    expect((await rawExchange(registry().port, `${['GET /health HTTP/1.1', ...others].join('\r\n')}\r\n\r\n`)).status).to.equal(
      200,
    );
  });

  it('is refused where it goes by a version that there is not', async () => {
    for (const line of [
      'GET /v2/ HTTP/0.9',
      'GET /v2/ HTTP/3.0',
      'GET /v2/ http/1.1',
      'PRI * HTTP/2.0',
      'GET  /v2/ HTTP/1.1',
      'GET\t/v2/ HTTP/1.1',
      'G\u0000T /v2/ HTTP/1.1',
    ])
      expect(
        (await rawExchange(registry().port, `${line}\r\nHost: registry.test\r\nConnection: close\r\n\r\n`)).status,
        line,
      ).to.be.within(400, 599);
  });
});

describe('a head that is too large', () => {
  const registry = registryFor();
  const PATHS = ['/v2/', '/auth', '/api/v1/users', '/health', '/nothing'];

  it('is refused with 431 on every surface, wherever it is large', async () => {
    for (const path of PATHS)
      for (const lines of [
        [`GET ${path}?${'x'.repeat(20_000)} HTTP/1.1`],
        [`GET ${path} HTTP/1.1`, `X: ${'x'.repeat(20_000)}`],
        [`GET ${path} HTTP/1.1`, `Authorization: Bearer ${'x'.repeat(20_000)}`],
        [`GET ${path} HTTP/1.1`, `Cookie: ${'a=b; '.repeat(5000)}`],
        [`GET ${path} HTTP/1.1`, ...Array.from({ length: 3000 }, (_, index) => `X-${index}: y`)],
        [`GET ${path} HTTP/1.1`, `${'x'.repeat(20_000)}: y`],
      ]) {
        const answer = await rawExchange(
          registry().port,
          `${[...lines, 'Host: registry.test', 'Connection: close'].join('\r\n')}\r\n\r\n`,
        );
        expect(answer.status, lines[0]?.slice(0, 40)).to.equal(431);
        expect((jsonOf(answer).error as { code: string }).code).to.equal('INVALID_REQUEST');
      }
  });

  it('is refused where a credential is longer than any, as a wrong one', async () => {
    const rubbish = tellingOf(await registry().admin.as('Bearer rubbish').send('GET', '/v2/'));
    for (const authorization of [`Bearer ${'x'.repeat(9000)}`, `Bearer ${'x.'.repeat(4500)}`])
      expect(tellingOf(await registry().admin.as(authorization).send('GET', '/v2/'))).to.deep.equal(rubbish);
    for (const authorization of [
      `Basic ${'A'.repeat(9000)}`,
      basic('x'.repeat(6000), 'y'),
      `${' '.repeat(100)}x`,
      'Basic',
      'Basic =',
      'Negotiate x',
      'Basic ====',
      `basic ${'\u00ff'}`,
    ])
      expect((await registry().admin.as(authorization).send('GET', '/v2/')).status).to.equal(401);
  });

  it('costs no more than it has, with patterns that some expressions take long for', async () => {
    for (const text of [
      'a'.repeat(7000),
      `${'a-'.repeat(3500)}!`,
      `${'a.'.repeat(3500)}!`,
      '/'.repeat(7000),
      `${'a/'.repeat(3500)}!`,
      `${'%2f'.repeat(2300)}`,
      `${'0'.repeat(7000)}!`,
    ])
      for (const [method, path, headers] of [
        ['GET', `/v2/${text}/tags/list`, {}],
        ['GET', `/v2/a/manifests/${text}`, {}],
        ['GET', `/auth?scope=${`repository:${text}`.slice(0, 2500)}:pull`, {}],
        [
          'GET',
          '/v2/a/blobs/x',
          { range: `bytes=${text}`, 'if-none-match': text, 'x-forwarded-prefix': `/${text}`, 'content-range': text },
        ],
        ['POST', '/v2/a/b/blobs/uploads/', { 'content-range': text.replaceAll('%', ''), 'user-agent': text }],
      ] as const)
        expect((await registry().admin.send(method, path, { headers })).status, path.slice(0, 60)).to.be.within(200, 499);
  });
});

describe('JSON that is not what it seems', () => {
  const registry = registryFor();
  const BODIES: readonly (readonly [what: string, body: string | Buffer, status: number, headers?: Record<string, string>])[] = [
    ['a prototype', '{"__proto__":{"role":"admin"},"username":"eve","password":"a good passphrase"}', 400],
    ['a prototype, encoded', '{"\\u005f_proto__":{"role":"admin"},"username":"eve","password":"a good passphrase"}', 400],
    ['a constructor', '{"constructor":{"prototype":{"role":"admin"}},"username":"eve","password":"a good passphrase"}', 400],
    ['a field too many', '{"username":"eve","password":"a good passphrase","userId":1}', 400],
    ['a list', '[{"username":"eve","password":"a good passphrase"}]', 400],
    ['null', 'null', 400],
    ['a number', '1e999', 400],
    ['nothing', '', 400],
    ['depth in lists', `${'['.repeat(30_000)}${']'.repeat(30_000)}`, 400],
    ['depth in objects', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`, 400],
    ['a number for a text', '{"username":1e400,"password":"a good passphrase"}', 400],
    ['an object for a text', '{"username":{"$gt":""},"password":{"$ne":null}}', 400],
    ['a list for a text', '{"username":["admin"],"password":["a good passphrase"]}', 400],
    ['a NUL', '{"username":"eve\\u0000","password":"a good passphrase"}', 400],
    ['half of a character', '{"username":"eve\\ud800","password":"a good passphrase"}', 400],
    ['what is no UTF-8', Buffer.from('{"username":"\xff\xfe","password":"a good passphrase"}', 'latin1'), 400],
    ['a byte order mark', `\ufeff${'x'}`, 400],
    ['gzip', Buffer.from('H4sIAAAAAAAAA6uuBQBDv6ajAgAAAA==', 'base64'), 400, { 'content-encoding': 'gzip' }],
    ['another type', '{"username":"eve","password":"a good passphrase"}', 400, { 'content-type': 'text/plain' }],
    ['a type that nobody takes', '<x/>', 400, { 'content-type': 'application/xml' }],
    ['two types', '{"username":"eve"}', 400, { 'content-type': 'text/plain, application/json' }],
    [
      'another method in a header',
      '{"username":"eve"}',
      400,
      { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE' },
    ],
    ['more than is read', JSON.stringify({ username: 'x'.repeat(70_000) }), 413],
  ];
  const ROUTES = [
    ['POST', '/api/v1/users'],
    ['PATCH', '/api/v1/users/1'],
    ['PUT', '/api/v1/users/me'],
    ['POST', '/api/v1/users/me/password'],
    ['POST', '/api/v1/users/1/password'],
    ['POST', '/api/v1/tokens'],
    ['POST', '/api/v1/teams'],
    ['POST', '/api/v1/grants'],
    ['PATCH', '/api/v1/repositories/a/image'],
    ['PUT', '/api/v1/repositories/a/image/-/immutability'],
    ['POST', '/api/v1/repositories/a/image/-/grants'],
    ['POST', '/auth'],
    ['POST', '/auth/login'],
    ['POST', '/auth/oidc/token'],
  ] as const;
  before(() => pushImage(registry().admin, 'a/image', 'latest', IMAGE));

  for (const [what, body, status, headers] of BODIES)
    it(`is refused with ${what}, wherever there is a body`, async () => {
      const before = await registry().head();
      for (const [method, path] of ROUTES) {
        const answer = await registry().admin.send(method, path, {
          body,
          headers: { 'content-type': 'application/json', ...headers },
        });
        const open = path.startsWith('/auth') && !path.endsWith('token');
        // A login looks at two fields and passes over the rest.
        expect(answer.status, `${method} ${path} ${answer.body}`).to.be.oneOf(open && status === 400 ? [400, 401] : [status]);
        expectQuiet(answer);
      }
      expect(await registry().head()).to.equal(before);
      expect(({} as { role?: string }).role).to.equal(undefined);
    });

  it('is told in the words of the surface', async () => {
    const answer = await registry().admin.send('POST', '/api/v1/users', json({ username: 'x'.repeat(70_000) }));
    expect((jsonOf(answer).error as { code: string }).code).to.match(/^[A-Z_]+$/);
  });

  it('is a manifest as little, and no list of referrers breaks by what one of them says', async () => {
    const { admin } = registry();
    const { manifest } = IMAGE;
    const subject = { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length };
    const [plain, strange] = ['good', 'strange'].map((name) => ({
      ...JSON.parse(manifest.bytes.toString()),
      subject,
      annotations: { name, deep: 'DEEP' },
    }));
    const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`;
    for (const body of [JSON.stringify(plain), JSON.stringify(strange).replace('"DEEP"', deep)]) {
      const headers = { 'content-type': manifest.mediaType };
      expect((await admin.send('PUT', `/v2/a/image/manifests/${digestOf(body)}`, { body, headers })).status).to.equal(201);
    }
    const answer = await admin.send('GET', `/v2/a/image/referrers/${manifest.digest}`);
    expect(answer.status, answer.body.toString('utf8', 0, 300)).to.equal(200);
    const { manifests } = jsonOf(answer) as { manifests: readonly { annotations: unknown }[] };
    expect(manifests.map(({ annotations }) => annotations)).to.have.deep.members([
      { name: 'good', deep: 'DEEP' },
      { name: 'strange' },
    ]);
    for (const body of [deep, `{"schemaVersion":2,"config":${deep}}`, '{"schemaVersion":2,"__proto__":{"config":{}}}', '1e999'])
      expect(
        (await admin.send('PUT', '/v2/a/image/manifests/x', { body, headers: { 'content-type': manifest.mediaType } })).status,
      ).to.equal(400);
  });
});
