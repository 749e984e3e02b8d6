import { expect } from 'chai';
import { chunkOf, conversations, LAST_CHUNK, statusesOf } from '../http/conversation.ts';
import { head } from '../http/raw.ts';
import { basic, expectStatus, type HttpClient, httpClient, sendChunk, startUpload } from '../support/http.ts';
import { type Blob, seeded } from '../support/images.ts';
import { mongoForTests } from '../support/mongo/mongoForTests.ts';
import { nodesFor } from '../support/nodes.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import {
  AUTHORIZATION,
  blobOf,
  CHUNKED,
  eachOf,
  expectWhole,
  MIB,
  nothingIsLeft,
  REPOSITORY,
  resume,
  SEED,
  sendAndGo,
  statusOf,
} from './hostile.ts';

const mongo = await mongoForTests();

const EXPECT = 'Expect: 100-continue';

describe(`Hostile uploads (seed ${SEED}; GHOSTDOCK_TEST_SEED repeats it)`, function () {
  this.timeout(120_000);

  describe('in disorder', () => {
    const registry = registryFor();
    const talk = conversations(() => registry.current().port);
    let client: HttpClient;

    before(() => {
      client = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
    });
    after(() => client.close());
    afterEach(() => nothingIsLeft(registry.current()));

    const finish = async (at: string, { digest }: Blob): Promise<void> => {
      expectStatus('finish', await client.send('PUT', `${at}?digest=${digest}`), 201);
    };

    const chunkAt = (at: string, { bytes }: Blob, from: number, to: number) =>
      client.send('PATCH', at, { body: bytes.subarray(from, to), headers: { 'content-range': `${from}-${to - 1}` } });

    /** A PATCH that the registry has asked for its body, and so has looked where the session ends. */
    const begun = async (at: string, ...headers: readonly string[]) => {
      const conversation = await talk();
      conversation.say(head(`PATCH ${at}`, AUTHORIZATION, EXPECT, ...headers));
      expect(statusesOf(await conversation.hear(1))).to.deep.equal([100]);
      return conversation;
    };

    it('as chunks that are doubled, reordered and overlap, end whole: each is taken in its place alone', async () => {
      const random = seeded(SEED);
      const below = (limit: number): number => Math.floor(random() * limit);
      await eachOf(
        Array.from({ length: 25 }, (_, round) => round),
        4,
        async (round) => {
          const blob = blobOf(`${SEED} disorder ${round}`, 2 + below(5000));
          const { length } = blob.bytes;
          const at = await startUpload(client, REPOSITORY);
          for (let stands = 0; stands < length; ) {
            const froms = [stands, stands, below(length), Math.max(0, stands - 1), stands + 1].filter((from) => from < length);
            const spans = froms.map((from) => [from, from + 1 + below(length - from)] as const).sort(() => random() - 0.5);
            const answers = await Promise.all(spans.map(([from, to]) => chunkAt(at, blob, from, to)));
            const taken = spans.filter(
              (_, index) => expectStatus('chunk', answers[index] ?? expect.fail(), 202, 416).status === 202,
            );
            // What was taken lies one behind the other.
            for (const [from, to] of [...taken].sort(([one], [other]) => one - other)) {
              expect(from).to.equal(stands);
              stands = to;
            }
            const { headers } = expectStatus('status', await client.send('GET', at), 204);
            expect(headers.range).to.equal(`0-${Math.max(0, stands - 1)}`);
          }
          await finish(at, blob);
          await expectWhole(client, blob);
        },
      );
    });

    for (const [what, headersOf] of [
      ['the same range', () => ['Content-Length: 1000', 'Content-Range: 0-999']],
      ['ranges that overlap', (writer: number) => [`Content-Length: ${1000 + writer}`, `Content-Range: 0-${999 + writer}`]],
      ['no range and a length', () => ['Content-Length: 1000']],
      ['streams of no length', () => [CHUNKED]],
    ] as const) {
      it(`from three writers with ${what}, are those of one of them, and the others are told where it stands`, async () => {
        const blobs = [0, 1, 2].map((writer) =>
          blobOf(`${SEED} ${what} ${writer}`, 1000 + (what.includes('overlap') ? writer : 0)),
        );
        const at = await startUpload(client, REPOSITORY);
        const writers = await Promise.all(blobs.map((_, writer) => begun(at, ...headersOf(writer))));
        // A piece of each in turn, so that bytes could mix.
        for (let from = 0; from < 1002; from += 250) {
          for (const [writer, { say }] of writers.entries()) {
            const piece = blobs[writer]?.bytes.subarray(from, from + 250) ?? Buffer.alloc(0);
            if (piece.length > 0) say(what.startsWith('streams') ? chunkOf(piece) : piece);
          }
        }
        if (what.startsWith('streams')) for (const { say } of writers) say(LAST_CHUNK);
        const answers = await Promise.all(writers.map(async ({ hear }) => (await hear(2))[1]));
        expect(answers.map((answer) => answer?.status).sort()).to.deep.equal([202, 416, 416]);
        const winner = blobs[answers.findIndex((answer) => answer?.status === 202)] ?? expect.fail();
        for (const answer of answers) expect(answer?.headers.range).to.equal(`0-${winner.bytes.length - 1}`);
        for (const loser of blobs.filter((blob) => blob !== winner))
          expectStatus('finish', await client.send('PUT', `${at}?digest=${loser.digest}`), 400);
        await finish(at, winner);
        await expectWhole(client, winner);
        for (const loser of blobs.filter((blob) => blob !== winner)) expect(await statusOf(client, loser)).to.equal(404);
      });
    }

    it('from a writer that was cut off and comes again, while the registry still waits for the first connection', async () => {
      const blob = blobOf(`${SEED} twice`, 3000);
      const at = await startUpload(client, REPOSITORY);
      const first = await begun(at, CHUNKED);
      first.say(chunkOf(blob.bytes.subarray(0, 1000))); // and nothing more: no FIN, as when a cable is pulled
      expect(await resume(client, at, blob)).to.equal(0);
      await expectWhole(client, blob);
      first.say(chunkOf(blob.bytes.subarray(1000)), LAST_CHUNK);
      expect(statusesOf(await first.hear(2))).to.deep.equal([100, 404]);
      await expectWhole(client, blob);
    });

    it('and are finished while a chunk comes: with what is there, without that chunk, which is told so', async () => {
      const [there, whole] = [blobOf(`${SEED} there`, 1000), blobOf(`${SEED} there`, 2000)];
      expect(whole.bytes.subarray(0, 1000).equals(there.bytes)).to.equal(true);
      for (const finished of [there, whole]) {
        const at = await sendChunk(client, await startUpload(client, REPOSITORY), there.bytes);
        const writer = await begun(at, 'Content-Length: 1000');
        writer.say(whole.bytes.subarray(1000, 1500));
        const early = await client.send('PUT', `${at}?digest=${finished.digest}`);
        expect(early.status).to.equal(finished === there ? 201 : 400);
        writer.say(whole.bytes.subarray(1500));
        expect(statusesOf(await writer.hear(2))).to.deep.equal([100, finished === there ? 404 : 202]);
        if (finished === whole) await finish(at, whole);
        await expectWhole(client, finished);
      }
    });

    it('and are cancelled while a chunk comes, which ends at once, and its connection goes on', async () => {
      const at = await startUpload(client, REPOSITORY);
      const writer = await begun(at, 'Content-Length: 1000');
      writer.say(Buffer.alloc(500));
      expectStatus('cancel', await client.send('DELETE', at), 204);
      expect(statusesOf(await writer.hear(2))).to.deep.equal([100, 404]);
      writer.say(Buffer.alloc(500), head('GET /v2/', AUTHORIZATION));
      expect(statusesOf(await writer.hear(3))).to.deep.equal([100, 404, 200]);
    });

    it('and are finished, cancelled and cut at once, end whole or not at all', async () => {
      const random = seeded(SEED + 1);
      await eachOf(
        Array.from({ length: 30 }, (_, round) => round),
        4,
        async (round) => {
          const blob = blobOf(`${SEED} at once ${round}`, 3000);
          const at = await sendChunk(client, await startUpload(client, REPOSITORY), blob.bytes.subarray(0, 1000));
          const last = { body: blob.bytes.subarray(1000), headers: { 'content-range': '1000-2999' } };
          const put = `${at}?digest=${blob.digest}`;
          const cutAt = Math.floor(random() * 2000);
          const cut = sendAndGo(
            registry.current().port,
            Buffer.concat([
              Buffer.from(head(`PUT ${put}`, AUTHORIZATION, 'Content-Length: 2000', 'Content-Range: 1000-2999')),
              last.body.subarray(0, cutAt),
            ]),
            'end',
          );
          const puts = [client.send('PUT', put, last), client.send('PUT', put, last)];
          const cancels = round % 3 === 0 ? [client.send('DELETE', at)] : [];
          await cut;
          for (const answer of await Promise.all(puts)) expectStatus('finish', answer, 201, 404, 416);
          for (const answer of await Promise.all(cancels)) expectStatus('cancel', answer, 204, 404);
          const stored = await statusOf(client, blob);
          if (cancels.length === 0 && stored === 404) await resume(client, at, blob);
          if (cancels.length === 0 || stored === 200) await expectWhole(client, blob);
          else expect(stored).to.equal(404);
          await client.send('DELETE', at);
        },
      );
    });

    it('of one blob from twenty clients at once end well for all', async () => {
      const blob = blobOf(`${SEED} twenty`, 300_000);
      const upload = async (_: unknown, index: number): Promise<void> => {
        const at = await startUpload(client, REPOSITORY);
        const half = await sendChunk(client, at, blob.bytes.subarray(0, 1 + index * 10_000));
        const rest = { body: blob.bytes.subarray(1 + index * 10_000) };
        expectStatus('finish', await client.send('PUT', `${half}?digest=${blob.digest}`, rest), 201);
      };
      await Promise.all(Array.from({ length: 20 }, upload));
      await expectWhole(client, blob);
    });
  });

  describe('on two nodes with one folder', function () {
    requires(this, mongo.missing === undefined, mongo.missing ?? '');
    const nodes = nodesFor(2);
    const ROUNDS = 8;
    const talks = [0, 1].map((place) => conversations(() => nodes().node(place).port));
    const kept = () =>
      nodes()
        .all()
        .map(({ pid }) => ({ dataDir: nodes().dataDir, pid }));
    afterEach(() => nothingIsLeft(...kept()));

    it('take each chunk once, though it comes to both at once', async () => {
      const clients = [nodes().admin(0), nodes().admin(1)];
      const blob = blobOf(`${SEED} both`, ROUNDS * 1000);
      const at = await startUpload(nodes().admin(0), REPOSITORY);
      for (let from = 0; from < blob.bytes.length; from += 1000) {
        const chunk = { body: blob.bytes.subarray(from, from + 1000), headers: { 'content-range': `${from}-${from + 999}` } };
        const answers = await Promise.all(clients.map((client) => client.send('PATCH', at, chunk)));
        expect(answers.map(({ status }) => status).sort()).to.deep.equal([202, 416]);
        for (const { headers } of answers) expect(headers.range).to.equal(`0-${from + 999}`);
      }
      expectStatus('finish', await nodes().admin(1).send('PUT', `${at}?digest=${blob.digest}`), 201);
      for (const client of clients) await expectWhole(client, blob);
    });

    it('take the stream of one of two writers', async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const blobs = [blobOf(`${SEED} one ${round}`, 2000), blobOf(`${SEED} other ${round}`, 2000)];
        const at = await startUpload(nodes().admin(round % 2), REPOSITORY);
        const answers = await Promise.all(
          talks.map(async (talk, place) => {
            const { say, hear } = await talk();
            say(head(`PATCH ${at}`, AUTHORIZATION, CHUNKED, EXPECT));
            await hear(1);
            const { bytes } = blobs[place] ?? expect.fail();
            return { hear, finish: () => say(chunkOf(bytes.subarray(0, 700)), chunkOf(bytes.subarray(700)), LAST_CHUNK) };
          }),
        );
        for (const { finish } of answers) finish();
        const statuses = await Promise.all(answers.map(async ({ hear }) => statusesOf(await hear(2))[1]));
        expect(statuses).to.have.members([202, 416]);
        const winner = blobs[statuses.indexOf(202)] ?? expect.fail();
        expectStatus(
          'finish',
          await nodes()
            .admin(round % 2)
            .send('PUT', `${at}?digest=${winner.digest}`),
          201,
        );
        for (const place of [0, 1]) await expectWhole(nodes().admin(place), winner);
      }
    });

    it('end well for both where both finish at once', async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const blob = blobOf(`${SEED} finish ${round}`, 2 * MIB);
        const at = await startUpload(nodes().admin(0), REPOSITORY);
        if (round % 2 === 0) await sendChunk(nodes().admin(1), at, blob.bytes.subarray(0, MIB));
        const rest = { body: blob.bytes.subarray(round % 2 === 0 ? MIB : 0) };
        const answers = await Promise.all(
          [0, 1].map((place) => nodes().admin(place).send('PUT', `${at}?digest=${blob.digest}`, rest)),
        );
        // One that came when all was over is told that it is; none fails.
        for (const answer of answers) expectStatus('finish', answer, 201, 404);
        expect(answers.map(({ status }) => status)).to.include(201);
        for (const place of [0, 1]) await expectWhole(nodes().admin(place), blob);
      }
    });

    it('are gone for both when one cancels, also for who is writing at the other', async () => {
      const at = await startUpload(nodes().admin(0), REPOSITORY);
      const { say, hear } = await (talks[1] ?? expect.fail())();
      say(head(`PATCH ${at}`, AUTHORIZATION, CHUNKED, EXPECT));
      await hear(1);
      say(chunkOf(Buffer.alloc(1000)));
      expectStatus('cancel', await nodes().admin(0).send('DELETE', at), 204);
      say(LAST_CHUNK);
      expect(statusesOf(await hear(2))).to.deep.equal([100, 404]);
      for (const place of [0, 1]) expectStatus('status', await nodes().admin(place).send('GET', at), 404);
    });
  });
});
