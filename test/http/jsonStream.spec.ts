import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect } from 'chai';
import fc from 'fast-check';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import { RegistryError } from '../../src/errors.ts';
import { type JsonStream, sendJson } from '../../src/http/jsonStream.ts';
import { MANAGEMENT_REFUSING } from '../../src/http/managementErrors.ts';
import { refuseIn } from '../../src/http/refusal.ts';
import { waitUntil } from '../support/processes.ts';
import { turnsDuring } from '../support/turns.ts';

async function* pagesOf<T>(...pages: readonly (readonly T[])[]): AsyncGenerator<readonly T[]> {
  yield* pages;
}

/** Any JSON, and the same as a stream of it: each array in pages, some fields later. */
const anyJson = fc.letrec<{ value: unknown; array: readonly unknown[]; object: Readonly<Record<string, unknown>> }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, 0, -1.5, '', 'text', '"\\\u0000\u2028'),
    tie('array'),
    tie('object'),
  ),
  array: fc.array(tie('value'), { maxLength: 5 }),
  object: fc.dictionary(fc.string({ maxLength: 5 }), tie('value'), { maxKeys: 4, noNullPrototype: true }),
}));

const streamOf = (value: unknown, depth = 0): unknown => {
  if (Array.isArray(value)) {
    const items = value.map((item) => streamOf(item, depth + 1));
    return pagesOf(items.slice(0, 2), [], items.slice(2));
  }
  if (typeof value !== 'object' || value === null) return depth % 2 === 1 ? async () => value : value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, streamOf(field, depth + 1)]));
};

describe('JSON that is not held whole', () => {
  let app: FastifyInstance;
  let answer: () => JsonStream;
  const logged: string[] = [];

  before(async () => {
    const log = (level: string) => (_detail: unknown, message: string) => void logged.push(`${level}: ${message}`);
    app = Fastify({ logController: new LogController({ disableRequestLogging: true }) });
    app.addHook('onRequest', async (request) => {
      Object.assign(request.log, { error: log('error'), warn: log('warn'), info: log('info'), debug: log('debug') });
    });
    refuseIn(app, MANAGEMENT_REFUSING);
    app.route({ method: ['GET', 'HEAD'], url: '/', handler: (request, reply) => sendJson(request, reply, answer()) });
    await app.listen({ host: '127.0.0.1', port: 0 });
  });
  beforeEach(() => {
    logged.length = 0;
  });
  after(() => app.close());

  const port = (): number => (app.server.address() as AddressInfo).port;

  it('reads as the same JSON in one piece, whatever of it comes in pages or later', async () => {
    const { object } = anyJson;
    await fc.assert(
      fc.asyncProperty(object, async (json) => {
        answer = () => streamOf(json) as JsonStream;
        const { payload, headers } = await app.inject('/');
        expect(headers['content-type']).to.equal('application/json; charset=utf-8');
        expect(JSON.parse(payload)).to.deep.equal(JSON.parse(JSON.stringify(json)));
      }),
      { numRuns: 200 },
    );
  });

  it('leaves out what is undefined, and calls what comes later when all before it is written', async () => {
    let seen = 0;
    const counted = async function* () {
      for (const page of [[1, 2], [3]]) {
        seen += page.length;
        yield page;
      }
    };
    answer = () => ({ absent: undefined, items: counted(), count: () => seen, nothing: () => undefined });
    expect((await app.inject('/')).payload).to.equal('{"items":[1,2,3],"count":3,"nothing":null}');
  });

  it('answers HEAD without asking for any of it', async () => {
    answer = () => ({
      items: (async function* () {
        yield [1];
        throw new Error('It was read.');
      })(),
    });
    const { statusCode, payload } = await app.inject({ method: 'HEAD', url: '/' });
    expect({ statusCode, payload }).to.deep.equal({ statusCode: 200, payload: '' });
  });

  it('that fails before its first chunk is refused as anything else', async () => {
    answer = () => ({
      items: (async function* () {
        yield ['a little'];
        throw new RegistryError('UNAVAILABLE', 'The views are away.');
      })(),
    });
    const { statusCode, payload } = await app.inject('/');
    expect(statusCode).to.equal(503);
    expect(JSON.parse(payload)).to.have.nested.property('error.message', 'The views are away.');
  });

  const LARGE = ['x'.repeat(20_000)];

  /** Everything up to the end of the connection. */
  const rawAnswer = async (socket: Socket): Promise<string> => {
    let text = '';
    socket.setEncoding('utf8').on('data', (data: string) => {
      text += data;
    });
    socket.on('error', () => undefined);
    await once(socket, 'close');
    return text;
  };

  for (const { error, level } of [
    { error: new RegistryError('UNAVAILABLE', 'The views are away.'), level: 'warn' },
    { error: new Error('A defect.'), level: 'error' },
  ])
    it(`that fails later ends the connection without an end of the body, and says so in the log (${level})`, async () => {
      answer = () => ({
        items: (async function* () {
          for (let page = 0; page < 20; page++) yield LARGE;
          throw error;
        })(),
      });
      const socket = connect(port(), '127.0.0.1');
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      const text = await rawAnswer(socket);
      expect(text).to.match(/^HTTP\/1\.1 200 /);
      expect(text, 'the last chunk of a body').not.to.match(/\r\n0\r\n\r\n$/);
      expect(logged).to.deep.equal([`${level}: An answer was broken off in the middle.`]);
    });

  /** Pages without an end, and how many of them were asked for. */
  const endless = () => {
    const asked = { streams: 0, pages: 0, returned: false };
    const pages = async function* () {
      asked.streams += 1;
      try {
        for (;;) {
          asked.pages += 1;
          yield LARGE;
        }
      } finally {
        asked.returned = true;
      }
    };
    return { asked, pages };
  };

  /** Bytes that the kernel and Node's own buffers may hold for a connection on which nobody reads, and then some. */
  const MOST_UNDERWAY = 32 * 1024 * 1024;

  it('reads no further than a slow client does, and ends what it reads from when the client goes away', async () => {
    const { asked, pages } = endless();
    answer = () => ({ items: pages() });
    const socket = connect(port(), '127.0.0.1');
    socket.on('error', () => undefined).pause();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    let before = -1;
    // Until it stands still for as long as the loop turns several times.
    await waitUntil('it has stopped reading', async () => {
      const still = asked.pages === before && asked.pages > 0;
      before = asked.pages;
      return still;
    });
    expect(asked.pages * 20_000).to.be.lessThan(MOST_UNDERWAY);
    expect(asked.returned).to.equal(false);
    socket.destroy();
    await waitUntil('it was told to return', async () => asked.returned);
    expect(logged).to.deep.equal([]);
  });

  for (const { what, item, pages, turns } of [
    { what: 'of large pages', item: 'x'.repeat(20_000), pages: 500, turns: 500 },
    { what: 'of many small parts', item: { later: () => 1 }, pages: 2000, turns: 100 },
  ])
    it(`lets others have their turn, ${what}, though all is there at once and taken at once`, async () => {
      const all = async function* () {
        for (let page = 0; page < pages; page++) yield [item];
      };
      answer = () => ({ items: all() });
      let read = 0;
      const counted = await turnsDuring(async () => {
        read = JSON.parse((await app.inject('/')).payload).items.length;
      });
      expect(read).to.equal(pages);
      expect(counted).to.be.at.least(turns);
    });

  it('holds nothing for requests that wait behind another one on the same connection', async () => {
    const { asked, pages } = endless();
    let calls = 0;
    answer = () => {
      calls += 1;
      return { items: pages() };
    };
    const socket = connect(port(), '127.0.0.1');
    socket.on('error', () => undefined).pause();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(50));
    await waitUntil('all of them have come', async () => calls === 50 && asked.pages > 0);
    expect(asked.streams).to.equal(1);
    socket.destroy();
    await waitUntil('it was told to return', async () => asked.returned);
    expect(asked.streams).to.equal(1);
  });
});
