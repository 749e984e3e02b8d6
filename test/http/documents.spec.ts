import { expect } from 'chai';
import { registryFor, type TestApp } from '../support/app.ts';
import { type Answer, basic, type HttpClient, pushBlob, pushImage, type Sending, startUpload } from '../support/http.ts';
import { DOCKER_MANIFEST, digestOf, noise } from '../support/images.ts';
import { PASSWORD } from '../support/registryProcess.ts';
import { type Expected, exchange, jsonOf } from './exchanges.ts';

// The management API's document, sentence by sentence. What it says of audit logs, health and metrics stands in test/http/management/.

const FRONTEND = 'myapp/frontend';
const CONFIG_TYPE = 'application/vnd.docker.container.image.v1+json';
const LAYER_TYPE = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

const blobOf = (bytes: Buffer, mediaType: string) => ({ bytes, digest: digestOf(bytes), mediaType });
const config = blobOf(Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'), CONFIG_TYPE);
const layer = blobOf(noise(32_654, 'documents'), LAYER_TYPE);
const partOf = ({ bytes, digest, mediaType }: typeof layer) => ({ mediaType, size: bytes.length, digest });
const manifest = blobOf(
  Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: DOCKER_MANIFEST, config: partOf(config), layers: [partOf(layer)] }, null, 2),
  ),
  DOCKER_MANIFEST,
);
const IMAGE = { manifest, config, layers: [layer], platform: { architecture: 'amd64', os: 'linux' } };

const UUID = /^[0-9a-f-]{36}$/;
const UPLOADS = `/v2/${FRONTEND}/blobs/uploads/`;
const json = (body: unknown): Sending => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
const octets = (body: Buffer, headers: Sending['headers'] = {}): Sending => ({
  body,
  headers: { 'content-type': 'application/octet-stream', ...headers },
});

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/**
 * That an answer has what the document's sample has: every field, of the same type, and times and digests where it has those. Fields of
 * `nullable` may be null; the answer may have more fields.
 */
const expectLike = (sample: unknown, actual: unknown, nullable: readonly string[] = [], at = 'the answer'): void => {
  if (Array.isArray(sample)) {
    expect(actual, at).to.be.an('array').that.is.not.empty;
    for (const [index, item] of (actual as readonly unknown[]).entries())
      expectLike(sample[0], item, nullable, `${at}[${index}]`);
  } else if (typeof sample === 'object' && sample !== null) {
    expect(actual, at).to.be.an('object');
    for (const [name, value] of Object.entries(sample)) {
      expect(actual, at).to.have.property(name);
      const given = (actual as Record<string, unknown>)[name];
      if (given !== null || !nullable.includes(name)) expectLike(value, given, nullable, `${at}.${name}`);
    }
  } else {
    expect(actual, at).to.be.a(typeof sample);
    if (typeof sample === 'number') expect(Number.isSafeInteger(actual), `${at} is an int`).to.equal(true);
    if (TIME.test(String(sample))) expect(actual, at).to.match(TIME);
    if (String(sample).startsWith('sha256:')) expect(actual, at).to.match(/^sha256:[0-9a-f]{64}$/);
  }
};

type Row = Readonly<{
  /** The sentence, as the document has it. */
  says: string;
  /** The administrator where nobody is named. */
  by?: (registry: TestApp) => HttpClient;
  send: readonly [method: string, path: string, sending?: Sending];
  gets: Expected;
  /** The document's sample of the answer. */
  like?: unknown;
  nullable?: readonly string[];
  /** What else holds of it. */
  so?: (answer: Answer) => void;
}>;

const rows = (registry: () => TestApp, all: readonly Row[]): void => {
  for (const { says, by, send, gets, like, nullable, so } of all)
    it(`“${says}”`, async () => {
      const answer = await exchange(by?.(registry()) ?? registry().admin, send, gets);
      if (like !== undefined) expectLike(like, jsonOf(answer), nullable);
      so?.(answer);
    });
};

/** Answers that depend on one another: each step is a sentence. */
const send = (
  client: HttpClient,
  method: string,
  path: string,
  sending: Sending | undefined,
  expected: Expected,
): Promise<Answer> => exchange(client, [method, path, sending ?? {}], expected);

const anonymous = ({ anonymous: client }: TestApp): HttpClient => client;

describe('the document of the management API', () => {
  const registry = registryFor();

  before(async () => {
    const { admin } = registry();
    await pushImage(admin, FRONTEND, 'latest', IMAGE);
    for (const tag of ['v1.0.0', 'v1.1.0']) await pushImage(admin, FRONTEND, tag, IMAGE);
    await pushImage(admin, 'library/nginx', 'latest', IMAGE);
    await pushImage(admin, 'myapp/backend', 'latest', IMAGE);
  });

  describe('Authentication', () => {
    rows(registry, [
      {
        says: 'All API endpoints require authentication',
        by: anonymous,
        send: ['GET', '/v2/_catalog'],
        gets: { status: 401, headers: { 'www-authenticate': /^Bearer realm="/ } },
      },
      {
        says: 'Get auth challenge: curl -I https://your-registry.com/v2/',
        by: anonymous,
        send: ['HEAD', '/v2/'],
        gets: { status: 401, headers: { 'www-authenticate': /^Bearer realm="http:\/\/127\.0\.0\.1:\d+\/auth",service="/ } },
      },
      {
        says: 'Authenticate and get token: POST /auth {"username":"user","password":"pass"}',
        by: anonymous,
        send: ['POST', '/auth', json({ username: 'admin', password: PASSWORD })],
        gets: { status: 200 },
        like: { token: 'text' },
      },
    ]);

    it('“Use token in requests: Authorization: Bearer $TOKEN”', async () => {
      const { admin } = registry();
      const login = await admin.as(undefined).send('POST', '/auth', json({ username: 'admin', password: PASSWORD }));
      const client = admin.as(`Bearer ${jsonOf(login).token}`);
      await send(client, 'GET', '/v2/_catalog', undefined, { status: 200 });
      await send(client, 'GET', '/api/v1/users', undefined, { status: 200 });
    });
  });

  describe('Core Endpoints', () => {
    rows(registry, [
      {
        says: 'Returns API version and supported features.',
        send: ['GET', '/v2/'],
        gets: { status: 200, headers: { 'content-type': /^application\/json/ } },
        like: { registry: 'GhostDock Registry', version: '1.0.0', features: ['oauth'] },
        // Webhooks and scanning are named once they are there.
        so: (answer) => expect(jsonOf(answer)).to.include({ registry: 'GhostDock Registry' }),
      },
      {
        says: 'GET /v2/_catalog',
        send: ['GET', '/v2/_catalog'],
        gets: { status: 200, json: { repositories: ['library/nginx', 'myapp/backend', 'myapp/frontend'] } },
      },
      {
        says: '`n` (int): Maximum number of repositories to return',
        send: ['GET', '/v2/_catalog?n=2'],
        gets: { status: 200, json: { repositories: ['library/nginx', 'myapp/backend'] } },
      },
      {
        says: '`last` (string): Last repository name for pagination',
        send: ['GET', '/v2/_catalog?last=library/nginx'],
        gets: { status: 200, json: { repositories: ['myapp/backend', 'myapp/frontend'] } },
      },
      {
        says: 'GET /v2/{repository}/tags/list',
        send: ['GET', `/v2/${FRONTEND}/tags/list`],
        gets: { status: 200, json: { name: FRONTEND, tags: ['latest', 'v1.0.0', 'v1.1.0'] } },
      },
      {
        says: '`n` (int): Maximum number of tags to return',
        send: ['GET', `/v2/${FRONTEND}/tags/list?n=1`],
        gets: { status: 200, json: { name: FRONTEND, tags: ['latest'] } },
      },
      {
        says: '`last` (string): Last tag for pagination',
        send: ['GET', `/v2/${FRONTEND}/tags/list?last=v1.0.0`],
        gets: { status: 200, json: { name: FRONTEND, tags: ['v1.1.0'] } },
      },
    ]);
  });

  describe('Manifest Operations', () => {
    const accept = { headers: { accept: DOCKER_MANIFEST } };
    rows(registry, [
      {
        says: 'GET /v2/{repository}/manifests/{tag_or_digest}: Accept: application/vnd.docker.distribution.manifest.v2+json',
        send: ['GET', `/v2/${FRONTEND}/manifests/latest`, accept],
        gets: { status: 200, headers: { 'content-type': DOCKER_MANIFEST }, bytes: manifest.bytes },
        like: {
          schemaVersion: 2,
          mediaType: DOCKER_MANIFEST,
          config: { mediaType: CONFIG_TYPE, size: 7023, digest: 'sha256:b5b2b2c...' },
          layers: [{ mediaType: LAYER_TYPE, size: 32654, digest: 'sha256:e692418...' }],
        },
      },
      {
        says: 'GET /v2/{repository}/manifests/{tag_or_digest}, by digest',
        send: ['GET', `/v2/${FRONTEND}/manifests/${manifest.digest}`, accept],
        gets: { status: 200, bytes: manifest.bytes },
      },
      {
        says: '201 Created: Manifest uploaded successfully; Location header contains manifest URL',
        send: ['PUT', `/v2/${FRONTEND}/manifests/v2`, { headers: { 'content-type': DOCKER_MANIFEST }, body: manifest.bytes }],
        gets: { status: 201, headers: { location: `/v2/${FRONTEND}/manifests/${manifest.digest}` } },
      },
    ]);

    it('“202 Accepted: Manifest deletion accepted”', async () => {
      const { admin } = registry();
      await pushImage(admin, 'myapp/deleted', 'latest', IMAGE);
      await send(admin, 'DELETE', `/v2/myapp/deleted/manifests/${manifest.digest}`, undefined, { status: 202 });
      await send(admin, 'GET', '/v2/myapp/deleted/manifests/latest', undefined, { status: 404 });
    });
  });

  describe('Blob Operations', () => {
    rows(registry, [
      {
        says: '200 OK: Blob exists',
        send: ['HEAD', `/v2/${FRONTEND}/blobs/${layer.digest}`],
        gets: { status: 200, headers: { 'content-length': String(layer.bytes.length) } },
      },
      {
        says: '404 Not Found: Blob doesn’t exist',
        send: ['HEAD', `/v2/${FRONTEND}/blobs/${digestOf('nothing')}`],
        gets: { status: 404 },
      },
      {
        says: 'Binary blob data with appropriate `Content-Type`.',
        send: ['GET', `/v2/${FRONTEND}/blobs/${layer.digest}`],
        gets: { status: 200, headers: { 'content-type': 'application/octet-stream' }, bytes: layer.bytes },
      },
      {
        says: '202 Accepted, Location: /v2/{repository}/blobs/uploads/{uuid}, Range: 0-0',
        send: ['POST', UPLOADS],
        gets: { status: 202, headers: { location: /^\/v2\/myapp\/frontend\/blobs\/uploads\/[0-9a-f-]{36}$/, range: '0-0' } },
        so: ({ headers }) => expect(String(headers.location).slice(UPLOADS.length)).to.match(UUID),
      },
    ]);

    it('“PUT /v2/{repository}/blobs/uploads/{uuid}?digest={digest}: 201 Created, Location: /v2/{repository}/blobs/{digest}”', async () => {
      const { admin } = registry();
      const bytes = noise(100, 'put');
      const digest = digestOf(bytes);
      const location = await startUpload(admin, FRONTEND);
      await send(admin, 'PUT', `${location}?digest=${digest}`, octets(bytes), {
        status: 201,
        headers: { location: `/v2/${FRONTEND}/blobs/${digest}` },
      });
      await send(admin, 'GET', `/v2/${FRONTEND}/blobs/${digest}`, undefined, { status: 200, bytes });
    });

    it('“For large blobs, use chunked upload: PATCH … Content-Range: {start}-{end}”', async () => {
      const { admin } = registry();
      const bytes = noise(300, 'chunks');
      const digest = digestOf(bytes);
      const location = await startUpload(admin, FRONTEND);
      const chunk = (start: number, end: number) =>
        octets(bytes.subarray(start, end + 1), { 'content-range': `${start}-${end}` });
      await send(admin, 'PATCH', location, chunk(0, 99), { status: 202, headers: { range: '0-99' } });
      await send(admin, 'PATCH', location, chunk(100, 299), { status: 202, headers: { range: '0-299' } });
      await send(admin, 'PUT', `${location}?digest=${digest}`, undefined, { status: 201 });
      await send(admin, 'GET', `/v2/${FRONTEND}/blobs/${digest}`, undefined, { status: 200, bytes });
    });

    it('“202 Accepted: Blob deletion accepted”', async () => {
      const { admin } = registry();
      const blob = blobOf(noise(100, 'deleted'), LAYER_TYPE);
      await pushBlob(admin, FRONTEND, blob);
      await send(admin, 'DELETE', `/v2/${FRONTEND}/blobs/${blob.digest}`, undefined, { status: 202 });
      await send(admin, 'HEAD', `/v2/${FRONTEND}/blobs/${blob.digest}`, undefined, { status: 404 });
    });
  });

  describe('User Management', () => {
    const USER = {
      id: 1,
      username: 'admin',
      email: 'admin@example.com',
      role: 'admin',
      created_at: '2024-01-01T00:00:00Z',
      last_login: '2024-01-15T12:00:00Z',
    };
    const nullable = ['email', 'last_login'];

    rows(registry, [
      {
        says: 'GET /api/v1/users',
        send: ['GET', '/api/v1/users'],
        gets: { status: 200 },
        like: { users: [USER], total: 1, page: 1, limit: 50 },
        nullable,
        so: (answer) => expect(jsonOf(answer)).to.include({ total: 1, page: 1, limit: 50 }),
      },
    ]);

    it('“POST /api/v1/users”, “PUT /api/v1/users/{id}”, “DELETE /api/v1/users/{id}”', async () => {
      const { admin } = registry();
      const wanted = { username: 'newuser', email: 'user@example.com', password: 'secure-password', role: 'user' };
      const created = await send(admin, 'POST', '/api/v1/users', json(wanted), { status: 201 });
      expectLike(USER, jsonOf(created), nullable);
      expect(jsonOf(created)).to.include({ username: 'newuser', email: 'user@example.com', role: 'user' });
      expect(jsonOf(created)).not.to.have.any.keys('password', 'password_hash');
      await send(admin.as(basic('newuser', 'secure-password')), 'GET', '/v2/', undefined, { status: 200 });

      const path = `/api/v1/users/${jsonOf(created).id}`;
      const changed = await send(admin, 'PUT', path, json({ email: 'newemail@example.com', role: 'admin' }), { status: 200 });
      expectLike(USER, jsonOf(changed), nullable);
      expect(jsonOf(changed)).to.include({ username: 'newuser', email: 'newemail@example.com', role: 'admin' });

      await send(admin, 'DELETE', path, undefined, { status: 204 });
      await send(admin, 'GET', path, undefined, { status: 404 });
    });
  });

  describe('Repository Management', () => {
    const REPOSITORY = {
      name: FRONTEND,
      description: 'Frontend application',
      visibility: 'private',
      owner: 'myuser',
      created_at: '2024-01-01T00:00:00Z',
      updated_at: '2024-01-15T12:00:00Z',
    };
    const WHOLE = {
      ...REPOSITORY,
      size: 1024000,
      pull_count: 150,
      tags: [{ name: 'latest', digest: 'sha256:abc123...', size: 524288, created_at: '2024-01-15T12:00:00Z' }],
    };

    rows(registry, [
      {
        says: 'GET /api/v1/repositories/{repository}',
        send: ['GET', `/api/v1/repositories/${FRONTEND}`],
        gets: { status: 200 },
        like: WHOLE,
        nullable: ['owner'],
        so: (answer) => {
          const { tags, ...others } = jsonOf(answer) as { tags: readonly object[] };
          expect(others).to.include({ name: FRONTEND, visibility: 'private', owner: 'admin' });
          expect(tags[0]).to.deep.include({ name: 'latest', digest: manifest.digest });
        },
      },
    ]);

    it('“PUT /api/v1/repositories/{repository}”', async () => {
      const { admin } = registry();
      const changes = { description: 'Updated description', visibility: 'public' };
      const changed = await send(admin, 'PUT', '/api/v1/repositories/myapp/backend', json(changes), { status: 200 });
      expectLike(REPOSITORY, jsonOf(changed), ['owner']);
      expect(jsonOf(changed)).to.include(changes);
      const shown = await send(registry().anonymous, 'GET', '/v2/myapp/backend/tags/list', undefined, { status: 401 });
      expect(shown.headers['www-authenticate'], 'by a token that anybody gets').to.contain(
        'scope="repository:myapp/backend:pull"',
      );
    });

    it('“DELETE /api/v1/repositories/{repository}”', async () => {
      const { admin } = registry();
      await pushImage(admin, 'myapp/gone', 'latest', IMAGE);
      await send(admin, 'DELETE', '/api/v1/repositories/myapp/gone', undefined, { status: 204 });
      await send(admin, 'GET', '/api/v1/repositories/myapp/gone', undefined, { status: 404 });
    });
  });

  describe('Access Tokens', () => {
    it('“GET /api/v1/tokens”, “POST /api/v1/tokens”, “DELETE /api/v1/tokens/{id}”', async () => {
      const { admin } = registry();
      const wanted = { name: 'CI/CD Token', permissions: ['pull', 'push'], expires_at: '2044-12-31T23:59:59Z' };
      const created = await send(admin, 'POST', '/api/v1/tokens', json(wanted), { status: 201 });
      expectLike({ id: 1, ...wanted, token: 'ghd_abc123...', created_at: '2024-01-15T12:00:00Z' }, jsonOf(created));
      expect(jsonOf(created)).to.deep.include(wanted);
      expect(jsonOf(created).token).to.match(/^ghd_/);

      const token = admin.as(`Bearer ${jsonOf(created).token}`);
      await send(token, 'GET', `/v2/${FRONTEND}/tags/list`, undefined, { status: 200 });
      await send(token, 'DELETE', `/v2/${FRONTEND}/manifests/v2`, undefined, { status: 403 });

      const listed = await send(admin, 'GET', '/api/v1/tokens', undefined, { status: 200 });
      const { tokens } = jsonOf(listed) as { tokens: readonly object[] };
      expectLike([{ id: 1, ...wanted, created_at: '2024-01-15T12:00:00Z' }], tokens);
      expect(listed.body.toString(), 'it is shown once').not.to.contain(jsonOf(created).token);

      await send(admin, 'DELETE', `/api/v1/tokens/${jsonOf(created).id}`, undefined, { status: 204 });
      await send(token, 'GET', '/v2/', undefined, { status: 401 });
    });
  });

  describe('Webhooks', () => {
    // The one chapter of the document that is not served yet. Whoever serves it writes its sentences here.
    for (const [method, path] of [
      ['GET', '/api/v1/webhooks'],
      ['POST', '/api/v1/webhooks'],
      ['POST', '/api/v1/webhooks/1/test'],
    ] as const)
      it(`“${method} ${path}” is not served yet, and said so in JSON`, async () => {
        const answer = await send(registry().admin, method, path, undefined, { status: 404 });
        expect(jsonOf(answer)).to.have.nested.property('error.code', 'NOT_FOUND');
      });
  });

  describe('Error Responses', () => {
    const ann = ({ admin }: TestApp): HttpClient => admin.as(basic('ann', PASSWORD));
    before(async () => {
      await registry().register('ann');
    });

    const codeIs = (code: string) => (answer: Answer) => expect(jsonOf(answer)).to.have.nested.property('error.code', code);

    rows(registry, [
      {
        says: 'All APIs use consistent error responses',
        send: ['GET', '/api/v1/repositories/myapp/nothing'],
        gets: {
          status: 404,
          json: {
            error: {
              code: 'REPOSITORY_NOT_FOUND',
              message: 'Repository myapp/nothing not found',
              details: { repository: 'myapp/nothing' },
            },
          },
        },
      },
      {
        says: '`UNAUTHORIZED` | 401 | Authentication required',
        by: anonymous,
        send: ['GET', '/api/v1/users'],
        gets: { status: 401 },
        so: codeIs('UNAUTHORIZED'),
      },
      {
        says: '`FORBIDDEN` | 403 | Insufficient permissions',
        by: ann,
        send: ['GET', '/api/v1/users'],
        gets: { status: 403 },
        so: codeIs('FORBIDDEN'),
      },
      {
        says: '`NOT_FOUND` | 404 | Resource not found',
        send: ['GET', '/api/v1/users/999999'],
        gets: { status: 404 },
        so: codeIs('NOT_FOUND'),
      },
      {
        says: '`CONFLICT` | 409 | Resource already exists',
        send: ['POST', '/api/v1/users', json({ username: 'ann', password: 'another-password' })],
        gets: { status: 409 },
        so: codeIs('CONFLICT'),
      },
      {
        says: '`INVALID_REQUEST` | 400 | Invalid request format',
        send: ['POST', '/api/v1/users', json({ name: 'ann' })],
        gets: { status: 400 },
        so: codeIs('INVALID_REQUEST'),
      },
      {
        says: 'All APIs use consistent error responses, the registry protocol beside its own',
        send: ['GET', '/v2/myapp/nothing/tags/list'],
        gets: { status: 404, code: 'NAME_UNKNOWN' },
        so: codeIs('REPOSITORY_NOT_FOUND'),
      },
    ]);

    it('“`INTERNAL_ERROR` | 500 | Server error”', async () => {
      const { app, admin, takeFailures } = registry();
      const works = app.reporting.totals;
      Object.assign(app.reporting, { totals: () => Promise.reject(new Error('The disk is on fire.')) });
      try {
        const answer = await send(admin, 'GET', '/api/v1/metrics', undefined, { status: 500 });
        codeIs('INTERNAL_ERROR')(answer);
        expect(answer.body.toString(), 'nothing of the cause').not.to.contain('fire');
      } finally {
        Object.assign(app.reporting, { totals: works });
      }
      const logged = takeFailures();
      expect(logged).to.have.length(1);
      expect(logged[0]).to.contain('The disk is on fire.');
    });
  });

  describe('Pagination', () => {
    const pageOf = (answer: Answer) => jsonOf(answer).pagination;

    rows(registry, [
      {
        says: '`page` (int): Page number (default: 1); `limit` (int): Items per page (default: 50, max: 100)',
        send: ['GET', '/api/v1/repositories'],
        gets: { status: 200 },
        like: { repositories: [{ name: FRONTEND }], pagination: { page: 1, limit: 50, total: 150, pages: 3 } },
        so: (answer) => expect(pageOf(answer)).to.deep.include({ page: 1, limit: 50, pages: 1 }),
      },
      {
        says: 'max: 100',
        send: ['GET', '/api/v1/repositories?limit=1000'],
        gets: { status: 200 },
        so: (answer) => expect(pageOf(answer)).to.include({ limit: 100 }),
      },
      {
        says: '"pagination": { "page", "limit", "total", "pages" }',
        send: ['GET', '/api/v1/repositories?page=2&limit=1'],
        gets: { status: 200 },
        so: (answer) => {
          const { total, ...others } = pageOf(answer) as { total: number };
          expect(others).to.deep.equal({ page: 2, limit: 1, pages: total });
          expect(jsonOf(answer).repositories).to.have.lengthOf(1);
        },
      },
      {
        says: '"data": [...]',
        send: ['GET', '/api/v1/tokens'],
        gets: { status: 200 },
        so: (answer) => expect(jsonOf(answer).data).to.deep.equal(jsonOf(answer).tokens),
      },
      {
        says: '`page` (int)',
        send: ['GET', '/api/v1/users?page=0'],
        gets: { status: 400 },
      },
    ]);
  });
});

describe('the document of the management API: Rate Limiting', () => {
  const registry = registryFor({ GHOSTDOCK_API_REQUESTS_PER_HOUR: '', GHOSTDOCK_API_REQUESTS_PER_MINUTE: '' });

  it('“Default: 1000 requests per hour per user”, “X-RateLimit-Limit: Limit per hour”, “X-RateLimit-Remaining: Remaining requests”, “X-RateLimit-Reset: Reset time”', async () => {
    const { admin } = registry();
    const before = Math.floor(Date.now() / 1000);
    const { headers } = await send(admin, 'GET', '/api/v1/users/me', undefined, {
      status: 200,
      headers: { 'x-ratelimit-limit': '1000', 'x-ratelimit-remaining': '999', 'x-ratelimit-reset': /^\d+$/ },
    });
    expect(Number(headers['x-ratelimit-reset'])).to.be.within(before + 3600, Math.floor(Date.now() / 1000) + 3601);
    const other = await registry().register('other');
    await send(other, 'GET', '/api/v1/users/me', undefined, { status: 200, headers: { 'x-ratelimit-remaining': '999' } });
  });

  it('“Burst: 100 requests per minute”, “`RATE_LIMITED` | 429 | Too many requests”', async () => {
    const third = await registry().register('third');
    const answers = await Promise.all(Array.from({ length: 101 }, () => third.send('GET', '/api/v1/users/me')));
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.map(({ status }) => status)).to.deep.equal([429]);
    const [one] = refused;
    if (one === undefined) throw new Error('Nothing was refused.');
    expect(jsonOf(one)).to.have.nested.property('error.code', 'RATE_LIMITED');
    expect(Number(one.headers['retry-after'])).to.be.within(1, 60);
  });
});
