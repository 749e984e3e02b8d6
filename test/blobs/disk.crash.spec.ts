import { mkdirSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { type Content, contentOf, filesBelow, OWNER, pulled, pushed, sourceOf } from './bytes.ts';
import { openDisk } from './openDisk.ts';
import { refused } from './refused.ts';

const HELLO = contentOf('hello, world');

describe('the blob store after a crash', () => {
  const disk = openDisk();

  describe('opened again after its process died', () => {
    const leftovers = (id: string): void => {
      writeFileSync(disk.sessionPath(id, 'part-1'), 'half a chu');
      writeFileSync(disk.sessionPath(id, 'finishing'), '');
      writeFileSync(`${disk.folder()}/uploads/loose-1`, 'half a manif');
      mkdirSync(`${disk.folder()}/uploads/removed-${id}`);
      writeFileSync(`${disk.folder()}/uploads/removed-${id}/0000000000000000`, 'hello');
    };

    it('removes what was being written, and nothing else', async () => {
      const id = await disk.begun('hello', ', world');
      const before = filesBelow(disk.folder());
      leftovers(id);
      await disk.reopen();
      expect(filesBelow(disk.folder())).to.deep.equal(before);
      await disk.blobs().uploads.finish(id, OWNER, HELLO.digest);
    });

    it('leaves it alone where others may be writing, until the session expires', async () => {
      const id = await disk.begun('hello');
      leftovers(id);
      await disk.reopen({ shared: true });
      expect(disk.filesOf(id)).to.include.members(['part-1', 'finishing']);
      expect(await disk.blobs().uploads.expire(60_000)).to.equal(0);
      const files = [...disk.filesOf(id).map((name) => `${id}/${name}`), 'loose-1'];
      expect(filesBelow(`${disk.folder()}/uploads`)).to.have.members(files);
      expect(await disk.blobs().uploads.expire(-1)).to.equal(1);
    });

    it('expires a session that has no file yet, or half of one', async () => {
      const ids = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'] as const;
      for (const id of ids) mkdirSync(disk.sessionPath(id));
      writeFileSync(disk.sessionPath(ids[1], 'session.json'), '{"owner":');
      for (const id of ids) await refused(disk.blobs().uploads.status(id, OWNER), 'UPLOAD_UNKNOWN');
      for await (const { id } of disk.blobs().uploads.list()) throw new Error(`listed ${id}`);
      expect(await disk.blobs().uploads.expire(-1)).to.equal(2);
    });
  });

  it('keeps a session whose only sign of life is the chunk that is being written', async () => {
    const id = await disk.begun('hello');
    writeFileSync(disk.sessionPath(id, 'part-1'), 'half a chu');
    const longAgo = new Date(Date.now() - 3_600_000);
    for (const path of [disk.sessionPath(id, 'session.json'), disk.sessionPath(id)]) utimesSync(path, longAgo, longAgo);
    expect(await disk.blobs().uploads.expire(60_000)).to.equal(0);
    utimesSync(disk.sessionPath(id, 'part-1'), longAgo, longAgo);
    utimesSync(disk.sessionPath(id), longAgo, longAgo);
    expect(await disk.blobs().uploads.expire(60_000)).to.equal(1);
  });

  describe('after a power cut', () => {
    it('goes on where a chunk was cut short, and checks what it has', async () => {
      const id = await disk.begun('hello', ', world');
      truncateSync(disk.sessionPath(id, '0000000000000005'), 2);
      await disk.reopen();
      expect(await disk.blobs().uploads.status(id, OWNER)).to.deep.include({ size: 7, chunks: 2 });
      await refused(disk.blobs().uploads.finish(id, OWNER, HELLO.digest), 'DIGEST_INVALID');
      await disk.blobs().uploads.append(id, OWNER, sourceOf('world'));
      await disk.blobs().uploads.finish(id, OWNER, HELLO.digest);
    });

    it('gives up a session with a chunk that has lost its bytes', async () => {
      const id = await disk.begun('hello', ', world');
      truncateSync(disk.sessionPath(id, '0000000000000005'), 0);
      await disk.reopen();
      await refused(disk.blobs().uploads.status(id, OWNER), 'UPLOAD_UNKNOWN');
      for await (const upload of disk.blobs().uploads.list()) throw new Error(`listed ${upload.id}`);
      expect(await disk.blobs().uploads.expire(-1)).to.equal(1);
    });

    it('replaces a blob that was cut short when it is pushed again', async () => {
      const cases: readonly ((content: Content) => Promise<unknown>)[] = [
        (content) => pushed(disk.blobs(), content),
        (content) => disk.blobs().put(content.digest, content.bytes),
        async ({ digest }) => disk.blobs().uploads.finish(await disk.begun('hello', ', world'), OWNER, digest),
      ];
      for (const push of cases) {
        await pushed(disk.blobs(), HELLO);
        truncateSync(disk.blobPath(HELLO.digest), 3);
        await push(HELLO);
        expect(statSync(disk.blobPath(HELLO.digest)).size).to.equal(12);
        expect((await pulled(disk.blobs(), HELLO.digest))?.toString()).to.equal('hello, world');
      }
    });

    it('never places several chunks under a digest that what it reads from them does not have', async () => {
      const id = await disk.begun('hello', ', world');
      writeFileSync(disk.sessionPath(id, '0000000000000005'), ', WORLD');
      await refused(disk.blobs().uploads.finish(id, OWNER, HELLO.digest), 'DIGEST_INVALID');
      expect(await disk.blobs().stat(HELLO.digest)).to.equal(undefined);
    });
  });
});
