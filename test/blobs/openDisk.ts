import { expect } from 'chai';
import type { BlobStats } from '../../src/blobs/counters.ts';
import { type DiskBlobs, type DiskOptions, diskBlobs } from '../../src/blobs/disk.ts';
import { type Digest, hexOf } from '../../src/oci/digest.ts';
import { scratchFolder, waitUntil } from '../support/processes.ts';
import { filesBelow, OWNER, openIn, sourceOf } from './bytes.ts';

/** The store on disk of the test that runs, from the outside and from below. */
export type OpenDisk = Readonly<{
  folder: () => string;
  blobs: () => DiskBlobs;
  reopen: (options?: DiskOptions) => Promise<void>;
  /** Begins an upload and adds chunks. @returns its id */
  begun: (...chunks: readonly (Buffer | string)[]) => Promise<string>;
  blobPath: (digest: Digest) => string;
  sessionPath: (id: string, name?: string) => string;
  filesOf: (id: string) => readonly string[];
  /** What `work` asks of the file system. */
  costOf: (work: () => Promise<unknown>) => Promise<BlobStats>;
  /** Waits for that: the files of a session that is over are removed after the answer. */
  nothingIsOpen: () => Promise<unknown>;
}>;

/** Opens a store on disk before each test of a suite; afterwards closes it and looks that nothing stayed open. */
export const openDisk = (): OpenDisk => {
  let folder: string;
  let remove: () => void;
  let blobs: DiskBlobs;

  beforeEach(async () => {
    ({ path: folder, remove } = scratchFolder());
    blobs = await diskBlobs(folder);
  });

  afterEach(async () => {
    await blobs.close();
    expect(openIn(folder)).to.deep.equal([]);
    remove();
  });

  const sessionPath = (id: string, name = ''): string => `${folder}/uploads/${id}/${name}`;

  return {
    folder: () => folder,
    blobs: () => blobs,
    reopen: async (options) => {
      await blobs.close();
      blobs = await diskBlobs(folder, options);
    },
    begun: async (...chunks) => {
      const { id } = await blobs.uploads.begin(OWNER, 'sha256');
      for (const chunk of chunks) await blobs.uploads.append(id, OWNER, sourceOf(chunk));
      return id;
    },
    blobPath: (digest) => `${folder}/blobs/sha256/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}`,
    sessionPath,
    filesOf: (id) => filesBelow(sessionPath(id).slice(0, -1)),
    costOf: async (work) => {
      const before = blobs.stats();
      await work();
      const after = blobs.stats();
      const names = Object.keys(after) as (keyof BlobStats)[];
      return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as BlobStats;
    },
    nothingIsOpen: () => waitUntil('every file to be closed', () => openIn(folder).length === 0),
  };
};
