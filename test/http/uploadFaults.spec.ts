import { Readable } from 'node:stream';
import { expect } from 'chai';
import { registryFor, type TestApp } from '../support/app.ts';
import { basic, type HttpClient, httpClient, startUpload } from '../support/http.ts';
import { digestOf, noise } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { skipTest } from '../support/reporter.ts';
import { chosenStores } from '../support/stores.ts';
import { exchange, expectAnswer } from './exchanges.ts';
import { connection, head, rawExchange } from './raw.ts';

const BYTES = noise(300_000, 'faults');
const DIGEST = digestOf(BYTES);
const AUTHORIZATION = `Authorization: ${basic(ADMIN, PASSWORD)}`;

const rangeOf = async (client: HttpClient, location: string): Promise<unknown> =>
  (await client.send('GET', location)).headers.range;

const sessionsOf = async ({ app }: TestApp): Promise<number> => {
  let count = 0;
  for await (const _session of app.blobs.uploads.list()) count += 1;
  return count;
};

const chunkLine = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);

describe('an upload whose connection breaks', () => {
  const registry = registryFor();

  /** Sends this much of a request and hangs up without an answer. */
  const hangUp = async (...bytes: readonly (string | Buffer)[]): Promise<void> => {
    const socket = await connection(registry().port);
    for (const part of bytes) await new Promise((resolve) => socket.write(part, resolve));
    socket.destroy();
  };

  /** Nothing is kept of what came before the registry knew who sends it, and views on a server take their time to say so. */
  const onlyWhereViewsAnswerAtOnce = (context: Mocha.Context): void => {
    if (chosenStores().endsWith('mongo'))
      skipTest(context, 'these clients are gone before views on a server have told who they are');
  };

  it('keeps what came, without a gap, and goes on from there', async function () {
    onlyWhereViewsAnswerAtOnce(this);
    const { admin } = registry();
    const location = await startUpload(admin, 'faults/app');
    const sent = BYTES.subarray(0, 200_000);
    await hangUp(head(`PATCH ${location}`, AUTHORIZATION, 'Transfer-Encoding: chunked'), chunkLine(sent));
    await waitUntil('the bytes are kept', async () => (await rangeOf(admin, location)) !== '0-0');
    const kept = Number(String(await rangeOf(admin, location)).slice(2)) + 1;
    expect(kept).to.be.at.most(sent.length);
    const rest = { body: BYTES.subarray(kept), headers: { 'content-range': `${kept}-${BYTES.length - 1}` } };
    await exchange(admin, ['PATCH', location, rest], { status: 202, headers: { range: `0-${BYTES.length - 1}` } });
    await exchange(admin, ['PUT', `${location}?digest=${DIGEST}`], { status: 201 });
    await exchange(admin, ['GET', `/v2/faults/app/blobs/${DIGEST}`], { status: 200, bytes: BYTES });
  });

  it('keeps what came of a body that was announced longer', async function () {
    onlyWhereViewsAnswerAtOnce(this);
    const { admin } = registry();
    const location = await startUpload(admin, 'faults/app');
    await hangUp(head(`PATCH ${location}`, AUTHORIZATION, 'Content-Length: 300000'), BYTES.subarray(0, 100_000));
    await waitUntil('the bytes are kept', async () => (await rangeOf(admin, location)) === '0-99999');
  });

  it('stores nothing when it breaks in the PUT that ends it', async function () {
    onlyWhereViewsAnswerAtOnce(this);
    const { admin, app } = registry();
    const bytes = noise(10_000, 'broken put');
    const location = await startUpload(admin, 'faults/put');
    const before = await registry().head();
    await hangUp(
      head(`PUT ${location}?digest=${digestOf(bytes)}`, AUTHORIZATION, 'Content-Length: 10000'),
      bytes.subarray(0, 9_999),
    );
    await waitUntil('the bytes are kept', async () => (await rangeOf(admin, location)) === '0-9998');
    expect(await registry().head()).to.equal(before);
    expect(await app.blobs.stat(digestOf(bytes) as never)).to.equal(undefined);
    await exchange(admin, ['PUT', `${location}?digest=${digestOf(bytes)}`, { body: bytes.subarray(9_999) }], { status: 201 });
  });

  it('leaves nothing of a single POST', async () => {
    const sessions = await sessionsOf(registry());
    const before = await registry().head();
    const path = `/v2/faults/app/blobs/uploads/?digest=${digestOf('never')}`;
    await hangUp(head(`POST ${path}`, AUTHORIZATION, 'Content-Length: 1000'), BYTES.subarray(0, 500));
    await hangUp(head(`POST ${path}`, AUTHORIZATION, 'Transfer-Encoding: chunked'), chunkLine(BYTES.subarray(0, 500)));
    await waitUntil('the sessions are gone', async () => (await sessionsOf(registry())) === sessions);
    expect(await registry().head()).to.equal(before);
  });

  it('is over for the registry as soon as the client is gone, also where no byte came', async () => {
    const { admin } = registry();
    const location = await startUpload(admin, 'faults/app');
    await hangUp(head(`PATCH ${location}`, AUTHORIZATION, 'Content-Length: 300000'));
    await hangUp(head(`PATCH ${location}`, AUTHORIZATION, 'Transfer-Encoding: chunked'), 'nonsense instead of a length\r\n');
    await exchange(admin, ['PATCH', location, { body: BYTES }], { status: 202, headers: { range: `0-${BYTES.length - 1}` } });
  });
});

describe('an upload with more bytes than were announced', () => {
  const registry = registryFor();

  it('keeps as many as were announced, and the rest is no request', async () => {
    const { admin, port, app } = registry();
    const location = await startUpload(admin, 'faults/app');
    const bytes = noise(2_000, 'longer');
    const put = head(`PUT ${location}?digest=${digestOf(bytes)}`, AUTHORIZATION, 'Content-Length: 1000');
    const answer = await rawExchange(port, put, bytes);
    expectAnswer(answer, { status: 400 });
    // All of them, unless the rest came, and ended the connection, before the registry knew who sends it.
    await waitUntil('it is over', async () => ['0-999', '0-0'].includes(String(await rangeOf(admin, location))));
    expect(await app.blobs.stat(digestOf(bytes) as never)).to.equal(undefined);
  });

  for (const [what, headers] of [['a length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked']]] as const) {
    it(`is refused before anybody reads it: ${what}`, async () => {
      const { admin, port } = registry();
      const location = await startUpload(admin, 'faults/app');
      const patch = head(`PATCH ${location}`, AUTHORIZATION, 'Connection: close', ...headers);
      const answer = await rawExchange(port, patch, '5\r\nbytes\r\n0\r\n\r\n');
      expectAnswer(answer, { status: 400 });
      expect(await rangeOf(admin, location)).to.equal('0-0');
    });
  }
});

describe('a refused upload leaves its connection usable', () => {
  const registry = registryFor({ GHOSTDOCK_LARGEST_BLOB: '200000' });
  let one: HttpClient;

  before(() => {
    one = httpClient(registry().url, { authorization: basic(ADMIN, PASSWORD), connections: 1 });
  });
  after(() => one.close());

  const streamed = (): Readable =>
    Readable.from([BYTES.subarray(0, 100_000), BYTES.subarray(100_000, 250_000), BYTES.subarray(250_000)]);
  const small = { body: BYTES.subarray(0, 100_000) };
  const rows: readonly (readonly [
    what: string,
    client: () => HttpClient,
    method: string,
    path: (location: string) => string,
    sending: object,
    status: number,
  ])[] = [
    ['not logged in', () => one.as(undefined), 'PATCH', (at) => at, { body: BYTES }, 401],
    ['wrong password', () => one.as(basic(ADMIN, 'wrong')), 'PATCH', (at) => at, { body: BYTES }, 401],
    ['unknown session', () => one, 'PATCH', (at) => `${at}0`, { body: BYTES }, 404],
    ['no such path', () => one, 'PATCH', () => '/v2/_nothing/here', { body: BYTES }, 404],
    ['wrong method', () => one, 'POST', (at) => at, { body: BYTES }, 405],
    ['no digest', () => one, 'PUT', (at) => at, { body: BYTES }, 400],
    ['out of order', () => one, 'PATCH', (at) => at, { ...small, headers: { 'content-range': '5-100004' } }, 416],
    ['too large, as announced', () => one, 'PATCH', (at) => at, { body: BYTES }, 413],
    ['too large, as it comes', () => one, 'PATCH', (at) => at, { body: streamed() }, 413],
    ['longer than its range', () => one, 'PATCH', (at) => at, { body: streamed(), headers: { 'content-range': '0-999' } }, 400],
    [
      'a manifest too large, as announced',
      () => one,
      'PUT',
      () => '/v2/faults/app/manifests/x',
      { body: noise(5_000_000, 1) },
      413,
    ],
    [
      'a manifest too large, as it comes',
      () => one,
      'PUT',
      () => '/v2/faults/app/manifests/x',
      { body: Readable.from(Array.from({ length: 50 }, () => BYTES.subarray(0, 100_000))) },
      413,
    ],
    [
      'a login too large',
      () => one,
      'POST',
      () => '/auth',
      { body: BYTES, headers: { 'content-type': 'application/json' } },
      413,
    ],
  ];

  for (const [what, client, method, path, sending, status] of rows) {
    it(`${what}: ${status}`, async () => {
      const location = await startUpload(one, 'faults/app');
      await exchange(client(), [method, path(location), sending], { status });
      // On the same connection: it would wait for ever behind a body that nobody reads.
      await exchange(one, ['GET', location], { status: 204, headers: { range: '0-0' } });
      await exchange(one, ['PATCH', location, small], { status: 202, headers: { range: '0-99999' } });
    });
  }
});

describe('the largest blob', () => {
  const registry = registryFor({ GHOSTDOCK_LARGEST_BLOB: '1000' });
  const TOO_LARGE = { status: 413, code: 'SIZE_INVALID', detail: { largest: 1000 } } as const;

  it('is stored, and one byte more is not', async () => {
    const { admin } = registry();
    for (const [size, expected] of [
      [1000, { status: 201 }],
      [1001, TOO_LARGE],
    ] as const) {
      const body = BYTES.subarray(0, size);
      await exchange(admin, ['POST', `/v2/a/blobs/uploads/?digest=${digestOf(body)}`, { body }], expected);
      const streamed = { body: Readable.from([body]) };
      await exchange(admin, ['POST', `/v2/a/blobs/uploads/?digest=${digestOf(body)}`, streamed], expected);
      const location = await startUpload(admin, 'a');
      await exchange(admin, ['PUT', `${location}?digest=${digestOf(body)}`, { body }], expected);
    }
  });

  it('counts all chunks of a session, which keeps those that fit', async () => {
    const { admin } = registry();
    const location = await startUpload(admin, 'a');
    await exchange(admin, ['PATCH', location, { body: BYTES.subarray(0, 600) }], { status: 202 });
    await exchange(admin, ['PATCH', location, { body: BYTES.subarray(600, 1001) }], TOO_LARGE);
    await exchange(admin, ['PATCH', location, { body: Readable.from([BYTES.subarray(600, 1001)]) }], TOO_LARGE);
    await exchange(admin, ['GET', location], { status: 204, headers: { range: '0-599' } });
    const tooMany = digestOf(BYTES.subarray(0, 1001));
    for (const body of [BYTES.subarray(600, 1001), Readable.from([BYTES.subarray(600, 800), BYTES.subarray(800, 1001)])])
      await exchange(admin, ['PUT', `${location}?digest=${tooMany}`, { body }], TOO_LARGE);
    await exchange(admin, ['GET', location], { status: 204, headers: { range: '0-599' } });
    const body = BYTES.subarray(600, 1000);
    await exchange(admin, ['PUT', `${location}?digest=${digestOf(BYTES.subarray(0, 1000))}`, { body }], { status: 201 });
  });

  it('is what a range may announce, whether a length is announced or not', async () => {
    const { admin } = registry();
    const location = await startUpload(admin, 'a');
    const headers = { 'content-range': '0-1000' };
    for (const method of ['PATCH', 'PUT'])
      for (const body of [BYTES.subarray(0, 1001), Readable.from([BYTES.subarray(0, 1001)])])
        await exchange(admin, [method, `${location}?digest=${DIGEST}`, { body, headers }], TOO_LARGE);
    await exchange(admin, ['GET', location], { status: 204, headers: { range: '0-0' } });
  });

  it('leaves no session behind where it came in one request', async () => {
    const { admin } = registry();
    const sessions = await sessionsOf(registry());
    const path = `/v2/a/blobs/uploads/?digest=${digestOf(BYTES)}`;
    for (const body of [BYTES, Readable.from([BYTES])]) await exchange(admin, ['POST', path, { body }], TOO_LARGE);
    expect(await sessionsOf(registry())).to.equal(sessions);
  });

  it('that came before does not come again, though a repeated PUT brings too much of it', async () => {
    const { admin } = registry();
    const location = await startUpload(admin, 'a');
    const body = BYTES.subarray(0, 900);
    await exchange(admin, ['PATCH', location, { body }], { status: 202 });
    await exchange(admin, ['PUT', `${location}?digest=${digestOf(body)}`, { body: body.subarray(400) }], { status: 201 });
  });
});
