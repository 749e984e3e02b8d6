import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { type Answer, basic, pushImage, startUpload } from '../../support/http.ts';
import { randomImage } from '../../support/images.ts';
import { ADMIN, PASSWORD } from '../../support/registryProcess.ts';
import { rawExchange } from '../raw.ts';
import { expectQuiet } from './given.ts';

const IMAGE = randomImage('paths', { layers: 1 });
const HEX = IMAGE.config.digest.slice(7);

/** What no file may be called when all is over. */
const ESCAPED = `escaped-${randomUUID()}`;

/** Ways out of a folder, as people write them. */
const WAYS_OUT = [
  ...[`../../${ESCAPED}`, `..%2f${ESCAPED}`, `..%2f..%2f..%2f..%2f${ESCAPED}`, `%2ftmp%2f${ESCAPED}`],
  ...['..', '../..', '../../../../../../etc/passwd', './..', '...', '....//', '..;/', '..\\', '..\\..\\windows'],
  ...['%2e%2e', '%2E%2E', '%2e%2e%2f', '.%2e', '%2e.', '..%2f..%2f', '..%2F..%2Fetc%2Fpasswd', '..%5c', '%5c..%5c'],
  ...[
    '%252e%252e',
    '%252e%252e%252f',
    '%25252e',
    '%c0%ae%c0%ae',
    '%c0%af',
    '%e0%80%ae',
    '%c1%9c',
    '%u002e%u002e',
    '%uff0e%uff0e',
  ],
  ...['%00', 'a%00', 'a%00.json', '%0a', '%0d%0a', '%09', '%20', '%7f', '%ff', '%fe%ff', '%ef%bc%8e%ef%bc%8e', '%e2%80%ae'],
  ...['~', '~root', '$HOME', '`id`', '$(id)', '|id', 'CON', 'a.', 'a..', '.a', '.git', 'a;b', 'a;x=1', '*', '%3f', '%23', '%2a'],
  ...[
    'A',
    'Ä',
    '%C3%84',
    'a%2fb%2f',
    '%2fetc%2fpasswd',
    'file:%2f%2f%2fetc%2fpasswd',
    'http:%2f%2fevil.example',
    'a//b',
    '//',
    '-',
    '_',
    '__proto__',
  ],
];

describe('a path that leads elsewhere', () => {
  const registry = registryFor();
  let upload: string;
  before(async () => {
    await pushImage(registry().admin, 'a/image', 'latest', IMAGE);
    upload = (await startUpload(registry().admin, 'a/image')).split('/').at(-1) ?? '';
  });

  /** As it stands: no client of ours may tidy it up. */
  const send = (method: string, target: string, body = ''): Promise<Answer> =>
    rawExchange(
      registry().port,
      `${[
        `${method} ${target} HTTP/1.1`,
        'Host: registry.test',
        `Authorization: ${basic(ADMIN, PASSWORD)}`,
        'Content-Type: application/vnd.oci.image.manifest.v1+json',
        `Content-Length: ${Buffer.byteLength(body)}`,
        'Connection: close',
      ].join('\r\n')}\r\n\r\n${body}`,
    );

  /** Each file below the data folder's parent with what it holds, but for the sessions of uploads, which come and go. */
  const filesOf = (): ReadonlyMap<string, string> => {
    const { dataDir } = registry();
    const files = readdirSync(dataDir, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
    return new Map(
      files.map(({ parentPath, name }) => {
        const path = join(parentPath, name);
        return [relative(dataDir, path), createHash('sha256').update(readFileSync(path)).digest('hex')];
      }),
    );
  };

  /** Where names, references, digests and ids stand in paths. */
  const PLACES: readonly (readonly [method: string, path: (way: string) => string, body?: string])[] = [
    ['GET', (way) => `/v2/${way}/tags/list`],
    ['GET', (way) => `/v2/a/${way}/image/manifests/latest`],
    ['GET', (way) => `/v2/a/image/manifests/${way}`],
    ['PUT', (way) => `/v2/a/image/manifests/${way}`, '{}'],
    ['PUT', (way) => `/v2/${way}/manifests/v1`, IMAGE.manifest.bytes.toString()],
    ['GET', (way) => `/v2/a/image/blobs/${way}`],
    ['GET', (way) => `/v2/a/image/blobs/sha256:${way}`],
    ['GET', (way) => `/v2/a/image/blobs/sha256:${way}${HEX}`],
    ['DELETE', (way) => `/v2/a/image/blobs/${way}`],
    ['GET', (way) => `/v2/a/image/referrers/${way}`],
    ['POST', (way) => `/v2/${way}/blobs/uploads/`],
    ['GET', (way) => `/v2/a/image/blobs/uploads/${way}`],
    ['PATCH', (way) => `/v2/a/image/blobs/uploads/${way}`, 'x'],
    ['PUT', (way) => `/v2/a/image/blobs/uploads/${way}?digest=sha256:${HEX}`, 'x'],
    ['DELETE', (way) => `/v2/a/image/blobs/uploads/${way}/${upload}`],
    ['DELETE', (way) => `/v2/${way}`],
    ['GET', (way) => `/v2/${way}/_catalog`],
    ['GET', (way) => `/api/v1/repositories/a/${way}/image`],
    ['DELETE', (way) => `/api/v1/repositories/${way}`],
    ['GET', (way) => `/api/v1/${way}/users`],
    ['GET', (way) => `/auth/${way}`],
    ['GET', (way) => `/${way}/health`],
  ];

  for (const [method, path, body] of PLACES)
    it(`gets nowhere as ${method} ${path('…')}`, async () => {
      const [files, head] = [filesOf(), await registry().head()];
      for (const way of WAYS_OUT) {
        const answer = await send(method, path(way), body);
        expect(answer.status, path(way)).to.be.oneOf([400, 404, 405]);
        expectQuiet(answer, 'root:', PASSWORD);
      }
      expect(await registry().head(), 'nothing was done').to.equal(head);
      expect(filesOf()).to.deep.equal(files);
    });

  it('gets nowhere in a query', async () => {
    const [files, head] = [filesOf(), await registry().head()];
    for (const way of WAYS_OUT.map(encodeURIComponent)) {
      for (const query of [
        `mount=${way}&from=a/image`,
        `digest=${way}`,
        `digest-algorithm=${way}`,
        `mount=sha256:${HEX}&from=${way}`,
      ]) {
        const { status } = await send('POST', `/v2/b/image/blobs/uploads/?${query}`);
        expect(status, query).to.be.oneOf([400, 404]);
      }
      expect((await send('PUT', `/v2/a/image/blobs/uploads/${upload}?digest=${way}`)).status, way).to.equal(400);
      expect((await send('GET', `/v2/a/image/tags/list?n=1&last=${way}`)).status, way).to.equal(200);
      expect((await send('GET', `/v2/a/image/referrers/sha256:${HEX}?artifactType=${way}`)).status, way).to.equal(200);
    }
    expect(await registry().head(), 'nothing was done').to.equal(head);
    expect([...filesOf().keys()].filter((path) => !files.has(path) && !path.startsWith('uploads/'))).to.deep.equal([]);
  });

  it('is the same in the form that proxies are asked with', async () => {
    for (const [target, status] of [
      ['http://registry.test/v2/', 200],
      ['HTTP://evil.example/v2/a/image/tags/list', 200],
      ['http://evil.example', 404],
      ['http://evil.example/v2/../health', 404],
      ['https://user:secret@evil.example/v2/', 200],
      ['ftp://evil.example/v2/', 404],
      ['file:///etc/passwd', 404],
      ['//evil.example/v2/', 404],
      ['/\\evil.example/v2/', 404],
      ['*', 404],
      ['evil.example:443', 400],
      ['/v2/a/image/tags/list#../../x', 404],
    ] as const) {
      const answer = await send('GET', target);
      expect(answer.status, target).to.equal(status);
      expect(JSON.stringify(answer.headers)).to.not.contain('evil.example');
    }
  });

  it('never wrote anywhere else', () => {
    for (let folder = registry().dataDir; folder !== dirname(folder); folder = dirname(folder))
      expect(existsSync(join(folder, ESCAPED)), folder).to.equal(false);
    expect(existsSync(join('/', ESCAPED))).to.equal(false);
  });
});
