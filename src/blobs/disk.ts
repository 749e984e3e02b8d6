import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { ALGORITHMS } from '../oci/digest.ts';
import type { Blobs } from './blobs.ts';
import { type BufferStatus, buffersOf } from './buffers.ts';
import { type BlobStats, countersIn } from './counters.ts';
import { diskUploads } from './diskUploads.ts';
import { sweepLeftovers } from './expiring.ts';
import { folderSyncs } from './folderSyncs.ts';
import { blobFolders, type Layout, layoutOf } from './layout.ts';
import { placedBlob } from './placedBlob.ts';
import { reading } from './reading.ts';
import { blobInfo, type Store } from './store.ts';
import { threads } from './threads.ts';

const MIB = 1024 * 1024;

/** The memory of all uploads together: 32 buffers of 1 MiB, and as much again for bodies that are small. */
const BUFFER = MIB;
const MOST_BUFFERS = 32;

/** Hashing and writing are what is divided among threads; more than two wait for the disk. */
const MOST_THREADS = 2;

export type DiskOptions = Readonly<{
  /** Most bytes of one uploaded blob. 0, the default, sets no limit but the disk's. */
  largestBlob?: number;
  /**
   * Whether other processes use the folder too. Then what they may still be writing is left alone when the store is opened,
   * and goes when its session expires.
   */
  shared?: boolean;
}>;

export type DiskBlobs = Blobs & Readonly<{ stats: () => BlobStats; buffers: () => BufferStatus }>;

/** Makes what is missing of the folders; with them there, placing a blob costs one sync of one folder. */
const prepare = async (layout: Layout, syncFolder: Store['syncFolder']): Promise<void> => {
  const created = mkdirSync(layout.blobs, { recursive: true });
  mkdirSync(layout.uploads, { recursive: true });
  for (const folder of blobFolders()) mkdirSync(join(layout.blobs, folder), { recursive: true });
  const parents = [layout.root, layout.blobs, ...ALGORITHMS.map((algorithm) => join(layout.blobs, algorithm))];
  if (created !== undefined) parents.push(dirname(created));
  await Promise.all(parents.map(syncFolder));
};

/** Copies, because the caller may go on using its bytes, and because a message takes the whole memory behind a view. */
const pieceOf = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

const putting =
  (store: Store): Blobs['put'] =>
  async (digest, bytes) => {
    const { layout, threads: workers, syncFolder } = store;
    const thread = Number.parseInt(digest.slice(-2), 16);
    const write = async (): Promise<void> => {
      const piece = pieceOf(bytes);
      await workers.thread(thread)('put', { digest, name: randomUUID(), bytes: piece, length: bytes.length }, [piece]);
      await syncFolder(layout.blobFolder(digest));
    };
    await write();
    const inPlace = (): boolean => blobInfo(store, digest)?.size === bytes.length;
    return placedBlob(digest, bytes.length, { inPlace, putBack: write, letGo: async () => undefined });
  };

/**
 * Blobs as files below `directory`, which is made if need be. Everything below it must be on one volume that knows hard links.
 * Closing breaks off running uploads (`UNAVAILABLE`), whose sessions keep what they had.
 */
export const diskBlobs = async (directory: string, options: DiskOptions = {}): Promise<DiskBlobs> => {
  const { largestBlob = 0, shared = false } = options;
  const layout = layoutOf(directory);
  const counters = countersIn();
  const syncFolder = folderSyncs(counters);
  await prepare(layout, syncFolder);
  if (!shared) await sweepLeftovers(layout);
  const workers = threads(Math.min(MOST_THREADS, availableParallelism()), { root: directory, counters: counters.memory });
  const store: Store = { layout, counters, threads: workers, syncFolder };
  const buffers = buffersOf(BUFFER, MOST_BUFFERS);
  const uploads = diskUploads(store, { largestBlob, buffers });
  return {
    ...reading(store),
    put: putting(store),
    uploads,
    stats: counters.read,
    buffers: buffers.status,
    close: async () => {
      await uploads.close();
      await workers.close();
    },
  };
};
