import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { digestOf } from '../../../src/oci/digest.ts';
import { brokenSource, contentOf, KIB, MIB, OWNER, pulled, pushed, randomContent, sourceOf, stalledSource } from '../bytes.ts';
import { failed, refused } from '../refused.ts';
import type { OpenStore } from './store.ts';

const HELLO = contentOf('hello, world');

/** Bytes come in, whole or in chunks, and only the right ones. */
export const uploadingContract = (store: OpenStore): void => {
  describe('uploading', () => {
    for (const size of [0, 1, 64 * KIB, 64 * KIB + 1, MIB, MIB + 1, 2 * MIB, 5 * MIB + 3]) {
      it(`takes a blob of ${size} bytes in one go`, async () => {
        const content = randomContent(size);
        await pushed(store.blobs(), content);
        expect((await pulled(store.blobs(), content.digest))?.equals(content.bytes)).to.equal(true);
      });
    }

    it('takes pieces of any size', async () => {
      for (const piece of [3, 1000, 300 * KIB, 3 * MIB]) {
        const content = randomContent(piece === 3 ? 70 * KIB : 3 * MIB + 1);
        await pushed(store.blobs(), content, piece);
        expect((await pulled(store.blobs(), content.digest))?.equals(content.bytes)).to.equal(true);
      }
    });

    it('takes a blob in chunks and says how far it is', async () => {
      const { id, size, chunks, startedAt } = await store.blobs().uploads.begin(OWNER, 'sha256');
      expect([size, chunks]).to.deep.equal([0, 0]);
      const sizes = [];
      for (const chunk of ['hel', 'lo, ', 'world'])
        sizes.push((await store.blobs().uploads.append(id, OWNER, sourceOf(chunk))).size);
      expect(sizes).to.deep.equal([3, 7, 12]);
      const status = await store.blobs().uploads.status(id, OWNER);
      expect(status).to.deep.include({ id, owner: OWNER, algorithm: 'sha256', size: 12, chunks: 3, startedAt });
      expect(status.lastActivityAt).to.be.at.least(startedAt - 1000);
      await (await store.blobs().uploads.finish(id, OWNER, HELLO.digest)).settle();
      expect((await store.blobs().read(HELLO.digest, 12))?.toString()).to.equal('hello, world');
    });

    it('takes large chunks', async () => {
      const { bytes, digest } = randomContent(7 * MIB);
      const id = await store.begun(
        bytes.subarray(0, 3 * MIB + 1),
        bytes.subarray(3 * MIB + 1, 3 * MIB + 2),
        bytes.subarray(3 * MIB + 2),
      );
      await (await store.blobs().uploads.finish(id, OWNER, digest)).settle();
      expect((await pulled(store.blobs(), digest))?.equals(bytes)).to.equal(true);
    });

    it('counts a chunk without bytes for nothing', async () => {
      const id = await store.begun('', 'hello', '', ', world');
      expect(await store.blobs().uploads.status(id, OWNER)).to.deep.include({ size: 12, chunks: 2 });
      await store.blobs().uploads.finish(id, OWNER, HELLO.digest);
    });

    it('takes sha512, also in a session that expected sha256, and the other way round', async () => {
      const long = contentOf('hello, world', 'sha512');
      await pushed(store.blobs(), long);
      await store.blobs().uploads.finish(await store.begun('hello', ', world'), OWNER, long.digest);
      const { id } = await store.blobs().uploads.begin(OWNER, 'sha512');
      await store.blobs().uploads.append(id, OWNER, sourceOf('hello, world'));
      await store.blobs().uploads.finish(id, OWNER, HELLO.digest);
      expect((await pulled(store.blobs(), long.digest))?.toString()).to.equal('hello, world');
      expect((await pulled(store.blobs(), HELLO.digest))?.toString()).to.equal('hello, world');
    });

    it('knows a session to its owner alone', async () => {
      const id = await store.begun('hello');
      for (const stranger of [
        { ...OWNER, user: 'user:2' },
        { ...OWNER, repository: 'library/other' },
      ]) {
        await refused(store.blobs().uploads.status(id, stranger), 'UPLOAD_UNKNOWN');
        await refused(store.blobs().uploads.append(id, stranger, sourceOf('x')), 'UPLOAD_UNKNOWN');
        await refused(store.blobs().uploads.finish(id, stranger, digestOf('hello')), 'UPLOAD_UNKNOWN');
        await refused(store.blobs().uploads.cancel(id, stranger), 'UPLOAD_UNKNOWN');
      }
      expect(await store.sizeOf(id)).to.equal(5);
    });

    it('knows nothing of ids that it did not give', async () => {
      const known = await store.begun('hello');
      const ids = [
        '',
        '.',
        '..',
        '../uploads',
        `../uploads/${known}`,
        `${known}/`,
        `${known}\0`,
        known.toUpperCase(),
        'x'.repeat(5000),
      ];
      for (const id of [...ids, randomUUID()]) {
        await refused(store.blobs().uploads.status(id, OWNER), 'UPLOAD_UNKNOWN');
        await refused(store.blobs().uploads.append(id, OWNER, sourceOf('x')), 'UPLOAD_UNKNOWN');
        await refused(store.blobs().uploads.finish(id, OWNER, HELLO.digest), 'UPLOAD_UNKNOWN');
        await refused(store.blobs().uploads.cancel(id, OWNER), 'UPLOAD_UNKNOWN');
      }
    });

    it('refuses a chunk that does not begin at the end, before it is read, and says where the end is', async () => {
      const id = await store.begun('hello');
      for (const from of [0, 4, 6, 100]) {
        const source = sourceOf('x');
        const { detail } = await refused(store.blobs().uploads.append(id, OWNER, source, { from }), 'RANGE_INVALID');
        expect(detail).to.deep.equal({ size: 5 });
        expect(source.readableDidRead).to.equal(false);
      }
      expect((await store.blobs().uploads.append(id, OWNER, sourceOf(', world'), { from: 5, length: 7 })).size).to.equal(12);
    });

    it('keeps nothing of a chunk that is shorter or longer than was said', async () => {
      const { bytes } = randomContent(3 * MIB);
      const id = await store.begun('hello');
      for (const length of [0, 1, bytes.length - 1, bytes.length + 1]) {
        await refused(store.blobs().uploads.append(id, OWNER, sourceOf(bytes), { length }), 'SIZE_INVALID');
      }
      await refused(store.blobs().uploads.append(id, OWNER, sourceOf(''), { length: 1 }), 'SIZE_INVALID');
      expect(await store.blobs().uploads.status(id, OWNER)).to.deep.include({ size: 5, chunks: 1 });
    });

    it('leaves a source whose bytes it refuses open, so that an answer can be sent', async () => {
      const source = stalledSource('x'.repeat(100));
      await refused(store.blobs().uploads.append(await store.begun(), OWNER, source, { length: 10 }), 'SIZE_INVALID');
      expect(source.destroyed).to.equal(false);
      const closed = new Promise((resolve) => {
        source.on('close', resolve);
      });
      source.destroy(new Error('broken later'));
      await closed;
    });

    it('refuses bytes that do not match the digest, and leaves the session as it was', async () => {
      for (const chunks of [[], ['hello'], ['hello', ', ']]) {
        const id = await store.begun(...chunks);
        const { detail } = await refused(store.blobs().uploads.finish(id, OWNER, HELLO.digest), 'DIGEST_INVALID');
        expect(detail).to.deep.equal({ digest: HELLO.digest, computed: digestOf(chunks.join('')) });
        expect(await store.blobs().stat(HELLO.digest)).to.equal(undefined);
        await store.blobs().uploads.append(id, OWNER, sourceOf('hello, world'.slice(chunks.join('').length)));
        await (await store.blobs().uploads.finish(id, OWNER, HELLO.digest)).settle();
        store.collect(HELLO.digest);
      }
    });

    for (const algorithm of ['sha256', 'sha512'] as const) {
      it(`keeps nothing of a last chunk that does not make it the ${algorithm} that was said`, async () => {
        const { bytes, digest } = randomContent(3 * MIB, algorithm);
        const other = randomContent(10, algorithm).digest;
        for (const before of [0, 1, MIB + 1, bytes.length - 1]) {
          const id = await store.begun(...(before === 0 ? [] : [bytes.subarray(0, before)]));
          const rest = bytes.subarray(before);
          // The second handle knows nothing of the hash of the first chunk.
          for (const { uploads } of [store.blobs(), await store.another()]) {
            const { detail } = await refused(uploads.append(id, OWNER, sourceOf(rest), { digest: other }), 'DIGEST_INVALID');
            expect(detail).to.deep.equal({ digest: other, computed: digest });
            expect(await uploads.status(id, OWNER)).to.deep.include({ size: before, chunks: before === 0 ? 0 : 1 });
          }
          const { uploads } = await store.another();
          expect((await uploads.append(id, OWNER, sourceOf(rest), { digest })).size).to.equal(bytes.length);
          await (await store.blobs().uploads.finish(id, OWNER, digest)).settle();
          expect((await pulled(store.blobs(), digest))?.equals(bytes)).to.equal(true);
          store.collect(digest);
        }
      });
    }

    it('finishes what was there when the last chunk had come, whoever adds something behind it', async () => {
      for (const before of ['', 'hello']) {
        const id = await store.begun(before);
        const { uploads } = store.blobs();
        const last = await uploads.append(id, OWNER, sourceOf('hello, world'.slice(before.length)), { digest: HELLO.digest });
        expect(last.size).to.equal(12);
        await uploads.append(id, OWNER, sourceOf('from a request that was given up'));
        await refused(uploads.finish(id, OWNER, HELLO.digest), 'DIGEST_INVALID');
        const placed = await uploads.finish(id, OWNER, HELLO.digest, last.size);
        store.collect(HELLO.digest);
        await placed.settle();
        expect((await pulled(store.blobs(), HELLO.digest))?.toString()).to.equal('hello, world');
        store.collect(HELLO.digest);
      }
    });

    it('keeps what came of a last chunk that broke off, whatever was said of the whole', async () => {
      const id = await store.begun('hello');
      const source = brokenSource(', wor', new Error('connection reset'));
      await failed(store.blobs().uploads.append(id, OWNER, source, { length: 7, digest: HELLO.digest }));
      expect(await store.sizeOf(id)).to.equal(10);
      await store.blobs().uploads.append(id, OWNER, sourceOf('ld'), { from: 10, digest: HELLO.digest });
      await store.blobs().uploads.finish(id, OWNER, HELLO.digest);
    });

    it('refuses wrong bytes also when the blob that they pretend to be is there already', async () => {
      await pushed(store.blobs(), HELLO);
      await refused(store.blobs().uploads.finish(await store.begun('HELLO, WORLD'), OWNER, HELLO.digest), 'DIGEST_INVALID');
      await refused(store.blobs().uploads.finish(await store.begun('HELLO, ', 'WORLD'), OWNER, HELLO.digest), 'DIGEST_INVALID');
    });

    it('forgets a cancelled session', async () => {
      const id = await store.begun('hello');
      await store.blobs().uploads.cancel(id, OWNER);
      await refused(store.blobs().uploads.status(id, OWNER), 'UPLOAD_UNKNOWN');
      await refused(store.blobs().uploads.append(id, OWNER, sourceOf('x')), 'UPLOAD_UNKNOWN');
      await refused(store.blobs().uploads.finish(id, OWNER, HELLO.digest), 'UPLOAD_UNKNOWN');
      await refused(store.blobs().uploads.cancel(id, OWNER), 'UPLOAD_UNKNOWN');
    });

    for (const arrived of [10, 100 * KIB, 5 * MIB]) {
      it(`ends an append of which ${arrived} bytes have come when its session is cancelled`, async () => {
        const id = await store.begun('hello');
        const source = stalledSource(Buffer.alloc(arrived));
        const appending = refused(store.blobs().uploads.append(id, OWNER, source), 'UPLOAD_UNKNOWN');
        await turn();
        await store.blobs().uploads.cancel(id, OWNER);
        await appending;
        source.destroy();
      });
    }

    it('ends an append when its session was cancelled elsewhere', async () => {
      const id = await store.begun('hello');
      const source = stalledSource(Buffer.alloc(3 * MIB));
      const appending = refused(store.blobs().uploads.append(id, OWNER, source), 'UPLOAD_UNKNOWN');
      await turn();
      await (await store.another()).uploads.cancel(id, OWNER);
      source.push(null);
      await appending;
    });
  });
};
