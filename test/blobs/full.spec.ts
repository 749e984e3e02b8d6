import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { type DiskBlobs, diskBlobs } from '../../src/blobs/disk.ts';
import { attempt, cleanAtExit, run, scratchFolder } from '../support/processes.ts';
import { contentOf, filesBelow, KIB, MIB, OWNER, openIn, pulled, pushed, randomContent, sourceOf } from './bytes.ts';
import { refused } from './refused.ts';

const HELLO = contentOf('hello, world');
const INODES = 700;
const UNMOUNT = 'umount';

describe('a disk that is full', () => {
  const { path, remove } = scratchFolder();
  let blobs: DiskBlobs;
  let close = async (): Promise<void> => undefined;

  const begun = async (...chunks: readonly (Buffer | string)[]): Promise<string> => {
    const { id } = await blobs.uploads.begin(OWNER, 'sha256');
    for (const chunk of chunks) await blobs.uploads.append(id, OWNER, sourceOf(chunk));
    return id;
  };

  const uploads = (): readonly string[] => filesBelow(`${path}/uploads`);

  before(async function () {
    const mounted = await attempt('mount', ['-t', 'tmpfs', '-o', `size=6m,nr_inodes=${INODES}`, 'tmpfs', path]).catch(String);
    if (typeof mounted === 'string' || mounted.code !== 0) {
      console.log(
        `      skipped: no small file system can be mounted here (${typeof mounted === 'string' ? mounted : mounted.stderr.trim()})`,
      );
      return this.skip();
    }
    const unmount = (): void => void execFileSync(UNMOUNT, [path]);
    const forget = cleanAtExit(unmount);
    blobs = await diskBlobs(path);
    close = async () => {
      await blobs.close();
      forget();
      unmount();
    };
  });

  afterEach(async () => {
    expect(openIn(path)).to.deep.equal([]);
    await blobs.uploads.expire(-1);
  });

  after(async () => {
    await close();
    remove();
  });

  it('refuses the chunk that does not fit, keeps what the session had, and takes what does fit', async () => {
    await pushed(blobs, HELLO);
    const content = randomContent(2 * MIB);
    const id = await begun(content.bytes.subarray(0, MIB));
    const before = uploads();
    await refused(blobs.uploads.append(id, OWNER, sourceOf(randomContent(8 * MIB).bytes)), 'STORAGE_FULL');
    expect(uploads()).to.deep.equal(before);
    expect((await blobs.uploads.status(id, OWNER)).size).to.equal(MIB);
    expect((await pulled(blobs, HELLO.digest))?.toString()).to.equal('hello, world');
    await blobs.uploads.append(id, OWNER, sourceOf(content.bytes.subarray(MIB)));
    await (await blobs.uploads.finish(id, OWNER, content.digest)).settle();
    expect((await pulled(blobs, content.digest))?.equals(content.bytes)).to.equal(true);
    rmSync(`${path}/blobs/sha256/${content.digest.slice(7, 9)}/${content.digest.slice(7)}`);
  });

  it('refuses small chunks and small blobs, too', async () => {
    const id = await begun('hello');
    writeFileSync(`${path}/ballast`, Buffer.alloc(6 * MIB - 600 * KIB));
    const refusals: unknown[] = [];
    for (let chunks = 0; chunks < 20; chunks += 1) {
      await blobs.uploads.append(id, OWNER, sourceOf(Buffer.alloc(60 * KIB))).catch((error) => refusals.push(error.code));
    }
    expect(new Set(refusals)).to.deep.equal(new Set(['STORAGE_FULL']));
    await refused(blobs.put(HELLO.digest.replace('09', '10') as typeof HELLO.digest, Buffer.alloc(600 * KIB)), 'STORAGE_FULL');
    expect(uploads().filter((file) => file.includes('loose') || file.includes('part'))).to.deep.equal([]);
    await blobs.uploads.cancel(id, OWNER);
    rmSync(`${path}/ballast`);
  });

  it('leaves a session of several chunks open when there is no room for the whole, until there is', async () => {
    const { bytes, digest } = randomContent(4 * MIB);
    const id = await begun(bytes.subarray(0, 2 * MIB), bytes.subarray(2 * MIB));
    const before = uploads();
    await refused(blobs.uploads.finish(id, OWNER, digest), 'STORAGE_FULL');
    expect(uploads()).to.deep.equal(before);
    expect(await blobs.stat(digest)).to.equal(undefined);
    await run('mount', ['-o', 'remount,size=12m', path]);
    await (await blobs.uploads.finish(id, OWNER, digest)).settle();
    expect((await pulled(blobs, digest))?.equals(bytes)).to.equal(true);
  });

  it('begins no session where not one more file can be made', async () => {
    const many: string[] = [];
    const refusal = await (async () => {
      for (let sessions = 0; sessions < INODES; sessions += 1) many.push(await begun());
    })().catch((error) => error);
    expect(refusal).to.have.property('code', 'STORAGE_FULL');
    const id = many[0] ?? '';
    await refused(blobs.uploads.append(id, OWNER, sourceOf('hello')), 'STORAGE_FULL');
    rmSync(`${path}/blobs/sha512`, { recursive: true });
    await blobs.uploads.append(id, OWNER, sourceOf('hello, world'));
    await (await blobs.uploads.finish(id, OWNER, HELLO.digest)).settle();
  });
});
