import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { brokenSource, contentOf, filesBelow, MIB, OWNER, pushed, randomContent, sourceOf, stalledSource } from './bytes.ts';
import { openDisk } from './openDisk.ts';
import { failed, refused } from './refused.ts';

const HELLO = contentOf('hello, world');

describe('the blob store leaves neither open files nor files behind', () => {
  const disk = openDisk();

  const { bytes } = randomContent(3 * MIB);

  /** Each ends in an error, with the session's five bytes untouched. */
  const ways: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
    'a chunk that is too short': (id) => disk.blobs().uploads.append(id, OWNER, sourceOf(bytes), { length: bytes.length + 1 }),
    'a chunk that is too long': (id) => disk.blobs().uploads.append(id, OWNER, sourceOf(bytes), { length: 2 * MIB }),
    'a chunk in the wrong place': (id) => disk.blobs().uploads.append(id, OWNER, sourceOf(bytes), { from: 1 }),
    'a chunk over the largest blob': (id) => disk.blobs().uploads.append(id, OWNER, sourceOf(bytes)),
    'a chunk announced over the largest blob': (id) => disk.blobs().uploads.append(id, OWNER, sourceOf(''), { length: 3 * MIB }),
    'a source that breaks before its first byte': (id) =>
      disk.blobs().uploads.append(id, OWNER, brokenSource('', new Error('connection reset'))),
    'a wrong digest': (id) => disk.blobs().uploads.finish(id, OWNER, HELLO.digest),
    'a wrong digest of the other algorithm': (id) => disk.blobs().uploads.finish(id, OWNER, contentOf('x', 'sha512').digest),
  };

  for (const [name, way] of Object.entries(ways)) {
    it(`after ${name}`, async () => {
      await disk.reopen({ largestBlob: 5 + 2 * MIB });
      const id = await disk.begun('hello');
      await failed(way(id));
      await disk.nothingIsOpen();
      expect(disk.filesOf(id)).to.deep.equal(['0000000000000000', 'session.json']);
      expect((await disk.blobs().uploads.status(id, OWNER)).size).to.equal(5);
    });
  }

  it('after a source that breaks', async () => {
    const id = await disk.begun('hello');
    await failed(disk.blobs().uploads.append(id, OWNER, brokenSource(bytes, new Error('connection reset'))));
    await disk.nothingIsOpen();
    expect(disk.filesOf(id)).to.deep.equal(['0000000000000000', '0000000000000005', 'session.json']);
  });

  it('after a wrong digest over several chunks, also when the digest of each is unknown', async () => {
    const id = await disk.begun('hello', ', ');
    await disk.reopen({ shared: true });
    await refused(disk.blobs().uploads.finish(id, OWNER, HELLO.digest), 'DIGEST_INVALID');
    await disk.nothingIsOpen();
    expect(disk.filesOf(id)).to.deep.equal(['0000000000000000', '0000000000000005', 'session.json']);
  });

  it('after the loser of two chunks for one place', async () => {
    const id = await disk.begun();
    const append = () => disk.blobs().uploads.append(id, OWNER, sourceOf(bytes));
    await Promise.allSettled([append(), append(), append()]);
    await disk.nothingIsOpen();
    expect(disk.filesOf(id)).to.deep.equal(['0000000000000000', 'session.json']);
  });

  it('after a session that is cancelled while it grows', async () => {
    const id = await disk.begun('hello');
    const source = stalledSource(bytes);
    const appending = failed(disk.blobs().uploads.append(id, OWNER, source));
    await turn();
    await disk.blobs().uploads.cancel(id, OWNER);
    await appending;
    source.destroy();
    await disk.nothingIsOpen();
    await disk.blobs().close();
    expect(filesBelow(disk.folder())).to.deep.equal([]);
  });

  it('after uploads by the hundred, of which every second fails', async () => {
    const upload = async (index: number): Promise<void> => {
      const { id } = await disk.blobs().uploads.begin(OWNER, 'sha256');
      const content = randomContent(index * 1000);
      await disk.blobs().uploads.append(id, OWNER, sourceOf(content.bytes));
      if (index % 2 === 0) await (await disk.blobs().uploads.finish(id, OWNER, content.digest)).settle();
      else await refused(disk.blobs().uploads.finish(id, OWNER, HELLO.digest), 'DIGEST_INVALID');
      if (index % 2 === 1) await disk.blobs().uploads.cancel(id, OWNER);
    };
    await Promise.all(Array.from({ length: 100 }, (_, index) => upload(index)));
    await disk.nothingIsOpen();
    await disk.blobs().close();
    expect(filesBelow(disk.folder())).to.have.length(50);
  });

  it('after reading what is too large, or not there', async () => {
    await pushed(disk.blobs(), HELLO);
    await failed(disk.blobs().read(HELLO.digest, 1));
    await disk.blobs().read(contentOf('other').digest, 1);
    await disk.nothingIsOpen();
  });
});
