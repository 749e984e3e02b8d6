import { once } from 'node:events';
import { expect } from 'chai';
import { brokenSource, contentOf, KIB, MIB, OWNER, randomContent, sourceOf, stalledSource } from '../bytes.ts';
import { failed } from '../refused.ts';
import type { OpenStore } from './store.ts';

const HELLO = contentOf('hello, world');

/** A connection that breaks costs nothing but what had not come yet. */
export const brokenSourcesContract = (store: OpenStore): void => {
  describe('a source that breaks off', () => {
    const broken = new Error('connection reset');

    it('leaves the bytes that came, at every boundary of a small blob', async () => {
      for (let kept = 0; kept <= HELLO.bytes.length; kept += 1) {
        const id = await store.begun();
        const source = brokenSource(HELLO.bytes.subarray(0, kept), broken, 5);
        expect(await failed(store.blobs().uploads.append(id, OWNER, source, { length: 12 }))).to.equal(broken);
        expect(await store.sizeOf(id)).to.equal(kept);
        await store.blobs().uploads.append(id, OWNER, sourceOf(HELLO.bytes.subarray(kept)), { from: kept });
        await (await store.blobs().uploads.finish(id, OWNER, HELLO.digest)).settle();
      }
    });

    for (const kept of [64 * KIB, 64 * KIB + 1, MIB - 1, MIB, MIB + 1, 4 * MIB + 1]) {
      it(`leaves the bytes that came, ${kept} of a large blob`, async () => {
        const { bytes, digest } = randomContent(5 * MIB);
        const id = await store.begun();
        expect(await failed(store.blobs().uploads.append(id, OWNER, brokenSource(bytes.subarray(0, kept), broken)))).to.equal(
          broken,
        );
        expect(await store.sizeOf(id)).to.equal(kept);
        await store.blobs().uploads.append(id, OWNER, sourceOf(bytes.subarray(kept)));
        await store.blobs().uploads.finish(id, OWNER, digest);
      });
    }

    it('is one that is closed without an end, or was so before', async () => {
      const id = await store.begun();
      const source = stalledSource('hello');
      const appending = failed(store.blobs().uploads.append(id, OWNER, source));
      await once(source, 'data');
      source.destroy();
      expect(await appending).to.have.property('code', 'ERR_STREAM_PREMATURE_CLOSE');
      expect(await store.sizeOf(id)).to.equal(5);
      await failed(store.blobs().uploads.append(id, OWNER, source));
      source.destroy(broken);
      const other = stalledSource('x');
      other.on('error', () => undefined).destroy(broken);
      expect(await failed(store.blobs().uploads.append(id, OWNER, other))).to.equal(broken);
      expect(await store.sizeOf(id)).to.equal(5);
    });
  });
};
