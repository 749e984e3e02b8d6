import { expect } from 'chai';
import { contentOf, MIB, OWNER, pushed, randomContent, sourceOf } from './bytes.ts';
import { openDisk } from './openDisk.ts';

const HELLO = contentOf('hello, world');

describe('what the blob store costs the disk', () => {
  const disk = openDisk();

  for (const size of [0, 12, 3 * MIB]) {
    it(`one sync of a file and one of a folder for an upload of ${size} bytes in one piece, and no copy`, async () => {
      const content = randomContent(size);
      const cost = await disk.costOf(() => pushed(disk.blobs(), content));
      const opens = size === 0 ? 3 : 4; // session, chunk, the chunk's sync, the folder's
      expect(cost).to.deep.equal({ opens, fileSyncs: 1, folderSyncs: 1, writeBacks: 0, copiedBytes: 0 });
    });
  }

  it('one sync of a file and one of a folder for bytes that are put', async () => {
    const cost = await disk.costOf(() => disk.blobs().put(HELLO.digest, HELLO.bytes));
    expect(cost).to.deep.equal({ opens: 2, fileSyncs: 1, folderSyncs: 1, writeBacks: 0, copiedBytes: 0 });
  });

  it('only the sync of the folder for a blob that is there already: another may have placed it a moment ago', async () => {
    await pushed(disk.blobs(), HELLO);
    const again = { fileSyncs: 0, folderSyncs: 1, copiedBytes: 0 };
    expect(await disk.costOf(() => pushed(disk.blobs(), HELLO))).to.deep.include(again);
    expect(await disk.costOf(() => disk.blobs().put(HELLO.digest, HELLO.bytes))).to.deep.include(again);
    const id = await disk.begun('hello', ', world');
    expect(await disk.costOf(() => disk.blobs().uploads.finish(id, OWNER, HELLO.digest))).to.deep.include(again);
  });

  it('one copy of the bytes, one sync of a file and one of a folder for a blob in several chunks', async () => {
    const id = await disk.begun('hello', ', world');
    const cost = await disk.costOf(async () => (await disk.blobs().uploads.finish(id, OWNER, HELLO.digest)).settle());
    expect(cost).to.deep.include({ fileSyncs: 1, folderSyncs: 1, copiedBytes: 12 });
  });

  it('the same for the hundredth chunk as for the first', async () => {
    const id = await disk.begun('x');
    const add = () => disk.blobs().uploads.append(id, OWNER, sourceOf('x'));
    const first = await disk.costOf(add);
    for (let chunks = 2; chunks < 100; chunks += 1) await add();
    expect(await disk.costOf(add)).to.deep.equal(first);
    expect(first).to.deep.include({ opens: 1, fileSyncs: 0, folderSyncs: 0 });
  });

  it('nothing but an open for a read', async () => {
    await pushed(disk.blobs(), HELLO);
    const cost = await disk.costOf(async () => [
      await disk.blobs().stat(HELLO.digest),
      await disk.blobs().read(HELLO.digest, 100),
    ]);
    expect(cost).to.deep.equal({ opens: 1, fileSyncs: 0, folderSyncs: 0, writeBacks: 0, copiedBytes: 0 });
  });
});
