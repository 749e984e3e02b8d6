import { METHODS } from 'node:http';
import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { pushImage } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { type Exchange, exchange, exchanges, jsonOf } from './exchanges.ts';

const IMAGE = randomImage('methods');
const BLOB = IMAGE.config.digest;

/** Every path of the protocol and beside it, and what it takes. */
const RESOURCES: Readonly<Record<string, string>> = {
  '/v2/': 'GET, HEAD',
  '/v2/_catalog': 'GET, HEAD',
  '/v2/a/b': 'DELETE',
  '/v2/manifests/latest': 'DELETE',
  '/v2/tags/list': 'DELETE',
  '/v2/blobs/uploads/': 'DELETE',
  '/v2/a/b/tags/list': 'GET, HEAD',
  '/v2/a/b/manifests/latest': 'GET, HEAD, PUT, DELETE',
  [`/v2/a/b/manifests/${IMAGE.manifest.digest}`]: 'GET, HEAD, PUT, DELETE',
  [`/v2/a/b/blobs/${BLOB}`]: 'GET, HEAD, DELETE',
  [`/v2/a/b/referrers/${BLOB}`]: 'GET, HEAD',
  '/v2/a/b/blobs/uploads/': 'POST',
  '/v2/a/b/blobs/uploads/some-session': 'GET, HEAD, PUT, PATCH, DELETE',
  '/auth': 'GET, HEAD, POST',
  '/auth/login': 'POST',
  '/auth/logout': 'POST',
  '/api/v1/users': 'GET, HEAD, POST',
  '/api/v1/users/1': 'GET, HEAD, PUT, PATCH, DELETE',
  '/api/v1/users/1/password': 'POST',
  '/api/v1/users/me': 'GET, HEAD, PUT, PATCH',
  '/api/v1/users/me/password': 'POST',
  '/api/v1/tokens': 'GET, HEAD, POST',
  '/api/v1/tokens/1': 'DELETE',
  '/api/v1/repositories': 'GET, HEAD',
  '/api/v1/repositories/a/b/-/grants': 'GET, HEAD, POST',
  '/api/v1/repositories/a/b/-/grants/1': 'DELETE',
  '/api/v1/grants': 'GET, HEAD, POST',
  '/api/v1/grants/1': 'DELETE',
  '/api/v1/teams': 'GET, HEAD, POST',
  '/api/v1/teams/1': 'GET, HEAD, DELETE',
  '/api/v1/teams/1/members': 'GET, HEAD, POST',
  '/api/v1/teams/1/members/1': 'DELETE',
  '/api/v1/repositories/a/b': 'GET, HEAD, PUT, PATCH, DELETE',
  '/api/v1/repositories/a/b/-/immutability': 'GET, HEAD, PUT',
  '/api/v1/health': 'GET, HEAD',
  '/api/v1/metrics': 'GET, HEAD',
  '/health': 'GET, HEAD',
  '/healthz': 'GET, HEAD',
  '/readyz': 'GET, HEAD',
  '/metrics': 'GET, HEAD',
};

// CONNECT asks for a tunnel and has no path.
const EVERY_METHOD = METHODS.filter((method) => method !== 'CONNECT');

/** Every method but those that a path takes. OPTIONS is answered by all. */
const othersThan = (allow: string): readonly string[] =>
  EVERY_METHOD.filter((method) => method !== 'OPTIONS' && !allow.split(', ').includes(method));

describe('a method that a path does not take', () => {
  const registry = registryFor();
  before(() => pushImage(registry().admin, 'a/b', 'latest', IMAGE));

  for (const [path, allow] of Object.entries(RESOURCES)) {
    it(`is refused by ${path.replace(/sha256:\w+/, '<digest>')}, which says what it takes: ${allow}`, async () => {
      const before = await registry().head();
      for (const method of othersThan(allow)) {
        for (const client of [registry().admin, registry().anonymous]) {
          const answer = await exchange(client, [method, path], { status: 405, headers: { allow } });
          if (method === 'HEAD') continue;
          const { error } = jsonOf(answer) as { error: { code: string; details: unknown } };
          expect(error.code).to.equal('INVALID_REQUEST');
          expect(error.details).to.deep.equal({ method });
        }
      }
      expect(await registry().head()).to.equal(before);
    });
  }

  it('is refused before its body is read', async () => {
    const sending = { body: Buffer.alloc(1_000_000), headers: { 'content-type': 'application/json' } };
    for (const [path, allow] of Object.entries(RESOURCES)) {
      const method = ['POST', 'PUT', 'PATCH', 'REPORT'].find((method) => !allow.split(', ').includes(method)) ?? '';
      await exchange(registry().admin, [method, path, sending], { status: 405, headers: { allow } });
    }
  });
});

describe('OPTIONS', () => {
  const registry = registryFor();
  const PREFLIGHT = {
    origin: 'https://elsewhere.test',
    'access-control-request-method': 'DELETE',
    'access-control-request-headers': 'authorization',
    'access-control-request-private-network': 'true',
  };

  for (const [path, allow] of Object.entries(RESOURCES)) {
    it(`says what ${path.replace(/sha256:\w+/, '<digest>')} takes, whoever asks and whether it exists or not: ${allow}`, async () => {
      for (const client of [registry().admin, registry().anonymous])
        await exchange(client, ['OPTIONS', path], { status: 204, headers: { allow }, bytes: Buffer.alloc(0) });
    });

    it(`permits no page of another site to use ${path.replace(/sha256:\w+/, '<digest>')}`, async () => {
      for (const method of ['OPTIONS', ...allow.split(', ')]) {
        const { headers } = await registry().anonymous.send(method, path, { headers: PREFLIGHT });
        expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).to.deep.equal([]);
      }
    });
  }

  it('reads no body', async () => {
    for (const path of Object.keys(RESOURCES)) {
      const sending = { body: Buffer.alloc(1_000_000), headers: { 'content-type': 'application/json' } };
      await exchange(registry().admin, ['OPTIONS', path, sending], { status: 204 });
    }
  });
});

describe('HEAD', () => {
  const registry = registryFor();
  before(() => pushImage(registry().admin, 'a/b', 'latest', IMAGE));

  // `date` is the clock's, the connection's headers are Node's.
  const told = (headers: object): object =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name)));

  for (const path of [
    ...['/v2/', '/v2/_catalog', '/v2/a/b/tags/list', '/v2/a/b/manifests/latest', `/v2/a/b/blobs/${BLOB}`],
    ...[
      '/v2/a/b/manifests/none',
      `/v2/none/blobs/${BLOB}`,
      '/v2/A/tags/list',
      '/v2/a/b/blobs/uploads/none',
      '/v2/_nothing/here',
      '/nothing',
    ],
  ]) {
    it(`says of ${path.replace(BLOB, '<digest>')} what GET says, without a body`, async () => {
      const get = await registry().admin.send('GET', path);
      const head = await registry().admin.send('HEAD', path);
      expect(head.status).to.equal(get.status);
      expect(head.body.length).to.equal(0);
      expect(told(head.headers)).to.deep.equal(told(get.headers));
    });
  }
});

describe('a path that there is not', () => {
  const registry = registryFor();
  const unknown = [
    ...['/', '/v1/', '/V2/', '/v2x', '//v2/', '/favicon.ico', '/auth/other', '/health/x', '/index.html', '/api/v1/nothing'],
    ...['/v2/_catalog/x', '/v2/_other/one'],
  ];
  const NOT_FOUND: Exchange['gets'] = { status: 404 };

  for (const path of unknown) {
    it(`is not found, and said so in JSON: ${path}`, async () => {
      const target = `${registry().url}${path}`;
      for (const method of EVERY_METHOD) {
        const answer = await exchange(registry().admin, [method, target], NOT_FOUND);
        if (method === 'HEAD') continue;
        expect(answer.headers['content-type']).to.match(/^application\/json/);
        const { error, errors } = jsonOf(answer) as {
          error: { code: string; details: unknown };
          errors?: readonly { code: string }[];
        };
        expect(error.code).to.equal('NOT_FOUND');
        expect(error.details).to.deep.equal({ path });
        expect(errors?.map(({ code }) => code)).to.deep.equal(/^\/v2\//.test(path) ? ['UNSUPPORTED'] : undefined);
      }
    });
  }

  exchanges(registry, [
    {
      it: 'is not found by those who are not logged in either',
      by: ({ anonymous }) => anonymous,
      send: ['GET', '/v2/_nothing/here'],
      gets: NOT_FOUND,
    },
  ]);
});
