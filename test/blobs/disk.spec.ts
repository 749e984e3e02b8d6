import { readdirSync, readFileSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import type { PlacedBlob, Upload } from '../../src/blobs/blobs.ts';
import { hexOf } from '../../src/oci/digest.ts';
import { waitUntil } from '../support/processes.ts';
import { contentOf, filesBelow, MIB, OWNER, pulled, pushed, randomContent, sourceOf, stalledSource } from './bytes.ts';
import { openDisk } from './openDisk.ts';
import { refused } from './refused.ts';

const HELLO = contentOf('hello, world');

describe('the blob store on disk', () => {
  const disk = openDisk();

  describe('lays out', () => {
    it('blobs by algorithm and the first two digits', async () => {
      const long = contentOf('hello, world', 'sha512');
      await pushed(disk.blobs(), HELLO);
      await disk.blobs().put(long.digest, long.bytes);
      expect(filesBelow(`${disk.folder()}/blobs`)).to.deep.equal([
        `sha256/09/${hexOf(HELLO.digest)}`,
        `sha512/${hexOf(long.digest).slice(0, 2)}/${hexOf(long.digest)}`,
      ]);
      await disk.blobs().close();
      expect(filesBelow(`${disk.folder()}/uploads`)).to.deep.equal([]);
    });

    it('sessions as folders of chunks named by their offsets', async () => {
      const id = await disk.begun('hello', ', ', 'world');
      expect(disk.filesOf(id)).to.deep.equal(['0000000000000000', '0000000000000005', '0000000000000007', 'session.json']);
      expect(JSON.parse(readFileSync(disk.sessionPath(id, 'session.json'), 'utf8'))).to.deep.include({
        owner: OWNER,
        algorithm: 'sha256',
      });
    });

    it('a folder that somebody has removed anew', async () => {
      rmSync(`${disk.folder()}/blobs/sha256`, { recursive: true });
      await pushed(disk.blobs(), HELLO);
      rmSync(`${disk.folder()}/blobs/sha256`, { recursive: true });
      await disk.blobs().put(HELLO.digest, HELLO.bytes);
      expect(await pulled(disk.blobs(), HELLO.digest)).to.deep.equal(HELLO.bytes);
    });
  });

  describe('uses the folders of sessions again that are over', () => {
    const spares = (): readonly string[] => readdirSync(`${disk.folder()}/uploads`).filter((name) => name.startsWith('removed-'));

    /** A session's folder is emptied after the answer; then it is there for the next of the same thread. */
    const anotherSession = async (): Promise<Upload> => {
      for (;;) {
        await waitUntil('the folders to be emptied', () =>
          filesBelow(`${disk.folder()}/uploads`).every((file) => file.endsWith('.json')),
        );
        const before = spares().length;
        const upload = await disk.blobs().uploads.begin(OWNER, 'sha512');
        if (spares().length < before) return upload;
        await disk.blobs().uploads.append(upload.id, OWNER, sourceOf('hello'));
        await disk.blobs().uploads.cancel(upload.id, OWNER);
      }
    };

    it('with nothing of the former in them', async () => {
      await pushed(disk.blobs(), HELLO);
      const { id, startedAt } = await anotherSession();
      expect(disk.filesOf(id)).to.deep.equal(['session.json']);
      await disk.reopen({ shared: true });
      const status = await disk.blobs().uploads.status(id, OWNER);
      expect(status).to.deep.include({ owner: OWNER, algorithm: 'sha512', size: 0, chunks: 0, startedAt });
    });

    it('also while an expiry takes them away', async () => {
      for (let round = 0; round < 20; round += 1) {
        const upload = async (): Promise<void> => {
          const { id } = await disk.blobs().uploads.begin(OWNER, 'sha256');
          expect((await disk.blobs().uploads.append(id, OWNER, sourceOf('hello, world'))).size).to.equal(12);
          await (await disk.blobs().uploads.finish(id, OWNER, HELLO.digest)).settle();
        };
        await Promise.all([
          upload(),
          upload(),
          disk.blobs().uploads.expire(60_000),
          upload(),
          disk.blobs().uploads.expire(60_000),
          upload(),
        ]);
      }
    });

    it('as long as the store is open', async () => {
      await pushed(disk.blobs(), HELLO);
      await disk.blobs().close();
      expect(readdirSync(`${disk.folder()}/uploads`)).to.deep.equal([]);
    });
  });

  it('refuses a blob over the limit as soon as it can know, and takes one up to it', async () => {
    await disk.reopen({ largestBlob: MIB });
    const content = randomContent(MIB);
    const id = await disk.begun('x');
    const { detail } = await refused(disk.blobs().uploads.append(id, OWNER, stalledSource(content.bytes)), 'REQUEST_TOO_LARGE');
    expect(detail).to.deep.equal({ largest: MIB });
    const unread = sourceOf('');
    await refused(disk.blobs().uploads.append(id, OWNER, unread, { length: MIB }), 'REQUEST_TOO_LARGE');
    expect(unread.readableDidRead).to.equal(false);
    await pushed(disk.blobs(), content);
  });

  describe('a finish of a session that another process is finishing waits', () => {
    type Waiting = Readonly<{ id: string; end: Promise<PlacedBlob> }>;

    /** A finish that has not ended while another upload was done from its beginning to its end. */
    const waiting = async (): Promise<Waiting> => {
      const id = await disk.begun('hello, world');
      writeFileSync(disk.sessionPath(id, 'finishing'), '');
      const ended = { yet: false };
      const end = disk.blobs().uploads.finish(id, OWNER, HELLO.digest);
      const note = (): void => {
        ended.yet = true;
      };
      end.then(note, note);
      await pushed(disk.blobs(), contentOf('another'));
      expect(ended.yet).to.equal(false);
      return { id, end };
    };

    it('until that has ended', async () => {
      const { id, end } = await waiting();
      unlinkSync(disk.sessionPath(id, 'finishing'));
      await (await end).settle();
    });

    it('until that was given up long ago', async () => {
      const { id, end } = await waiting();
      const longAgo = new Date(Date.now() - 31_000);
      utimesSync(disk.sessionPath(id, 'finishing'), longAgo, longAgo);
      await (await end).settle();
    });

    it('until the session is over', async () => {
      const { id, end } = await waiting();
      await disk.blobs().uploads.cancel(id, OWNER);
      await refused(end, 'UPLOAD_UNKNOWN');
    });

    it('until the store is closed', async () => {
      const { end } = await waiting();
      const refusal = refused(end, 'UNAVAILABLE');
      await disk.blobs().close();
      await refusal;
    });
  });
});
