import { createHash, type Hash, randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { RegistryError } from '../errors.ts';
import { algorithmOf, type Digest } from '../oci/digest.ts';
import type { Counters } from './counters.ts';
import type { Layout } from './layout.ts';
import type { OrderOf } from './orders.ts';
import { chunkSize, hasCode, inSession, removeFile, unknownUpload } from './sessionFolder.ts';
import { type WriteBack, writingBack } from './writeBack.ts';

/** What one step of reading chunks takes. Steps are synchronous, so all finishes of a thread share one buffer of this size. */
const STEP = 1024 * 1024;

type Hashed = Readonly<{ id: string; digest: Digest; beat: () => void }>;
type Finished = Hashed & Readonly<{ size: number }>;

type Means = Readonly<{
  layout: Layout;
  counters: Counters;
  fsync: (fd: number) => Promise<void>;
  removeSession: (id: string) => void;
}>;

/** @throws RegistryError `DIGEST_INVALID` */
export const refuseMismatch = (computed: Digest, digest: Digest): void => {
  if (computed !== digest) {
    throw new RegistryError('DIGEST_INVALID', 'The uploaded bytes do not match the digest.', { digest, computed });
  }
};

/**
 * Puts bytes in place under their digest. A file is synced before it gets its final name, so whoever finds a blob in
 * place only has to sync its folder; a blob in place is not written again.
 */
export const placing = ({ layout, counters, fsync, removeSession }: Means) => {
  const scratch = Buffer.allocUnsafeSlow(STEP);

  const sizeInPlace = (digest: Digest): number | undefined => statSync(layout.blob(digest), { throwIfNoEntry: false })?.size;

  const openFile = (path: string, flags: string): number => {
    counters.count('opens');
    return openSync(path, flags);
  };

  const syncFile = async (fd: number): Promise<void> => {
    counters.count('fileSyncs');
    await fsync(fd);
  };

  const makeFolder = (digest: Digest): void => {
    mkdirSync(layout.blobFolder(digest), { recursive: true });
    const fd = openFile(dirname(layout.blobFolder(digest)), 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  };

  // A blob of another length under this digest was cut short by a crash of the file system: good bytes take its place.
  const mend = (path: string, digest: Digest): void => {
    const again = layout.loose(randomUUID());
    linkSync(path, again);
    renameSync(again, layout.blob(digest));
  };

  const linkIntoPlace = (path: string, digest: Digest, size: number): void => {
    try {
      linkSync(path, layout.blob(digest));
    } catch (error) {
      if (hasCode(error, 'EEXIST')) {
        if (sizeInPlace(digest) !== size) mend(path, digest);
        return;
      }
      if (!hasCode(error, 'ENOENT')) throw error;
      makeFolder(digest);
      linkSync(path, layout.blob(digest));
    }
  };

  const chunksOf = (id: string, size: number): readonly string[] => {
    const chunks: string[] = [];
    for (let offset = 0; offset < size; ) {
      const length = chunkSize(layout, id, offset);
      if (length === undefined || length === 0) throw unknownUpload(id);
      chunks.push(layout.chunk(id, offset));
      offset += length;
    }
    return chunks;
  };

  const readFile = async (id: string, path: string, beat: () => void, take: (bytes: Buffer) => void): Promise<void> => {
    const fd = inSession(id, () => openFile(path, 'r'));
    try {
      for (let read = readSync(fd, scratch); read > 0; read = readSync(fd, scratch)) {
        take(scratch.subarray(0, read));
        beat();
        await turn();
      }
    } finally {
      closeSync(fd);
    }
  };

  /** Hashes chunks in order, and writes what it has hashed to `copy`. */
  const hashed = async (chunks: readonly string[], { id, digest, beat }: Hashed, copy?: WriteBack): Promise<Digest> => {
    const hash: Hash = createHash(algorithmOf(digest));
    const take = (bytes: Buffer): void => {
      hash.update(bytes);
      copy?.write(bytes);
      if (copy !== undefined) counters.count('copiedBytes', bytes.length);
    };
    for (const chunk of chunks) await readFile(id, chunk, beat, take);
    return `${algorithmOf(digest)}:${hash.digest('hex')}` as Digest;
  };

  // After a failed sync the kernel may call the pages clean, and a second sync would succeed over lost bytes: the session ends.
  const placeChunk = async (chunk: string, { id, digest, size }: Finished): Promise<void> => {
    const fd = inSession(id, () => openFile(chunk, 'r+'));
    try {
      await syncFile(fd);
    } catch (error) {
      removeSession(id);
      throw error;
    } finally {
      closeSync(fd);
    }
    inSession(id, () => linkIntoPlace(chunk, digest, size));
  };

  // Hashes what it copies, whatever is known of it: the bytes that get the name are the bytes that were checked.
  const placeCopy = async (chunks: readonly string[], finished: Finished): Promise<void> => {
    const path = layout.part(finished.id, randomUUID());
    const fd = inSession(finished.id, () => openFile(path, 'wx'));
    const copy = writingBack(fd, counters);
    try {
      refuseMismatch(await hashed(chunks, finished, copy), finished.digest);
      await copy.done();
      await syncFile(fd);
      inSession(finished.id, () => linkIntoPlace(path, finished.digest, finished.size));
    } finally {
      await copy.done().catch(() => undefined);
      closeSync(fd);
      removeFile(path);
    }
  };

  const digestWith = (last: string, { id, size, digest }: Omit<Finished, 'beat'>): Promise<Digest> =>
    hashed([...chunksOf(id, size), last], { id, digest, beat: () => undefined });

  /** `known` is the digest of the session's bytes, where it has been computed already. */
  const verified = async (finished: Finished, known: Digest | undefined): Promise<void> => {
    const { id, size, digest } = finished;
    if (known !== undefined) refuseMismatch(known, digest);
    const there = sizeInPlace(digest) === size;
    if (there && known !== undefined) return;
    const chunks = chunksOf(id, size);
    const [only] = chunks;
    if (known === undefined && (there || chunks.length === 1)) refuseMismatch(await hashed(chunks, finished), digest);
    if (there) return;
    if (only !== undefined && chunks.length === 1) await placeChunk(only, finished);
    else await placeCopy(chunks, finished);
  };

  const small = async ({ digest, name, bytes, length }: OrderOf<'put'>): Promise<void> => {
    if (sizeInPlace(digest) === length) return;
    const path = layout.loose(name);
    const fd = openFile(path, 'wx');
    try {
      writingBack(fd, counters).write(new Uint8Array(bytes, 0, length));
      await syncFile(fd);
      linkIntoPlace(path, digest, length);
    } finally {
      closeSync(fd);
      removeFile(path);
    }
  };

  return { verified, small, digestWith };
};
