import { METHODS } from 'node:http';
import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { pushImage } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { type Exchange, exchange, exchanges, jsonOf } from './exchanges.ts';

const IMAGE = randomImage('methods');
const BLOB = IMAGE.config.digest;

/** Every path, and what it takes. */
const RESOURCES: Readonly<Record<string, string>> = {
  '/v2/': 'GET, HEAD',
  '/v2/_catalog': 'GET, HEAD',
  '/v2/a/b/tags/list': 'GET, HEAD',
  '/v2/a/b/manifests/latest': 'GET, HEAD, PUT, DELETE',
  [`/v2/a/b/manifests/${IMAGE.manifest.digest}`]: 'GET, HEAD, PUT, DELETE',
  [`/v2/a/b/blobs/${BLOB}`]: 'GET, HEAD, DELETE',
  '/v2/a/b/blobs/uploads/': 'POST',
  '/v2/a/b/blobs/uploads/some-session': 'GET, HEAD, PUT, PATCH, DELETE',
  '/auth': 'GET, HEAD, POST',
  '/auth/login': 'POST',
  '/health': 'GET, HEAD',
};

// CONNECT asks for a tunnel and has no path.
const EVERY_METHOD = METHODS.filter((method) => method !== 'CONNECT');

describe('a method that a path does not take', () => {
  const registry = registryFor();
  before(() => pushImage(registry().admin, 'a/b', 'latest', IMAGE));

  for (const [path, allow] of Object.entries(RESOURCES)) {
    it(`is refused by ${path.replace(/sha256:\w+/, '<digest>')}, which says what it takes: ${allow}`, async () => {
      const before = await registry().head();
      for (const method of EVERY_METHOD.filter((method) => !allow.split(', ').includes(method))) {
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
      '/v2/nothing',
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
    ...[
      '/',
      '/v1/',
      '/V2/',
      '/v2x',
      '//v2/',
      '/favicon.ico',
      '/auth/other',
      '/health/x',
      '/index.html',
      '/api/nothing',
      '/api/v1/nothing',
    ],
    ...[
      '/v2//',
      '/v2/a',
      '/v2/a/b',
      '/v2/a/b/manifests',
      '/v2/a/b/manifests/',
      '/v2/a/b/blobs',
      '/v2/a/b/tags',
      '/v2/a/b/tags/other',
    ],
    ...[
      '/v2/manifests/latest',
      '/v2/tags/list',
      '/v2/blobs/uploads/',
      '/v2/_catalog/x',
      '/v2/a/b/tags/list/x',
      '/v2/a/b/tags/list//',
    ],
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
      send: ['GET', '/v2/a/b/nothing'],
      gets: NOT_FOUND,
    },
  ]);
});
