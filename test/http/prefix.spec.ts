import { expect } from 'chai';
import fc from 'fast-check';
import { withNameAsSegment } from '../../src/http/oci/path.ts';
import { openTestApp, registryFor, type TestApp } from '../support/app.ts';
import { basic, httpClient, pushBlob, pushImage, type Sending } from '../support/http.ts';
import { digestOf, randomImage } from '../support/images.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { anyName } from './arbitraries.ts';
import { exchange } from './exchanges.ts';
import { head, rawExchange } from './raw.ts';

const IMAGE = randomImage('prefix');
const PREFIX = '/registry/of.the~house';
const PUBLIC_URL = `https://registry.example.com${PREFIX}`;
const AUTHORIZATION = `Authorization: ${basic(ADMIN, PASSWORD)}`;
const SUBJECT = digestOf('no manifest');

/** Two manifests that refer to one subject, so that their list has pages. */
const referrers = ['one', 'two'].map((note) => {
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: IMAGE.config.digest, size: IMAGE.config.bytes.length };
  const subject = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: SUBJECT, size: 7 };
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [], subject, annotations: { note } }));
  return { bytes, digest: digestOf(bytes), mediaType };
});

const fill = async ({ admin }: TestApp): Promise<void> => {
  for (const name of ['a/b', 'a/c']) await pushImage(admin, name, 'v1', IMAGE);
  await exchange(
    admin,
    ['PUT', `/v2/a/b/manifests/v2`, { body: IMAGE.manifest.bytes, headers: type(IMAGE.manifest.mediaType) }],
    {
      status: 201,
    },
  );
  for (const { bytes, digest, mediaType } of referrers)
    await exchange(admin, ['PUT', `/v2/a/b/manifests/${digest}`, { body: bytes, headers: type(mediaType) }], { status: 201 });
};
const type = (mediaType: string): Readonly<Record<string, string>> => ({ 'content-type': mediaType });

const ownBlob = (text: string) => ({ bytes: Buffer.from(text), digest: digestOf(text), mediaType: '' });
const MOUNTED = IMAGE.layers[0]?.digest ?? '';

/** Every answer that names a path of ours: which header, and how the path begins where nothing stands before it. */
const NAMING: readonly (readonly [
  what: string,
  header: 'location' | 'link',
  start: string,
  method: string,
  path: string,
  sending?: Sending,
])[] = [
  ['an upload', 'location', '/v2/a/b/blobs/uploads/', 'POST', '/v2/a/b/blobs/uploads/'],
  [
    'an upload in one request',
    'location',
    `/v2/a/b/blobs/sha256:`,
    'POST',
    `/v2/a/b/blobs/uploads/?digest=${digestOf('x')}`,
    { body: 'x' },
  ],
  ['a mount', 'location', `/v2/a/d/blobs/${MOUNTED}`, 'POST', `/v2/a/d/blobs/uploads/?mount=${MOUNTED}&from=a/b`],
  [
    'a manifest',
    'location',
    `/v2/a/b/manifests/${IMAGE.manifest.digest}`,
    'PUT',
    '/v2/a/b/manifests/v3',
    { body: IMAGE.manifest.bytes, headers: type(IMAGE.manifest.mediaType) },
  ],
  ['a list of tags', 'link', '</v2/a/b/tags/list?n=1&last=', 'GET', '/v2/a/b/tags/list?n=1'],
  ['the catalog', 'link', '</v2/_catalog?n=1&last=', 'GET', '/v2/_catalog?n=1'],
  ['a list of referrers', 'link', `</v2/a/b/referrers/${SUBJECT}?n=1&last=`, 'GET', `/v2/a/b/referrers/${SUBJECT}?n=1`],
];

/** Behind a prefix: by what it is known, and what is put before the paths and into the headers of a request. */
const WAYS: readonly (readonly [
  what: string,
  env: Readonly<Record<string, string>>,
  under: string,
  headers: Sending['headers'],
])[] = [
  ['which the configured URL has, for requests that a proxy stripped of it', { GHOSTDOCK_PUBLIC_URL: PUBLIC_URL }, '', {}],
  ['which the configured URL has, for requests that have it still', { GHOSTDOCK_PUBLIC_URL: PUBLIC_URL }, PREFIX, {}],
  ['which a trusted proxy names', { GHOSTDOCK_TRUSTED_PROXIES: 'loopback' }, '', { 'x-forwarded-prefix': PREFIX }],
];

for (const [what, env, under, headers = {}] of WAYS)
  describe(`a registry behind a prefix ${what}`, () => {
    const registry = registryFor(env);
    // Without the prefix, as a node is asked by those who know it itself.
    before(() => fill(registry()));

    for (const [answer, header, start, method, path, sending = {}] of NAMING)
      it(`names the path of ${answer} as the client has to ask for it`, async () => {
        const gets = await registry().admin.send(method, `${under}${path}`, {
          ...sending,
          headers: { ...headers, ...sending.headers },
        });
        expect(gets.status, gets.body.toString()).to.be.within(200, 299);
        expect(String(gets.headers[header])).to.satisfy((value: string) =>
          value.startsWith(header === 'link' ? `<${PREFIX}${start.slice(1)}` : `${PREFIX}${start}`),
        );
      });

    it('tells where an upload stands, and of a chunk in the wrong place, under the same path', async () => {
      const { admin } = registry();
      const send = (method: string, path: string, sending: Sending = {}) =>
        admin.send(method, path, { ...sending, headers: { ...headers, ...sending.headers } });
      /** As a client resolves it and a proxy hands it on. */
      const asked = (location: string): string => (under === '' ? location.slice(PREFIX.length) : location);
      const begun = String((await send('POST', `${under}/v2/a/b/blobs/uploads/`)).headers.location);
      expect(begun.startsWith(`${PREFIX}/v2/a/b/blobs/uploads/`)).to.equal(true);
      const sent = await send('PATCH', asked(begun), { body: 'abc' });
      const status = await send('GET', asked(begun));
      const wrong = await send('PATCH', asked(begun), { body: 'abc', headers: { 'content-range': '7-9' } });
      expect([sent, status, wrong].map((one) => [one.status, one.headers.location])).to.deep.equal([
        [202, begun],
        [204, begun],
        [416, begun],
      ]);
      const put = await send('PUT', `${asked(begun)}?digest=${digestOf('abc')}`);
      expect([put.status, put.headers.location]).to.deep.equal([201, `${PREFIX}/v2/a/b/blobs/${digestOf('abc')}`]);
    });

    it('sends clients to the token service where they see it', async () => {
      const { anonymous, host } = registry();
      const base = 'GHOSTDOCK_PUBLIC_URL' in env ? PUBLIC_URL : `http://${host}${PREFIX}`;
      for (const path of ['/v2/', '/v2', '/v2/a/b/tags/list']) {
        const { status, headers: got } = await anonymous.send('GET', `${under}${path}`, { headers });
        expect(status).to.equal(401);
        expect(got['www-authenticate']).to.contain(`realm="${base}/auth",service="${new URL(base).host}"`);
      }
    });

    it('answers at all of its paths', async () => {
      const { admin } = registry();
      for (const path of ['/v2', '/v2/', '/health', '/health/live', '/auth', '/v2/a/b/manifests/v1', '/v2/_catalog?n=1'])
        expect((await admin.send('GET', `${under}${path}`, { headers })).status, path).to.equal(200);
      expect((await admin.send('GET', `${under}/v2/a/b/tags/list`, { headers })).body.toString()).to.contain('"a/b"');
    });
  });

describe('a path behind the prefix of the configured URL', () => {
  const registry = registryFor({ GHOSTDOCK_PUBLIC_URL: PUBLIC_URL });
  before(() => fill(registry()));

  const codeOf = (body: Buffer): unknown => {
    const { errors, error } = JSON.parse(body.toString()) as { errors?: { code: string }[]; error: { code: string } };
    return errors?.[0]?.code ?? error.code;
  };

  it('has the refusals of its surface', async () => {
    for (const [path, status, code] of [
      [`${PREFIX}`, 404, 'NOT_FOUND'],
      [`${PREFIX}/`, 404, 'NOT_FOUND'],
      [`${PREFIX}?x=/v2/`, 404, 'NOT_FOUND'],
      [`${PREFIX}x/v2/`, 404, 'NOT_FOUND'],
      [`${PREFIX.toUpperCase()}/v2/`, 404, 'NOT_FOUND'],
      [`${PREFIX}${PREFIX}/v2/`, 404, 'NOT_FOUND'],
      [`/elsewhere/v2/`, 404, 'NOT_FOUND'],
      [`${PREFIX}/nothing`, 404, 'NOT_FOUND'],
      [`${PREFIX}/v2/A/tags/list`, 400, 'NAME_INVALID'],
      [`${PREFIX}/v2/../tags/list`, 400, 'NAME_INVALID'],
      [`${PREFIX}/v2/a%zz/tags/list`, 400, 'UNSUPPORTED'],
    ] as const) {
      const answer = await rawExchange(registry().port, head(`GET ${path}`, AUTHORIZATION, 'Connection: close'));
      expect([answer.status, codeOf(answer.body)], path).to.deep.equal([status, code]);
    }
  });

  it('may be asked for in the form that proxies use', async () => {
    for (const target of [`http://registry.example.com${PREFIX}/v2/a/b/tags/list`, `HTTPS://x:1${PREFIX}/v2/a/b/tags/list?n=1`]) {
      const answer = await rawExchange(registry().port, head(`GET ${target}`, AUTHORIZATION, 'Connection: close'));
      expect(answer.status, target).to.equal(200);
    }
  });

  it('is that of a repository which is called like the prefix, where it stands behind /v2', async () => {
    const { admin } = registry();
    const name = `${PREFIX.slice(1).replace('~', '-')}/v2/x`;
    await pushBlob(admin, name, ownBlob('like the prefix'));
    for (const under of ['', PREFIX])
      expect((await admin.send('GET', `${under}/v2/${name}/blobs/${digestOf('like the prefix')}`)).status).to.equal(200);
  });

  it('is taken off before names are looked for, whatever the name, and only once', () => {
    fc.assert(
      fc.property(anyName, fc.constantFrom('', '?n=1', '?last=/v2/x/tags/list'), (name, query) => {
        const plain = `/v2/${name}/tags/list${query}`;
        expect(withNameAsSegment(`${PREFIX}${plain}`, PREFIX)).to.equal(withNameAsSegment(plain));
        expect(withNameAsSegment(plain, PREFIX)).to.equal(withNameAsSegment(plain));
        expect(withNameAsSegment(`http://x${PREFIX}${plain}`, PREFIX)).to.equal(withNameAsSegment(plain));
        expect(withNameAsSegment(`${PREFIX}x${plain}`, PREFIX)).to.equal(`${PREFIX}x${plain}`);
      }),
    );
  });
});

describe('a prefix', () => {
  const upload = async ({ admin }: TestApp, headers: Readonly<Record<string, string>>): Promise<string> => {
    const { status, headers: got } = await admin.send('POST', '/v2/p/blobs/uploads/', { headers });
    expect(status).to.equal(202);
    return String(got.location).replace(/[0-9a-f-]{36}$/, 'ID');
  };

  describe('that a trusted proxy names', () => {
    const registry = registryFor({ GHOSTDOCK_TRUSTED_PROXIES: '127.0.0.1' });

    const taken: readonly (readonly [value: string, prefix: string])[] = [
      ['/registry', '/registry'],
      ['/registry/', '/registry'],
      ['  /registry ', '/registry'],
      ['/a/b.c/~d_e-F9', '/a/b.c/~d_e-F9'],
      // What stands before the last comma came with the request: only the last is of the proxy that is trusted.
      ['/evil, /registry', '/registry'],
      ['//evil.example,/registry', '/registry'],
      [`/${'x'.repeat(255)}`, `/${'x'.repeat(255)}`],
      ['', ''],
      ['/', ''],
      ['registry', ''],
      ['//evil.example', ''],
      ['//evil.example/registry', ''],
      ['/registry//x', ''],
      ['https://evil.example/registry', ''],
      ['/../..', ''],
      ['/a/./b', ''],
      ['/a\\b', ''],
      ['/a b', ''],
      ['/a"b', ''],
      ['/a>; rel="x", </b', ''],
      ['/a?b=', ''],
      ['/a#b', ''],
      ['/a%0d%0aX:%20y', ''],
      ['/a\tb', ''],
      ['/ä', ''],
      ['/registry,', ''],
      [`/${'x'.repeat(256)}`, ''],
      [`/${'x/'.repeat(4000)}`, ''],
    ];
    for (const [value, prefix] of taken)
      it(`is ${prefix === '' ? 'none' : prefix.slice(0, 20)} for ${JSON.stringify(value.slice(0, 40))}`, async () => {
        const headers = { 'x-forwarded-prefix': Buffer.from(value).toString('latin1') };
        expect(await upload(registry(), headers)).to.equal(`${prefix}/v2/p/blobs/uploads/ID`);
        const { headers: got } = await registry().anonymous.send('GET', '/v2/', { headers });
        expect(got['www-authenticate']).to.contain(`realm="http://${registry().host}${prefix}/auth"`);
      });

    it('is the last of several headers', async () => {
      const lines = ['X-Forwarded-Prefix: /first', 'X-Forwarded-Prefix: /second', 'Connection: close'];
      const { headers } = await rawExchange(registry().port, head('GET /v2/', ...lines));
      expect(headers['www-authenticate']).to.contain('/second/auth"').and.not.contain('first');
    });

    it('and scheme and host make one realm', async () => {
      const headers = {
        'x-forwarded-prefix': '/r',
        'x-forwarded-proto': 'HTTPS',
        'x-forwarded-host': 'registry.example.com:8443',
      };
      const { headers: got } = await registry().anonymous.send('GET', '/v2/', { headers });
      expect(got['www-authenticate']).to.contain(
        'realm="https://registry.example.com:8443/r/auth",service="registry.example.com:8443"',
      );
    });

    it('has no scheme but those of the web beside it', async () => {
      for (const scheme of ['javascript', 'https"', 'ftp', 'http, ws', 'https://evil.example/']) {
        const { headers } = await registry().anonymous.send('GET', '/v2/', { headers: { 'x-forwarded-proto': scheme } });
        expect(headers['www-authenticate'], scheme).to.contain(`realm="http://${registry().host}/auth"`);
      }
    });

    it('is not taken off the path: who names it has done that', async () => {
      const { status } = await registry().admin.send('GET', '/registry/v2/', { headers: { 'x-forwarded-prefix': '/registry' } });
      expect(status).to.equal(404);
    });

    it('is never anything but a path in what clients are told, whatever the header says', async () => {
      const value = fc.string({ unit: fc.constantFrom(...'/.,ab-~ "<>;:\\?#%@'), maxLength: 40 });
      await fc.assert(
        fc.asyncProperty(value, async (text) => {
          const location = await upload(registry(), { 'x-forwarded-prefix': text });
          const url = new URL(location, registry().url);
          expect(url.origin).to.equal(registry().url);
          expect(url.pathname).to.equal(location);
          expect(location).to.match(/^(\/[A-Za-z0-9._~-]+)*\/v2\/p\/blobs\/uploads\/ID$/);
        }),
        { numRuns: 150 },
      );
    });
  });

  const FORWARDED = {
    'x-forwarded-prefix': '/evil',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '444',
    forwarded: 'host=evil.example;proto=https;for=192.0.2.7',
  };
  for (const [whom, env] of [
    ['somebody names while nobody is trusted', {}],
    ['somebody names who is not the one that is trusted', { GHOSTDOCK_TRUSTED_PROXIES: '10.0.0.0/8, 192.0.2.7' }],
  ] as const)
    describe(`that ${whom}`, () => {
      const registry = registryFor(env);

      it('is not believed, nor is anything else that such headers say', async () => {
        expect(await upload(registry(), FORWARDED)).to.equal('/v2/p/blobs/uploads/ID');
        const { headers } = await registry().anonymous.send('GET', '/v2/', { headers: FORWARDED });
        expect(headers['www-authenticate']).to.contain(`realm="http://${registry().host}/auth",service="${registry().host}"`);
      });
    });

  it('of the configured URL counts whatever a trusted proxy names', async () => {
    const env = { GHOSTDOCK_PUBLIC_URL: 'https://registry.example.com/mine', GHOSTDOCK_TRUSTED_PROXIES: 'loopback' };
    const registry = await openTestApp(env);
    expect(await upload(registry, FORWARDED)).to.equal('/mine/v2/p/blobs/uploads/ID');
    const { headers } = await registry.anonymous.send('GET', '/v2/', { headers: FORWARDED });
    expect(headers['www-authenticate']).to.contain('realm="https://registry.example.com/mine/auth"');
    await registry.close();
  });

  it('is none of the registry’s business where `Forwarded` names scheme and host: only the X- headers are read', async () => {
    const registry = await openTestApp({ GHOSTDOCK_TRUSTED_PROXIES: 'loopback' });
    const client = httpClient(registry.url);
    const { headers } = await client.send('GET', '/v2/', {
      headers: { forwarded: FORWARDED.forwarded, 'x-forwarded-port': '444' },
    });
    expect(headers['www-authenticate']).to.contain(`realm="http://${registry.host}/auth"`);
    client.close();
    await registry.close();
  });
});
