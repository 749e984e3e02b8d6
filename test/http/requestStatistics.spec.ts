import { Readable } from 'node:stream';
import { expect } from 'chai';
import fc from 'fast-check';
import Fastify, { type FastifyInstance } from 'fastify';
import { BOUNDS_MS, type RequestStatistics, requestStatistics } from '../../src/http/requestStatistics.ts';

/** An application whose answers are counted. `/status/:code` answers with that status. */
const counted = async (add: (app: FastifyInstance) => void = () => undefined) => {
  const statistics = requestStatistics();
  const app = Fastify({ return503OnClosing: false });
  statistics.watch(app);
  app.get('/status/:code', async ({ params }, reply) => reply.code(Number((params as { code: string }).code)).send('x'));
  add(app);
  await app.ready();
  return { statistics, app, ask: (url: string, method = 'GET') => app.inject({ method: method as 'GET', url }) };
};

const timed = (statistics: RequestStatistics): number =>
  [...statistics.routes()].reduce((sum, { times }) => sum + times.buckets.reduce((one, other) => one + other, 0), 0);

describe('statistics of requests', () => {
  it('begin with nothing', () => {
    const { requests, performance } = requestStatistics();
    expect(requests()).to.deep.equal({ total: 0, success: 0, errors: 0 });
    expect(performance()).to.deep.equal({ avgMs: 0, p95Ms: 0, p99Ms: 0 });
  });

  it('count every answer once, below 400 as a success and any other as an error: success and errors are the total', async () => {
    const { statistics, app, ask } = await counted();
    const statuses = fc.array(fc.constantFrom(200, 201, 204, 206, 302, 304, 400, 401, 404, 429, 500, 503, 599), {
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(statuses, async (codes) => {
        const before = statistics.requests();
        for (const code of codes) await ask(`/status/${code}`);
        const { total, success, errors } = statistics.requests();
        expect(total - before.total).to.equal(codes.length);
        expect(success - before.success).to.equal(codes.filter((code) => code < 400).length);
        expect(success + errors).to.equal(total);
      }),
      { numRuns: 20 },
    );
    await app.close();
  });

  it('count what no route takes and what fails as well, and what asks cannot add to what is told apart', async () => {
    const { statistics, app, ask } = await counted((own) => {
      own.get('/fails', async () => {
        throw new Error('a defect');
      });
    });
    for (let path = 0; path < 100; path += 1) await ask(`/nothing/${path}`);
    await ask('/fails');
    expect(statistics.requests()).to.deep.equal({ total: 101, success: 0, errors: 101 });
    expect([...statistics.routes()].map(({ route, byClass }) => [route, byClass])).to.deep.equal([
      ['none', [0, 0, 0, 100, 0]],
      ['/fails', [0, 0, 0, 0, 1]],
    ]);
    await app.close();
  });

  it('keep routes apart by pattern and method, and put each time into one bucket', async () => {
    const { statistics, app, ask } = await counted();
    for (const code of [200, 200, 404]) await ask(`/status/${code}`);
    await ask('/status/200', 'HEAD');
    const told = [...statistics.routes()].map(({ surface, route, method, byClass }) => [surface, route, method, byClass]);
    expect(told).to.deep.equal([
      ['operations', '/status/:code', 'GET', [0, 2, 0, 1, 0]],
      ['operations', '/status/:code', 'HEAD', [0, 1, 0, 0, 0]],
    ]);
    for (const { times } of statistics.routes()) expect(times.buckets).to.have.lengthOf(BOUNDS_MS.length + 1);
    expect(timed(statistics)).to.equal(4);
    await app.close();
  });

  it('leave the time of streams of events out, and count them', async () => {
    const { statistics, app, ask } = await counted((own) => {
      own.get('/events', { config: { stream: true } as never }, async (_request, reply) =>
        reply.send(Readable.from(['data: 1\n\n'])),
      );
    });
    await ask('/events');
    expect(statistics.requests().total).to.equal(1);
    expect(timed(statistics)).to.equal(0);
    await app.close();
  });

  it('tell the time of transfers of blobs apart: they take as long as the client’s line', async () => {
    const { statistics, app, ask } = await counted((own) => {
      own.get('/v2/:name/blobs/:digest', async (request, reply) =>
        reply.code((request.query as { refused?: string }).refused ? 404 : 200).send('x'),
      );
      own.post('/v2/:name/blobs/uploads', async (request, reply) =>
        reply.code((request.query as { digest?: string }).digest ? 201 : 202).send(),
      );
      own.patch('/v2/:name/blobs/uploads/:upload', async (_request, reply) => reply.code(202).send());
    });
    const sumOf = (direction: 'up' | 'down') => statistics.transfers[direction].buckets.reduce((one, other) => one + other, 0);
    await ask('/v2/a/blobs/b');
    await ask('/v2/a/blobs/uploads?digest=b', 'POST');
    await ask('/v2/a/blobs/uploads/1', 'PATCH');
    expect([sumOf('up'), sumOf('down'), timed(statistics)]).to.deep.equal([2, 1, 0]);
    await ask('/v2/a/blobs/b?refused=1');
    await ask('/v2/a/blobs/uploads', 'POST');
    await ask('/v2/a/blobs/b', 'HEAD');
    expect([sumOf('up'), sumOf('down'), timed(statistics)], 'what carries nothing').to.deep.equal([2, 1, 3]);
    expect(statistics.requests().total).to.equal(6);
    await app.close();
  });

  it('tell the average and the percentiles in whole milliseconds', async () => {
    const statistics = requestStatistics();
    let hook: (request: object, reply: object, done: () => void) => void = () => undefined;
    statistics.watch({ addHook: (_name: string, given: typeof hook) => { hook = given; } } as unknown as FastifyInstance); // biome-ignore format: one line
    const config = { url: '/x', method: 'GET' };
    for (let ms = 1; ms <= 100; ms += 1)
      hook({ routeOptions: { config } }, { statusCode: 200, elapsedTime: ms - 0.2 }, () => undefined);
    expect(statistics.performance()).to.deep.equal({ avgMs: 50, p95Ms: 95, p99Ms: 99 });
    hook({ routeOptions: { config } }, { statusCode: 200, elapsedTime: 1e9 }, () => undefined);
    expect(statistics.performance().p99Ms, 'one that is longer than anything is one').to.equal(100);
  });
});
