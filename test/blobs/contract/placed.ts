import { expect } from 'chai';
import type { Blobs, Upload } from '../../../src/blobs/blobs.ts';
import { contentOf, OWNER, pulled, pushed } from '../bytes.ts';
import { refused } from '../refused.ts';
import type { OpenStore } from './store.ts';

const HELLO = contentOf('hello, world');

const listed = async (blobs: Blobs): Promise<readonly Upload[]> => {
  const all: Upload[] = [];
  for await (const upload of blobs.uploads.list()) all.push(upload);
  return all;
};

/** A writer appends, then looks. */
export const placedContract = (store: OpenStore): void => {
  describe('a blob in place', () => {
    it('ends its session when it is settled, once and again', async () => {
      const id = await store.begun('hello, world');
      const placed = await store.blobs().uploads.finish(id, OWNER, HELLO.digest);
      expect([placed.digest, placed.size]).to.deep.equal([HELLO.digest, 12]);
      await placed.settle();
      await placed.settle();
      await placed.release();
      await refused(store.blobs().uploads.status(id, OWNER), 'UPLOAD_UNKNOWN');
      expect(await listed(store.blobs())).to.deep.equal([]);
    });

    it('leaves its session open when it is released, to be finished again', async () => {
      const id = await store.begun('hello', ', world');
      const placed = await store.blobs().uploads.finish(id, OWNER, HELLO.digest);
      await placed.release();
      await placed.settle();
      expect(await store.sizeOf(id)).to.equal(12);
      await (await store.blobs().uploads.finish(id, OWNER, HELLO.digest)).settle();
      await refused(store.blobs().uploads.status(id, OWNER), 'UPLOAD_UNKNOWN');
    });

    for (const [kind, chunks] of [
      ['no chunk', []],
      ['one chunk', ['hello, world']],
      ['several chunks', ['hello', ', ', 'world']],
    ] as const) {
      it(`of ${kind} is put back by its writer when a collector took it`, async () => {
        const { bytes, digest } = contentOf(chunks.join(''));
        const placed = await store.blobs().uploads.finish(await store.begun(...chunks), OWNER, digest);
        store.collect(digest);
        await placed.settle();
        expect((await pulled(store.blobs(), digest))?.equals(bytes)).to.equal(true);
        store.collect(digest);
        await placed.settle();
        expect(await store.blobs().stat(digest)).to.equal(undefined);
      });
    }

    it('that was put is put back by its writer when a collector took it', async () => {
      const placed = await store.blobs().put(HELLO.digest, HELLO.bytes);
      store.collect(HELLO.digest);
      await placed.settle();
      expect((await store.blobs().read(HELLO.digest, 12))?.toString()).to.equal('hello, world');
    });

    it('that is gone with every copy is not settled', async () => {
      const id = await store.begun('hello, world');
      const [one, other] = [
        await store.blobs().uploads.finish(id, OWNER, HELLO.digest),
        await store.blobs().uploads.finish(id, OWNER, HELLO.digest),
      ];
      await one.settle();
      store.collect(HELLO.digest);
      await refused(other.settle(), 'UNAVAILABLE');
      await pushed(store.blobs(), HELLO);
      await other.settle();
    });
  });
};
