import { expect } from 'chai';
import fc from 'fast-check';
import { registryFor } from '../support/app.ts';
import { basic, pushBlob, sendChunk, startUpload } from '../support/http.ts';
import { digestOf, noise } from '../support/images.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { blobOf, expectBlob } from './blobSamples.ts';
import { type Conversation, chunkOf, conversations, LAST_CHUNK, statusesOf } from './conversation.ts';
import { exchange } from './exchanges.ts';
import { head } from './raw.ts';

const AUTHORIZATION = `Authorization: ${basic(ADMIN, PASSWORD)}`;
const OTHER_DIGEST = digestOf('something else');
const LARGEST = 1000;

/** What stands in a body and would be answered by a server that has lost its place: 404, as nothing else here is. */
const SMUGGLED = head('GET /v2/smuggled/app/tags/list', AUTHORIZATION);
/** What comes behind a request on its connection. */
const NEXT = head('GET /v2/', AUTHORIZATION);

type Framing = Readonly<{ name: string; header: (body: Buffer) => string; frame: (body: Buffer) => Buffer }>;

const FRAMINGS: readonly Framing[] = [
  { name: 'Content-Length', header: ({ length }) => `Content-Length: ${length}`, frame: (body) => body },
  {
    name: 'chunks',
    header: () => 'Transfer-Encoding: chunked',
    frame: (body) =>
      Buffer.concat(
        [body.subarray(0, 30), body.subarray(30)]
          .filter(({ length }) => length > 0)
          .map(chunkOf)
          .concat(Buffer.from(LAST_CHUNK)),
      ),
  },
];

/** A request whose body nobody wants, or not all of it. `at` is a session that holds five bytes. */
type Unwanted = Readonly<{
  it: string;
  line: (at: string) => string;
  headers?: readonly string[];
  status: number;
  range?: (length: number) => string;
  /** Whether some of the body is read before. */
  begun?: true;
}>;

const UNWANTED: readonly Unwanted[] = [
  { it: 'of nobody', line: (at) => `PATCH ${at}`, headers: [], status: 401 },
  { it: 'with a token that is none', line: (at) => `PATCH ${at}`, headers: ['Authorization: Bearer nothing'], status: 401 },
  { it: 'to a session that there is not', line: (at) => `PATCH ${at}0`, status: 404 },
  { it: 'to the session of another repository', line: (at) => `PATCH ${at.replace('/app/', '/other/')}`, status: 404 },
  { it: 'to a repository that cannot be called so', line: () => 'POST /v2/A/blobs/uploads/', status: 400 },
  { it: 'to a path that there is not', line: () => 'PUT /nothing/here', status: 404 },
  { it: 'with a method that is not taken', line: (at) => `POST ${at}`, status: 405 },
  { it: 'out of order', line: (at) => `PATCH ${at}`, range: (length) => `Content-Range: 9-${8 + length}`, status: 416 },
  { it: 'with a range that is none', line: (at) => `PATCH ${at}`, headers: [AUTHORIZATION, 'Content-Range: x'], status: 400 },
  { it: 'without a digest', line: (at) => `PUT ${at}`, status: 400 },
  { it: 'with a digest that is none', line: (at) => `PUT ${at}?digest=sha256:abc`, status: 400 },
  { it: 'with another digest', line: (at) => `PUT ${at}?digest=${OTHER_DIGEST}`, status: 400, begun: true },
  {
    it: 'in one request, with another digest',
    line: () => `POST /v2/framing/app/blobs/uploads/?digest=${OTHER_DIGEST}`,
    status: 400,
    begun: true,
  },
  { it: 'that begins a session', line: () => 'POST /v2/framing/app/blobs/uploads/', status: 202 },
  { it: 'that asks how far it is', line: (at) => `GET ${at}`, status: 204 },
  { it: 'that cancels', line: (at) => `DELETE ${at}`, status: 204 },
  { it: 'of OPTIONS', line: (at) => `OPTIONS ${at}`, status: 204 },
];

describe('a connection on which a body was not wanted', () => {
  const registry = registryFor({ GHOSTDOCK_LARGEST_BLOB: String(LARGEST) });
  const talk = conversations(() => registry().port);

  const session = async (): Promise<string> =>
    sendChunk(registry().admin, await startUpload(registry().admin, 'framing/app'), Buffer.from('hello'));

  const requestOf = async (
    { line, headers = [AUTHORIZATION], range }: Unwanted,
    framing: Framing,
    body: Buffer,
    ...more: readonly string[]
  ) =>
    head(line(await session()), ...headers, framing.header(body), ...(range === undefined ? [] : [range(body.length)]), ...more);

  /** In step, or at its end: never at another place of the body than the registry thinks. */
  const expectInStep = async (heard: readonly number[], status: number): Promise<void> => {
    expect(heard.filter((one) => one !== 100)).to.be.deep.oneOf([[status, 200], [status]]);
  };

  for (const framing of FRAMINGS) {
    describe(`of ${framing.name}`, () => {
      const body = Buffer.from(SMUGGLED.repeat(3));

      for (const row of UNWANTED) {
        it(`answers the next request: ${row.it}`, async () => {
          const { say, hear } = await talk();
          say(await requestOf(row, framing, body), framing.frame(body), NEXT);
          expect(statusesOf(await hear(2))).to.deep.equal([row.status, 200]);
        });

        it(`waits for the rest of the body behind its answer, and answers the next request: ${row.it}`, async () => {
          const { say, hear } = await talk();
          const bytes = framing.frame(body);
          say(await requestOf(row, framing, body), bytes.subarray(0, 20));
          if (row.begun === undefined) expect(statusesOf(await hear(1))).to.deep.equal([row.status]);
          say(bytes.subarray(20), NEXT);
          expect(statusesOf(await hear(2))).to.deep.equal([row.status, 200]);
        });
      }

      for (const row of UNWANTED.filter(({ status }) => status >= 400)) {
        it(`ends behind its answer, which arrives, where the client wants that: ${row.it}`, async () => {
          const { say, hearAll, broken } = await talk();
          const large = Buffer.from(SMUGGLED.repeat(60_000));
          say(await requestOf(row, framing, large, 'Connection: close'), framing.frame(large));
          const status = row.begun === undefined ? row.status : 413;
          expect(statusesOf(await hearAll())).to.deep.equal([status]);
          expect(broken()).to.equal(undefined);
        });
      }

      it('answers the next request when more came than a blob may have', async () => {
        const { say, hear } = await talk();
        const large = Buffer.from(SMUGGLED.repeat(1000));
        say(head(`PATCH ${await session()}`, AUTHORIZATION, framing.header(large)), framing.frame(large), NEXT);
        expect(statusesOf(await hear(2))).to.deep.equal([413, 200]);
      });
    });
  }

  it('is in step with its client whatever the body is and however it comes', async () => {
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc
        .array(fc.constantFrom('\r\n', '0\r\n\r\n', '\r\n\r\n', SMUGGLED, 'GET / HTTP/1.1\r\n', 'x'), { maxLength: 5 })
        .map((parts) => Buffer.from(parts.join(''))),
    );
    const rows = UNWANTED.filter(({ status, range }) => status >= 400 && range === undefined);
    const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...rows),
        fc.constantFrom(...FRAMINGS),
        anyBytes,
        cuts,
        fc.boolean(),
        async (row, framing, body, places, expecting) => {
          const { say, hear, socket } = await talk();
          const bytes = Buffer.concat([
            Buffer.from(await requestOf(row, framing, body, ...(expecting ? ['Expect: 100-continue'] : []))),
            framing.frame(body),
            Buffer.from(NEXT),
          ]);
          const at = [
            0,
            ...places.map((place) => Math.floor(place * bytes.length)).sort((one, other) => one - other),
            bytes.length,
          ];
          for (const [index, start] of at.slice(0, -1).entries()) {
            say(bytes.subarray(start, at[index + 1]));
            await new Promise(setImmediate);
          }
          const heard = statusesOf(await hear(expecting ? 3 : 2).catch(() => hear(0)));
          // No body at all is a bad range or a wrong digest all the same.
          await expectInStep(heard, row.status);
          socket.destroy();
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('a request whose body cannot be told from what follows it', () => {
  const registry = registryFor();
  const talk = conversations(() => registry().port);
  const HEADERS: readonly (readonly string[])[] = [
    ['Content-Length: 5', 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding: chunked', 'Content-Length: 5'],
    ['Content-Length: 5', 'Content-Length: 6'],
    ['Content-Length: 5', 'Content-Length: 5'],
    ['Content-Length: 5, 5'],
    ['Content-Length: -1'],
    ['Content-Length: +5'],
    ['Content-Length: 0x5'],
    ['Content-Length: 5 5'],
    ['Content-Length: 5.0'],
    ['Content-Length: five'],
    ['Content-Length:'],
    ['Content-Length: 99999999999999999999'],
    ['Transfer-Encoding: identity'],
    ['Transfer-Encoding: gzip, chunked, rubbish'],
    ['Transfer-Encoding: chunked, identity'],
    ['Transfer-Encoding: chunked, chunked'],
    ['Transfer-Encoding: xchunked'],
    ['Transfer-Encoding : chunked'],
    ['Transfer-Encoding:\x0bchunked'],
    ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
    [' Transfer-Encoding: chunked'],
  ];
  const CHUNKS: readonly string[] = [
    '-5\r\nbytes\r\n0\r\n\r\n',
    '+5\r\nbytes\r\n0\r\n\r\n',
    '0x5\r\nbytes\r\n0\r\n\r\n',
    '5 \r\nbytes\r\n0\r\n\r\n',
    ' 5\r\nbytes\r\n0\r\n\r\n',
    '5\nbytes\n0\n\n',
    'FFFFFFFFFFFFFFFFF\r\nbytes\r\n0\r\n\r\n',
    '5\r\nbytesX\r\n0\r\n\r\n',
    '5\r\nbytes0\r\n\r\n',
    '\r\nbytes\r\n0\r\n\r\n',
    '5\r\nbytes\r\n0\r\nContent-Length: 5\r\n\r\n',
    '5\r\nbytes\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n',
    '5\r\nbytes\r\n0\r\nno trailer\r\n\r\n',
    '5;a\x00b\r\nbytes\r\n0\r\n\r\n',
    `5;${'x'.repeat(20_000)}\r\nbytes\r\n0\r\n\r\n`,
    'nonsense\r\n',
  ];

  const keptOf = async (location: string): Promise<unknown> => (await registry().admin.send('GET', location)).headers.range;

  /** Refused, its connection closed, and nothing behind it taken for a request. */
  const expectRefused = async ({ say, hearAll }: Conversation, ...parts: readonly string[]): Promise<void> => {
    say(...parts, SMUGGLED, NEXT);
    const statuses = statusesOf(await hearAll());
    expect(statuses).to.have.length.at.most(1);
    for (const status of statuses) expect(status).to.be.oneOf([400, 413]);
  };

  for (const headers of HEADERS) {
    it(`is refused before anybody reads it, and ends its connection: ${JSON.stringify(headers.join('; '))}`, async () => {
      const location = await startUpload(registry().admin, 'framing/app');
      await expectRefused(await talk(), head(`PATCH ${location}`, AUTHORIZATION, ...headers), '5\r\nbytes\r\n0\r\n\r\n');
      expect(await keptOf(location)).to.equal('0-0');
    });
  }

  for (const chunks of CHUNKS) {
    it(`is refused where that shows, and ends its connection: ${JSON.stringify(chunks.slice(0, 50))}`, async () => {
      const location = await startUpload(registry().admin, 'framing/app');
      await expectRefused(await talk(), head(`PATCH ${location}`, AUTHORIZATION, 'Transfer-Encoding: chunked'), chunks);
      // What came before is kept, or not.
      expect(await keptOf(location)).to.be.oneOf(['0-0', '0-4']);
      const rest = (await keptOf(location)) === '0-4' ? '' : 'bytes';
      await exchange(registry().admin, ['PUT', `${location}?digest=${digestOf('bytes')}`, { body: rest }], { status: 201 });
    });
  }

  for (const [what, chunks] of [
    ['extensions', '2;name=value\r\nby\r\n3;other\r\ntes\r\n0;end\r\n\r\n'],
    ['a trailer', '5\r\nbytes\r\n0\r\nX-Checksum: 5\r\n\r\n'],
    ['a length in capital letters and with zeros', '000\x35\r\nbytes\r\n0\r\n\r\n'],
    ['single bytes', `${[...'bytes'].map((byte) => `1\r\n${byte}\r\n`).join('')}0\r\n\r\n`],
  ] as const) {
    it(`is no chunked body with ${what}: that one is taken`, async () => {
      const location = await startUpload(registry().admin, 'framing/app');
      const { say, hear } = await talk();
      say(head(`PATCH ${location}`, AUTHORIZATION, 'Transfer-Encoding: chunked'), chunks, NEXT);
      expect(statusesOf(await hear(2))).to.deep.equal([202, 200]);
      expect(await keptOf(location)).to.equal('0-4');
    });
  }
});

describe('a client that waits to be asked for the body', () => {
  const registry = registryFor({ GHOSTDOCK_LARGEST_BLOB: String(LARGEST) });
  const talk = conversations(() => registry().port);
  const EXPECT = 'Expect: 100-continue';
  const session = async (): Promise<string> =>
    sendChunk(registry().admin, await startUpload(registry().admin, 'framing/app'), Buffer.from('hello'));

  for (const { it: what, line, headers = [AUTHORIZATION], status } of UNWANTED.filter(
    ({ begun, range }) => begun === undefined && range === undefined,
  )) {
    it(`is answered without that, and its connection ends: ${what}`, async () => {
      const { say, hearAll } = await talk();
      say(head(line(await session()), ...headers, 'Content-Length: 100', EXPECT));
      const answers = await hearAll();
      expect(statusesOf(answers)).to.deep.equal([status]);
      expect(answers[0]?.headers.connection).to.equal('close');
    });
  }

  const refusals: readonly (readonly [what: string, line: (at: string) => string, headers: readonly string[], status: number])[] =
    [
      ['too large, as announced', (at) => `PATCH ${at}`, ['Content-Length: 996'], 413],
      [
        'too large in one request',
        () => `POST /v2/framing/app/blobs/uploads/?digest=${OTHER_DIGEST}`,
        ['Content-Length: 1001'],
        413,
      ],
      ['too large, as its range says', (at) => `PATCH ${at}`, ['Transfer-Encoding: chunked', 'Content-Range: 5-1000'], 413],
      ['out of order', (at) => `PATCH ${at}`, ['Content-Length: 2', 'Content-Range: 6-7'], 416],
      ['out of order at the end', (at) => `PUT ${at}?digest=${OTHER_DIGEST}`, ['Content-Length: 2', 'Content-Range: 6-7'], 416],
      ['of another length than its range', (at) => `PATCH ${at}`, ['Content-Length: 3', 'Content-Range: 5-6'], 400],
      ['a manifest too large', () => 'PUT /v2/framing/app/manifests/x', ['Content-Length: 99999999'], 413],
      ['a manifest of no type', () => 'PUT /v2/framing/app/manifests/..', ['Content-Length: 9'], 400],
      ['a login too large', () => 'POST /auth', ['Content-Length: 99999', 'Content-Type: application/json'], 413],
    ];
  for (const [what, line, headers, status] of refusals) {
    it(`is answered without that, and its connection ends: ${what}`, async () => {
      const { say, hearAll } = await talk();
      say(head(line(await session()), AUTHORIZATION, ...headers, EXPECT));
      expect(statusesOf(await hearAll())).to.deep.equal([status]);
    });
  }

  it('is asked once it is clear that the body is wanted, and goes on with the connection', async () => {
    const { say, hear } = await talk();
    const blob = blobOf('asked for', 900);
    const at = await startUpload(registry().admin, 'framing/app');
    say(head(`PATCH ${at}`, AUTHORIZATION, 'Content-Length: 500', EXPECT));
    expect(statusesOf(await hear(1))).to.deep.equal([100]);
    say(blob.bytes.subarray(0, 500));
    expect(statusesOf(await hear(2))).to.deep.equal([100, 202]);
    say(head(`PUT ${at}?digest=${blob.digest}`, AUTHORIZATION, 'Transfer-Encoding: chunked', EXPECT));
    expect(statusesOf(await hear(3))).to.deep.equal([100, 202, 100]);
    say(chunkOf(blob.bytes.subarray(500)), LAST_CHUNK, NEXT);
    const answers = await hear(5);
    expect(statusesOf(answers)).to.deep.equal([100, 202, 100, 201, 200]);
    expect(answers.map(({ headers }) => headers.connection)).not.to.include('close');
    await expectBlob(registry().admin, 'framing/app', blob);
  });

  it('is asked for a manifest and for a login, too', async () => {
    const { say, hear } = await talk();
    say(head('PUT /v2/framing/app/manifests/x', AUTHORIZATION, 'Content-Length: 2', EXPECT));
    expect(statusesOf(await hear(1))).to.deep.equal([100]);
    say('{}');
    expect(statusesOf(await hear(2))).to.deep.equal([100, 400]);
    const login = JSON.stringify({ username: ADMIN, password: PASSWORD });
    say(head('POST /auth/login', `Content-Length: ${login.length}`, 'Content-Type: application/json', EXPECT));
    expect(statusesOf(await hear(3))).to.deep.equal([100, 400, 100]);
    say(login);
    expect(statusesOf(await hear(4))).to.deep.equal([100, 400, 100, 200]);
  });

  it('is refused after that where only the body shows it, and goes on with the connection', async () => {
    const { say, hear } = await talk();
    const bytes = noise(LARGEST + 1, 'too many');
    say(head(`PATCH ${await startUpload(registry().admin, 'framing/app')}`, AUTHORIZATION, 'Transfer-Encoding: chunked', EXPECT));
    expect(statusesOf(await hear(1))).to.deep.equal([100]);
    say(chunkOf(bytes), LAST_CHUNK, NEXT);
    expect(statusesOf(await hear(3))).to.deep.equal([100, 413, 200]);
  });

  it('is not asked for what is mounted, and goes on where there is no body', async () => {
    const blob = blobOf('mounted without a body', 100);
    await pushBlob(registry().admin, 'framing/source', blob);
    const mount = await talk();
    mount.say(
      head(
        `POST /v2/framing/target/blobs/uploads/?mount=${blob.digest}&from=framing/source`,
        AUTHORIZATION,
        'Content-Length: 100',
        EXPECT,
      ),
    );
    expect(statusesOf(await mount.hearAll())).to.deep.equal([201]);
    const none = await talk();
    none.say(
      head('GET /v2/', AUTHORIZATION, EXPECT),
      head('POST /v2/framing/app/blobs/uploads/', AUTHORIZATION, 'Content-Length: 0', EXPECT),
      NEXT,
    );
    expect(statusesOf(await none.hear(5))).to.deep.equal([100, 200, 100, 202, 200]);
  });

  it('is told when it expects something else', async () => {
    const { say, hear } = await talk();
    say(head('GET /v2/', AUTHORIZATION, 'Expect: the-unexpected'));
    expect((await hear(1))[0]?.status).to.equal(417);
  });
});
