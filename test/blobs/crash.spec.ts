import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type DiskBlobs, diskBlobs } from '../../src/blobs/disk.ts';
import { type Algorithm, type Digest, digestOf } from '../../src/oci/digest.ts';
import { cleanAtExit, exitOf, scratchFolder } from '../support/processes.ts';
import { filesBelow, OWNER, pulled, pushed, randomContent } from './bytes.ts';

const UPLOADER = fileURLToPath(new URL('./uploader.ts', import.meta.url));
const ROUNDS = 5;

/** What a process had promised when it was killed. */
type Promised = Readonly<{ placed: readonly Digest[]; finished: ReadonlySet<string>; sizes: ReadonlyMap<string, number> }>;

/** Lets a process upload into a folder, kills it when it has said so many lines, and returns what it said. */
const killedAfter = async (folder: string, lines: number): Promise<Promised> => {
  const child = spawn(process.execPath, [UPLOADER, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const forget = cleanAtExit(() => child.kill('SIGKILL'));
  const placed: Digest[] = [];
  const sizes = new Map<string, number>();
  const finished = new Set<string>();
  let said = 0;
  // Lines that were written before it died arrive to the last one.
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, what = '', more = '0'] = line.split(' ');
    if (word === 'placed') {
      placed.push(what as Digest);
      finished.add(more);
    } else sizes.set(what, Number(more));
    said += 1;
    if (said === lines) child.kill('SIGKILL');
  }
  expect(await exitOf(child)).to.deep.include({ signal: 'SIGKILL' });
  forget();
  return { placed, finished, sizes };
};

describe('a process that is killed while it uploads', () => {
  const { path: folder, remove } = scratchFolder();
  let blobs: DiskBlobs;
  let killed: Promised;

  for (let round = 1; round <= ROUNDS; round += 1) {
    describe(`for the ${round}. time`, () => {
      before(async () => {
        killed = await killedAfter(folder, 1 + Math.floor(Math.random() * 250));
        blobs = await diskBlobs(folder);
      });

      after(async () => {
        await blobs.close();
        if (round === ROUNDS) remove();
      });

      it('has every blob in place that it promised', async () => {
        for (const digest of killed.placed) {
          const bytes = await pulled(blobs, digest);
          expect(bytes && digestOf(bytes)).to.equal(digest);
        }
      });

      it('has nothing but whole blobs in place', async () => {
        for (const file of filesBelow(`${folder}/blobs`)) {
          const [algorithm, , hex] = file.split('/');
          const digest = `${algorithm}:${hex}` as Digest;
          const bytes = await pulled(blobs, digest);
          expect(bytes && digestOf(bytes, algorithm as Algorithm)).to.equal(digest);
        }
      });

      it('leaves only sessions, with no fewer bytes than it promised', async () => {
        for (const file of filesBelow(`${folder}/uploads`)) expect(file).to.match(/^[0-9a-f-]{36}\/(session\.json|\d{16})$/);
        for (const [id, size] of killed.sizes) {
          // A blob in place may have been settled, with or without a word about it.
          if (killed.finished.has(id)) continue;
          expect((await blobs.uploads.status(id, OWNER)).size).to.be.at.least(size);
        }
      });

      it('leaves a store in which one can go on', async () => {
        const content = randomContent(100_000);
        await pushed(blobs, content);
        expect((await pulled(blobs, content.digest))?.equals(content.bytes)).to.equal(true);
        await blobs.uploads.expire(-1);
        expect(filesBelow(`${folder}/uploads`).filter((file) => !file.startsWith('removed-'))).to.deep.equal([]);
      });
    });
  }
});
