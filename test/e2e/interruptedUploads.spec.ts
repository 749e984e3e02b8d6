import { readdirSync, statSync, utimesSync } from 'node:fs';
import { expect } from 'chai';
import { chunkOf, conversations, LAST_CHUNK } from '../http/conversation.ts';
import { head } from '../http/raw.ts';
import { basic, expectStatus, type HttpClient, httpClient, sendChunk, startUpload } from '../support/http.ts';
import type { Blob } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import {
  AUTHORIZATION,
  blobOf,
  CHUNKED,
  eachOf,
  expectWhole,
  type Going,
  MIB,
  nothingIsLeft,
  REPOSITORY,
  resume,
  SEED,
  sendAndGo,
  statusOf,
} from './hostile.ts';

/** What of a body a request brings with each of its bytes: 0 or 1. */
type Wire = Readonly<{ header: string; bytes: Buffer; payload: readonly number[] }>;

const wires: Readonly<Record<string, (body: Buffer) => Wire>> = {
  'Content-Length': (body) => ({ header: `Content-Length: ${body.length}`, bytes: body, payload: [...body].map(() => 1) }),
  chunks: (body) => {
    const half = Math.floor(body.length / 2);
    const parts = [body.subarray(0, half), body.subarray(half)].map(chunkOf);
    // <one digit> CR LF <bytes> CR LF
    const payload = parts.flatMap((part) => [...part].map((_, at) => Number(at >= 3 && at < part.length - 2)));
    return { header: CHUNKED, bytes: Buffer.concat([...parts, Buffer.from(LAST_CHUNK)]), payload: [...payload, 0, 0, 0, 0, 0] };
  },
};

/** A request that breaks off after `sent` bytes, which bring `brought` bytes of its body, and may be all of it. */
type Cut = Readonly<{ seed: string; sent: number; going: Going }>;

/** As long as each of them. */
const ANY_SESSION = `/v2/${REPOSITORY}/blobs/uploads/${'x'.repeat(36)}`;

describe(`Uploads that are interrupted (seed ${SEED}; GHOSTDOCK_TEST_SEED repeats it)`, function () {
  this.timeout(120_000);

  describe('by a connection that breaks at any byte', () => {
    const registry = registryFor();
    const SIZE = 12;
    const BEFORE = 5;
    let client: HttpClient;

    before(() => {
      client = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
    });
    after(() => client.close());
    afterEach(() => nothingIsLeft(registry.current()));

    /** Within the head, at each byte of the body, and where only the answer is lost. */
    const cutsOf = (name: string, headLength: number, bodyLength: number): readonly Cut[] =>
      [
        0,
        1,
        Math.floor(headLength / 2),
        headLength - 1,
        ...Array.from({ length: bodyLength + 1 }, (_, at) => headLength + at),
      ].flatMap((sent) =>
        (['end', 'reset'] as const).map((going) => ({ seed: `${SEED} ${name} ${sent} ${going}`, sent, going })),
      );

    const broughtBy = ({ payload }: Wire, sent: number): number =>
      payload.slice(0, Math.max(0, sent)).reduce((sum, one) => sum + one, 0);

    for (const [framing, wireOf] of Object.entries(wires)) {
      it(`in a PATCH with ${framing}: it says what it has, which is a prefix, and goes on from there`, async () => {
        const line = (at: string, wire: Wire): string => head(`PATCH ${at}`, AUTHORIZATION, wire.header);
        const sample = wireOf(Buffer.alloc(SIZE));
        const lengthOfHead = line(ANY_SESSION, sample).length;
        await eachOf(cutsOf(`patch ${framing}`, lengthOfHead, sample.bytes.length), 8, async ({ seed, sent, going }) => {
          const blob = blobOf(seed, SIZE);
          const at = await startUpload(client, REPOSITORY);
          const wire = wireOf(blob.bytes);
          const request = Buffer.concat([Buffer.from(line(at, wire)), wire.bytes]);
          await sendAndGo(registry.current().port, request.subarray(0, sent), going);
          expect(await statusOf(client, blob), 'nothing is stored').to.equal(404);
          const kept = await resume(client, at, blob);
          expect(kept, seed).to.be.within(0, broughtBy(wire, sent - lengthOfHead));
          await expectWhole(client, blob);
        });
      });

      it(`in the PUT that ends it, with ${framing}: it is stored whole, or goes on from a prefix`, async () => {
        const line = (at: string, { digest }: Blob, wire: Wire): string =>
          head(`PUT ${at}?digest=${digest}`, AUTHORIZATION, wire.header);
        const sample = wireOf(Buffer.alloc(SIZE - BEFORE));
        const lengthOfHead = line(ANY_SESSION, blobOf('', 1), sample).length;
        await eachOf(cutsOf(`put ${framing}`, lengthOfHead, sample.bytes.length), 8, async ({ seed, sent, going }) => {
          const blob = blobOf(seed, SIZE);
          const at = await sendChunk(client, await startUpload(client, REPOSITORY), blob.bytes.subarray(0, BEFORE));
          const wire = wireOf(blob.bytes.subarray(BEFORE));
          const request = Buffer.concat([Buffer.from(line(at, blob, wire)), wire.bytes]);
          await sendAndGo(registry.current().port, request.subarray(0, sent), going);
          const complete = sent === request.length;
          if (!complete) expect(await statusOf(client, blob), 'nothing is stored').to.equal(404);
          const kept = await resume(client, at, blob);
          if (kept === 'over') expect(complete, seed).to.equal(true);
          else expect(kept, seed).to.be.within(BEFORE, BEFORE + broughtBy(wire, sent - lengthOfHead));
          await expectWhole(client, blob);
        });
      });

      it(`in one POST with ${framing}: it is stored whole or not at all, and leaves no session`, async () => {
        const line = ({ digest }: Blob, wire: Wire): string =>
          head(`POST /v2/${REPOSITORY}/blobs/uploads/?digest=${digest}`, AUTHORIZATION, wire.header);
        const sample = wireOf(Buffer.alloc(SIZE));
        const lengthOfHead = line(blobOf('', 1), sample).length;
        await eachOf(cutsOf(`post ${framing}`, lengthOfHead, sample.bytes.length), 8, async ({ seed, sent, going }) => {
          const blob = blobOf(seed, SIZE);
          const wire = wireOf(blob.bytes);
          const request = Buffer.concat([Buffer.from(line(blob, wire)), wire.bytes]);
          await sendAndGo(registry.current().port, request.subarray(0, sent), going);
          expect(await statusOf(client, blob), seed).to.be.oneOf(sent === request.length ? [200, 404] : [404]);
          const again = await client.send('POST', `/v2/${REPOSITORY}/blobs/uploads/?digest=${blob.digest}`, { body: blob.bytes });
          expectStatus('the same again', again, 201);
          await expectWhole(client, blob);
        });
      });
    }
  });

  describe('by the end of the registry', () => {
    const registry = registryFor();
    const client = (): HttpClient => httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
    const talk = conversations(() => registry.current().port);
    afterEach(() => nothingIsLeft(registry.current()));

    const partsOf = (at: string): number => {
      const folder = `${registry.current().dataDir}/uploads/${at.split('/').at(-1)}`;
      const parts = readdirSync(folder).filter((name) => name.startsWith('part-'));
      return parts.reduce((sum, name) => sum + (statSync(`${folder}/${name}`, { throwIfNoEntry: false })?.size ?? 0), 0);
    };

    const killed = async (): Promise<HttpClient> => {
      await registry.current().kill();
      await registry.restart();
      return client();
    };

    it('in the middle of a chunk go on behind the chunk before, with nothing of the broken one', async () => {
      const blob = blobOf(`${SEED} killed`, 6 * MIB);
      const at = await sendChunk(client(), await startUpload(client(), REPOSITORY), blob.bytes.subarray(0, MIB));
      const writer = await talk();
      writer.say(head(`PATCH ${at}`, AUTHORIZATION, CHUNKED), chunkOf(blob.bytes.subarray(MIB, 5 * MIB)));
      await waitUntil('some of it is on the disk', () => partsOf(at) > MIB);
      const again = await killed();
      expect(partsOf(at)).to.equal(0);
      expect(await resume(again, at, blob)).to.equal(MIB);
      await expectWhole(again, blob);
      again.close();
    });

    it('while they are finished go on, and end whole', async () => {
      for (const after of [1, MIB]) {
        const blob = blobOf(`${SEED} killed at the end ${after}`, 12 * MIB);
        let at = await startUpload(client(), REPOSITORY);
        for (let from = 0; from < blob.bytes.length; from += 4 * MIB)
          at = await sendChunk(client(), at, blob.bytes.subarray(from, from + 4 * MIB));
        const finishing = client()
          .send('PUT', `${at}?digest=${blob.digest}`)
          .catch(() => undefined);
        await waitUntil('the copy has begun', () => partsOf(at) >= after, { everyMs: 1 });
        const again = await killed();
        await finishing;
        expect(await resume(again, at, blob)).to.be.oneOf([blob.bytes.length, 'over']);
        await expectWhole(again, blob);
        again.close();
      }
    });

    it('and that nobody goes on with expire, with their bytes, counted from when somebody last did', async () => {
      const [idle, recent] = [await startUpload(client(), REPOSITORY), await startUpload(client(), REPOSITORY)];
      for (const at of [idle, recent]) await sendChunk(client(), at, Buffer.alloc(MIB));
      await registry.current().kill();
      const folder = `${registry.current().dataDir}/uploads/${idle.split('/').at(-1)}`;
      const longAgo = new Date(Date.now() - 24 * 3_600_000 - 60_000);
      for (const path of [...readdirSync(folder).map((name) => `${folder}/${name}`), folder]) utimesSync(path, longAgo, longAgo);
      await registry.restart();
      const again = client();
      await waitUntil('it has expired', async () => (await again.send('GET', idle)).status === 404);
      expectStatus('the other', await again.send('GET', recent), 204);
      expectStatus('cancel', await again.send('DELETE', recent), 204);
      again.close();
    });
  });
});
