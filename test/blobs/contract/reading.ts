import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { contentOf, KIB, MIB, pulled, randomContent, sink } from '../bytes.ts';
import { failed, refused } from '../refused.ts';
import type { OpenStore } from './store.ts';

const HELLO = contentOf('hello, world');

/** What is read is what was written. */
export const readingContract = (store: OpenStore): void => {
  describe('reading', () => {
    it('gives back what was put, whole and by its size', async () => {
      const { size } = await store.blobs().put(HELLO.digest, HELLO.bytes);
      const found = await store.blobs().stat(HELLO.digest);
      expect([size, found?.size]).to.deep.equal([12, 12]);
      expect(found?.modifiedAt).to.be.within(Date.now() - 60_000, Date.now() + 60_000);
      expect((await store.blobs().read(HELLO.digest, 12))?.toString()).to.equal('hello, world');
      expect((await pulled(store.blobs(), HELLO.digest))?.toString()).to.equal('hello, world');
    });

    it('knows nothing of a blob that is not there', async () => {
      expect(await store.blobs().stat(HELLO.digest)).to.equal(undefined);
      expect(await store.blobs().open(HELLO.digest)).to.equal(undefined);
      expect(await store.blobs().read(HELLO.digest, 100)).to.equal(undefined);
    });

    it('refuses to read whole what is larger than the caller wants', async () => {
      await store.blobs().put(HELLO.digest, HELLO.bytes);
      await refused(store.blobs().read(HELLO.digest, 11), 'SIZE_INVALID');
    });

    it('keeps sha256 and sha512 apart', async () => {
      const long = contentOf('hello, world', 'sha512');
      await store.blobs().put(long.digest, long.bytes);
      expect(await store.blobs().stat(HELLO.digest)).to.equal(undefined);
      expect((await store.blobs().read(long.digest, 12))?.toString()).to.equal('hello, world');
    });

    it('puts bytes that the caller changes afterwards as they were', async () => {
      const bytes = Buffer.from(HELLO.bytes);
      const placing = store.blobs().put(HELLO.digest, bytes);
      bytes.fill(0);
      await placing;
      expect((await store.blobs().read(HELLO.digest, 12))?.toString()).to.equal('hello, world');
    });

    it('copies any range, and leaves the destination open', async () => {
      const { bytes, digest } = randomContent(3 * MIB + 17);
      await store.blobs().put(digest, bytes);
      const blob = await store.blobs().open(digest);
      const edge = fc.oneof(fc.integer({ min: 0, max: bytes.length - 1 }), fc.constantFrom(0, 64 * KIB, MIB, bytes.length - 1));
      await fc.assert(
        fc.asyncProperty(edge, edge, async (one, other) => {
          const [start, end] = [Math.min(one, other), Math.max(one, other)];
          const { stream, bytes: received } = sink();
          await blob?.copyTo(stream, start, end);
          expect(received().equals(bytes.subarray(start, end + 1))).to.equal(true);
          expect(stream.writableEnded).to.equal(false);
        }),
        { numRuns: 40, examples: [[0, bytes.length - 1]] },
      );
      await blob?.close();
    });

    it('copies to many destinations at once, each at its own pace', async () => {
      const { bytes, digest } = randomContent(2 * MIB + 5);
      await store.blobs().put(digest, bytes);
      const copies = await Promise.all(Array.from({ length: 100 }, () => pulled(store.blobs(), digest)));
      expect(copies.every((copy) => copy?.equals(bytes))).to.equal(true);
    });

    it('stops when the destination is closed, whether or not it was writing', async () => {
      const { bytes, digest } = randomContent(4 * MIB);
      await store.blobs().put(digest, bytes);
      const blob = await store.blobs().open(digest);
      const stalled = new Writable({ write: () => undefined });
      const copying = failed(blob?.copyTo(stalled, 0, bytes.length - 1) ?? Promise.resolve());
      await turn();
      stalled.destroy();
      expect(await copying).to.have.property('code', 'ERR_STREAM_PREMATURE_CLOSE');
      await failed(blob?.copyTo(stalled, 0, 10) ?? Promise.resolve());
      await blob?.close();
    });

    it('passes on why a destination failed', async () => {
      await store.blobs().put(HELLO.digest, HELLO.bytes);
      const blob = await store.blobs().open(HELLO.digest);
      const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('no carrier')) });
      broken.on('error', () => undefined);
      expect(await failed(blob?.copyTo(broken, 0, 11) ?? Promise.resolve())).to.have.property('message', 'no carrier');
      await blob?.close();
    });

    it('breaks off a copy whose blob is closed, and closes twice', async () => {
      const { bytes, digest } = randomContent(4 * MIB);
      await store.blobs().put(digest, bytes);
      const blob = await store.blobs().open(digest);
      const pipe = new PassThrough();
      const copying = failed(blob?.copyTo(pipe, 0, bytes.length - 1) ?? Promise.resolve());
      await once(pipe, 'readable');
      const closing = blob?.close();
      pipe.resume();
      await copying;
      await Promise.all([closing, blob?.close()]);
      await failed(blob?.copyTo(pipe, 0, 1) ?? Promise.resolve());
    });

    it('refuses to copy past the end', async () => {
      await store.blobs().put(HELLO.digest, HELLO.bytes);
      const blob = await store.blobs().open(HELLO.digest);
      await failed(blob?.copyTo(sink().stream, 0, 12) ?? Promise.resolve());
      await blob?.close();
    });
  });
};
