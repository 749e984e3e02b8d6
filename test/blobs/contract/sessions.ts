import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Blobs, Upload } from '../../../src/blobs/blobs.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { contentOf, MIB, OWNER, pulled, randomContent, sourceOf, stalledSource } from '../bytes.ts';
import { interleavedProperty } from '../interleavedProperty.ts';
import { refused } from '../refused.ts';
import { uploadProperty } from '../uploadProperty.ts';
import type { OpenStore } from './store.ts';

const HELLO = contentOf('hello, world');

const listed = async (blobs: Blobs): Promise<readonly Upload[]> => {
  const all: Upload[] = [];
  for await (const upload of blobs.uploads.list()) all.push(upload);
  expect(await blobs.uploads.count(), 'sessions by their number').to.equal(all.length);
  return all;
};

/** Sessions are operational state that survives its process. */
export const sessionsContract = (store: OpenStore): void => {
  describe('sessions', () => {
    it('survive a restart, whatever their sizes, and can then be finished', async () => {
      const { bytes, digest } = randomContent(3 * MIB);
      const id = await store.begun(bytes.subarray(0, 10), bytes.subarray(10, 2 * MIB));
      const before = await store.blobs().uploads.status(id, OWNER);
      await store.restart();
      const after = await store.blobs().uploads.status(id, OWNER);
      expect({ ...after, lastActivityAt: 0 }).to.deep.equal({ ...before, lastActivityAt: 0 });
      await store.blobs().uploads.append(id, OWNER, sourceOf(bytes.subarray(2 * MIB)));
      await store.restart();
      await (await store.blobs().uploads.finish(id, OWNER, digest)).settle();
      expect((await pulled(store.blobs(), digest))?.equals(bytes)).to.equal(true);
    });

    it('of one chunk are checked against their digest after a restart, too', async () => {
      const id = await store.begun('hello');
      await store.restart();
      await refused(store.blobs().uploads.finish(id, OWNER, HELLO.digest), 'DIGEST_INVALID');
      await store.blobs().uploads.finish(id, OWNER, digestOf('hello'));
    });

    it('that were finished but not settled before a restart leave the blob, and are still there', async () => {
      const id = await store.begun('hello, world');
      await store.blobs().uploads.finish(id, OWNER, HELLO.digest);
      await store.restart();
      expect((await store.blobs().read(HELLO.digest, 12))?.toString()).to.equal('hello, world');
      await (await store.blobs().uploads.finish(id, OWNER, HELLO.digest)).settle();
    });

    it('are listed', async () => {
      const ids = [await store.begun(), await store.begun('hello'), await store.begun('hello', ', world')];
      const all = await listed(await store.another());
      expect(all.map(({ id }) => id)).to.have.members(ids);
      expect(all.map(({ size, chunks }) => `${size}/${chunks}`)).to.have.members(['0/0', '12/2', '5/1']);
    });

    it('expire when they were idle for longer, and no others', async () => {
      const ids = [await store.begun(), await store.begun('hello', ', world')];
      expect(await store.blobs().uploads.expire(60_000)).to.equal(0);
      expect(await listed(store.blobs())).to.have.length(2);
      expect(await store.blobs().uploads.expire(-1)).to.equal(2);
      for (const id of ids) await refused(store.blobs().uploads.status(id, OWNER), 'UPLOAD_UNKNOWN');
      expect(await store.blobs().uploads.expire(-1)).to.equal(0);
    });

    for (const [size, what] of [
      [5, 'wait in memory'],
      [3 * MIB, 'are in part on the disk'],
    ] as const) {
      it(`do not expire while something is being added to them, also where its bytes ${what}`, async () => {
        const { bytes, digest } = randomContent(size);
        const [id, idle] = [await store.begun(), await store.begun('idle')];
        const source = stalledSource(bytes);
        const appending = store.blobs().uploads.append(id, OWNER, source);
        await turn();
        expect(await store.blobs().uploads.expire(-1)).to.equal(1);
        await refused(store.blobs().uploads.status(idle, OWNER), 'UPLOAD_UNKNOWN');
        source.push(null);
        expect((await appending).size).to.equal(size);
        await (await store.blobs().uploads.finish(id, OWNER, digest)).settle();
      });
    }

    it('keep what they had when the store is closed in the middle of an append', async () => {
      const id = await store.begun('hello');
      const source = stalledSource(Buffer.alloc(3 * MIB));
      const appending = refused(store.blobs().uploads.append(id, OWNER, source), 'UNAVAILABLE');
      await turn();
      await store.restart();
      await appending;
      source.destroy();
      expect(await store.sizeOf(id)).to.equal(5);
    });

    it('are not begun in a store that is closed', async () => {
      await store.blobs().close();
      await store.blobs().close();
      await refused(store.blobs().uploads.begin(OWNER, 'sha256'), 'UNAVAILABLE');
      await refused(store.blobs().put(HELLO.digest, HELLO.bytes), 'UNAVAILABLE');
    });

    it('end in the right blob or in none, whatever happens to them in whatever order', async () => {
      await fc.assert(uploadProperty({ blobs: () => store.blobs(), restart: store.restart, collect: store.collect }), {
        numRuns: 60,
      });
    }).timeout(120_000);

    it('end in the right blob or in none, whoever writes, finishes, cancels and expires them at the same time', async () => {
      const handleOf = (blobs: Blobs) => ({ uploads: blobs.uploads, bytesOf: (digest: Digest) => pulled(blobs, digest) });
      const handles = [handleOf(store.blobs()), handleOf(await store.another())] as const;
      const ends = ['settle', 'release'] as const;
      await fc.assert(interleavedProperty({ handles, begun: () => turn(), oneProcess: false, ends, repeats: false }), {
        numRuns: 150,
      });
    }).timeout(120_000);
  });
};
