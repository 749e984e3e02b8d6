import { expect } from 'chai';
import { isRefusal } from '../../../src/errors.ts';
import { contentOf, KIB, MIB, OWNER, pulled, pushed, randomContent, sourceOf, uploaded } from '../bytes.ts';
import type { OpenStore } from './store.ts';

const EMPTY = contentOf('');
const HELLO = contentOf('hello, world');

/** What many do at once ends well for all. */
export const atOnceContract = (store: OpenStore): void => {
  describe('at once', () => {
    it('many uploads of one blob all end well', async () => {
      for (const content of [EMPTY, HELLO, randomContent(3 * MIB)]) {
        const handles = [store.blobs(), await store.another()];
        const placed = await Promise.all(
          Array.from({ length: 12 }, (_, index) => uploaded(handles[index % 2] ?? store.blobs(), content)),
        );
        await Promise.all(placed.map(({ settle }) => settle()));
        expect((await pulled(store.blobs(), content.digest))?.equals(content.bytes)).to.equal(true);
      }
    });

    it('many puts of one blob all end well', async () => {
      const handles = [store.blobs(), await store.another()];
      await Promise.all(
        Array.from({ length: 12 }, (_, index) => (handles[index % 2] ?? store.blobs()).put(HELLO.digest, HELLO.bytes)),
      );
      expect((await store.blobs().read(HELLO.digest, 12))?.toString()).to.equal('hello, world');
    });

    it('many different uploads do not mix', async () => {
      const contents = Array.from({ length: 60 }, (_, index) => randomContent(index * 37 * KIB));
      await Promise.all(contents.map((content) => pushed(store.blobs(), content)));
      for (const { bytes, digest } of contents) expect((await pulled(store.blobs(), digest))?.equals(bytes)).to.equal(true);
    });

    for (const [size, handles] of [
      [10, 1],
      [10, 2],
      [2 * MIB, 1],
      [2 * MIB, 2],
    ] as const) {
      it(`of two chunks of ${size} bytes for one place, one is kept (${handles} ${handles === 1 ? 'process' : 'processes'})`, async () => {
        const { id } = await store.blobs().uploads.begin(OWNER, 'sha256');
        const other = handles === 1 ? store.blobs() : await store.another();
        const contents = [randomContent(size), randomContent(size)] as const;
        const outcomes = await Promise.allSettled([
          store.blobs().uploads.append(id, OWNER, sourceOf(contents[0].bytes)),
          other.uploads.append(id, OWNER, sourceOf(contents[1].bytes)),
        ]);
        expect(outcomes.map(({ status }) => status)).to.have.members(['fulfilled', 'rejected']);
        const winner = outcomes[0].status === 'fulfilled' ? contents[0] : contents[1];
        const refusal = outcomes.find((outcome) => outcome.status === 'rejected')?.reason;
        expect(isRefusal(refusal, 'RANGE_INVALID') && refusal.detail).to.deep.equal({ size });
        for (const handle of [store.blobs(), other]) expect((await handle.uploads.status(id, OWNER)).size).to.equal(size);
        await (await other.uploads.finish(id, OWNER, winner.digest)).settle();
        expect((await pulled(store.blobs(), winner.digest))?.equals(winner.bytes)).to.equal(true);
      });
    }

    it('chunks of one session can come by several processes', async () => {
      const { bytes, digest } = randomContent(900);
      const handles = [store.blobs(), await store.another(), await store.another()];
      const { id } = await store.blobs().uploads.begin(OWNER, 'sha256');
      for (let at = 0; at < 900; at += 100) {
        const { uploads } = handles[(at / 100) % 3] ?? store.blobs();
        await uploads.append(id, OWNER, sourceOf(bytes.subarray(at, at + 100)), { from: at });
      }
      await (await store.blobs().uploads.finish(id, OWNER, digest)).settle();
      expect((await pulled(store.blobs(), digest))?.equals(bytes)).to.equal(true);
    });

    for (const chunks of [1, 3]) {
      it(`finishes of ${chunks} ${chunks === 1 ? 'chunk' : 'chunks'} all succeed and leave the whole blob`, async () => {
        const { bytes, digest } = randomContent(3 * MIB);
        const third = Math.ceil(bytes.length / chunks);
        const id = await store.begun(
          ...Array.from({ length: chunks }, (_, index) => bytes.subarray(index * third, (index + 1) * third)),
        );
        const handles = [store.blobs(), await store.another(), store.blobs(), await store.another()];
        const placed = await Promise.all(handles.map(({ uploads }) => uploads.finish(id, OWNER, digest)));
        await Promise.all(placed.map(({ settle }) => settle()));
        expect((await pulled(store.blobs(), digest))?.equals(bytes)).to.equal(true);
      });
    }
  });
};
