import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { expect } from 'chai';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import { RegistryError } from '../../../src/errors.ts';
import type { HttpDeps } from '../../../src/http/deps.ts';
import { monitoringSurface } from '../../../src/http/monitoring/index.ts';
import type { Query } from '../../../src/projections/views/views.ts';
import { waitUntil } from '../../support/processes.ts';

const DIGEST = `sha256:${'d'.repeat(64)}`;
/** What the kernel holds of a connection on which nobody reads, and then some. Bytes. */
const MOST_UNDERWAY = 32 * 1024 * 1024;
/** Less than any item of these lists has, in bytes. */
const SHORTEST = 10;

type Asked = { pages: number; documents: number; largest: number; next: number };

/** Views in which every list goes on for ever; only tags end after some. `failAfter` pages they are away. */
const endlessViews = (asked: Asked, failAfter: () => number) => {
  const documentOf = (view: string, n: number) => {
    const name = `r${String(n).padStart(9, '0')}`;
    if (view === 'tags') return { key: `life/${name}`, value: { name, digest: DIGEST } };
    if (view === 'inventory')
      return {
        key: `blob/sha256:${String(n).padStart(64, '0')}`,
        value: { size: 1, createdAt: '2026-01-01T00:00:00Z', references: 1, links: 1 },
      };
    return {
      key: name,
      value: { name, repositoryId: 'life', listed: true, updatedAt: '2026-01-01T00:00:00Z', newestFirst: name },
    };
  };
  return {
    find: async ({ view }: { view: string }, { limit }: Query) => {
      asked.pages += 1;
      if (asked.pages > failAfter()) throw new RegistryError('UNAVAILABLE', 'The views are away.');
      asked.documents += limit;
      asked.largest = Math.max(asked.largest, limit);
      const items = Array.from({ length: limit }, () => documentOf(view, asked.next++));
      return { items, more: view !== 'tags' || asked.next % 3000 !== 0 };
    },
    get: async () => ({ name: 'r', repositoryId: 'life', listed: true }),
    getMany: async (_view: unknown, keys: readonly string[]) =>
      keys.map(() => ({ digest: DIGEST, references: [], pushedAt: '' })),
    totals: async () => ({ position: '1', sums: {} }),
    checkpoint: async () => '1',
    count: async () => 0,
  };
};

describe('what the monitoring API streams', () => {
  const asked: Asked = { pages: 0, documents: 0, largest: 0, next: 0 };
  let failAfter = Number.POSITIVE_INFINITY;
  let uploads = 0;
  let app: FastifyInstance;

  before(async () => {
    const views = endlessViews(asked, () => failAfter);
    const deps = {
      settings: { retainUntaggedDays: 30 },
      views,
      reporting: views,
      reached: async () => true,
      reported: async () => true,
      authenticate: () => ({ kind: 'operator' }),
      live: { logClients: () => 0 },
      health: async () => ({ status: 'healthy', problems: [] }),
      blobs: {
        uploads: {
          list: async function* () {
            for (;;) yield { id: `upload-${uploads++}`, startedAt: 1, lastActivityAt: 1, chunks: 0 };
          },
        },
      },
      limits: {},
    } as unknown as HttpDeps;
    app = Fastify({ forceCloseConnections: true, logController: new LogController({ disableRequestLogging: true }) });
    await app.register(monitoringSurface(deps), { prefix: '/api' });
    await app.listen({ host: '127.0.0.1', port: 0 });
  });
  beforeEach(() => {
    Object.assign(asked, { pages: 0, documents: 0, largest: 0, next: 0 });
    uploads = 0;
    failAfter = Number.POSITIVE_INFINITY;
  });
  after(() => app.close());

  const open = (path: string): Socket => {
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined).write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    return socket;
  };
  const connections = promisify((done: (error: Error | null, count: number) => void) => app.server.getConnections(done));
  const read = (): number => asked.documents + uploads;
  const standsStill = async (): Promise<void> => {
    let before = -1;
    await waitUntil('nothing more is read', async () => {
      const still = before === read() && before > 0;
      before = read();
      return still;
    });
  };

  for (const path of [
    'registry/state',
    'registry/repositories',
    'registry/repositories/r',
    'registry/blobs',
    'registry/sessions',
    'blobs',
  ])
    it(`GET /api/${path}: reads no further than a slow client does, a page at a time, and stops when the client goes away`, async () => {
      const socket = open(`/api/${path}`).pause();
      await standsStill();
      expect(read() * SHORTEST).to.be.lessThan(MOST_UNDERWAY);
      expect(asked.largest).to.be.at.most(1000);
      socket.destroy();
      await once(socket, 'close');
      await waitUntil('the server has noticed', async () => (await connections()) === 0);
      const atTheEnd = read();
      await standsStill();
      expect(read() - atTheEnd, 'what was under way').to.be.at.most(1000);
    });

  for (const path of ['registry/state', 'registry/repositories', 'registry/repositories/r', 'registry/blobs', 'blobs'])
    it(`GET /api/${path}: is broken off, never ended, where the views go away in the middle`, async () => {
      failAfter = path === 'registry/state' ? 60 : 5;
      const socket = open(`/api/${path}`).setEncoding('utf8');
      let text = '';
      socket.on('data', (data) => {
        text += data;
      });
      await once(socket, 'close');
      expect(text).to.match(/^HTTP\/1\.1 200 /);
      expect(text).not.to.match(/\r\n0\r\n\r\n$/);
    });

  for (const path of ['registry/state', 'registry/repositories', 'registry/blobs', 'blobs'])
    it(`GET /api/${path}: is refused with 503 where the views are away from the beginning`, async () => {
      failAfter = 0;
      const { statusCode, body } = await app.inject(`/api/${path}`);
      expect(statusCode).to.equal(503);
      expect(JSON.parse(body)).to.deep.equal({ error: 'Service Unavailable', message: 'The views are away.' });
    });
});
