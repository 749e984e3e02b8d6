import type { Hash } from 'node:crypto';
import { closeSync, linkSync, openSync } from 'node:fs';
import { RegistryError } from '../errors.ts';
import { algorithmOf, type Digest } from '../oci/digest.ts';
import type { Counters } from './counters.ts';
import type { Layout } from './layout.ts';
import type { OrderOf, Part, Piece } from './orders.ts';
import { refuseMismatch } from './placing.ts';
import type { RunningHashes } from './runningHashes.ts';
import { hasCode, inSession, removeFile } from './sessionFolder.ts';
import { type WriteBack, writingBack } from './writeBack.ts';

type Writing = Readonly<{ fd: number; path: string; hash: Hash | undefined; file: WriteBack }> & { length: number };

type Means = Readonly<{
  layout: Layout;
  counters: Counters;
  hashes: RunningHashes;
  /** The digest, of the algorithm of `digest`, of a session's first `size` bytes and the file `last` behind them. */
  digestWith: (last: string, session: Readonly<{ id: string; size: number; digest: Digest }>) => Promise<Digest>;
}>;

/** Chunks that are being written: a file each, which becomes a chunk of its session by one `link(2)` or leaves no trace. */
export const parts = ({ layout, counters, hashes, digestWith }: Means) => {
  const open = new Map<string, Writing>();
  // A part that has lost a piece takes no further one, until it is discarded.
  const failed = new Map<string, unknown>();

  const create = ({ part, id, offset, algorithm }: Part): Writing => {
    const path = layout.part(id, part);
    const fd = inSession(id, () => openSync(path, 'wx'));
    counters.count('opens');
    const writing = { fd, path, length: 0, hash: hashes.from(id, offset, algorithm), file: writingBack(fd, counters) };
    open.set(part, writing);
    return writing;
  };

  const add = (order: Part & Piece): void => {
    const writing = open.get(order.part) ?? create(order);
    const bytes = new Uint8Array(order.bytes, 0, order.length);
    writing.file.write(bytes);
    writing.hash?.update(bytes);
    writing.length += bytes.length;
  };

  const write = (order: Part & Piece): Piece => {
    if (failed.has(order.part)) throw failed.get(order.part);
    try {
      add(order);
    } catch (error) {
      failed.set(order.part, error);
      throw error;
    }
    return { bytes: order.bytes, length: order.length };
  };

  // Two who append at one offset both write a part; the name of the chunk can be taken once.
  const link = (path: string, { id, offset }: Part): void => {
    try {
      inSession(id, () => linkSync(path, layout.chunk(id, offset)));
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      throw new RegistryError('RANGE_INVALID', 'Another request has written here meanwhile.', {});
    }
  };

  /** Before the chunk is there: what is refused must leave its session as it was, whoever else works on it. */
  const refuseOther = async ({ id, offset, algorithm }: Part, { path, hash }: Writing, digest: Digest): Promise<void> => {
    const known = hash !== undefined && algorithm === algorithmOf(digest);
    const computed = known
      ? (`${algorithm}:${hash.copy().digest('hex')}` as Digest)
      : await digestWith(path, { id, size: offset, digest });
    refuseMismatch(computed, digest);
  };

  const discard = async ({ part }: OrderOf<'discard'>): Promise<void> => {
    failed.delete(part);
    const writing = open.get(part);
    if (writing === undefined) return;
    open.delete(part);
    await writing.file.done().catch(() => undefined);
    closeSync(writing.fd);
    removeFile(writing.path);
  };

  const commit = async (order: OrderOf<'commit'>): Promise<Piece> => {
    try {
      const memory = write(order);
      const writing = open.get(order.part) as Writing;
      const { path, length, hash, file } = writing;
      await file.done();
      if (length !== order.size) throw new Error(`Part ${order.part} has ${length} bytes, not ${order.size}.`);
      if (order.digest !== undefined) await refuseOther(order, writing, order.digest);
      link(path, order);
      if (hash !== undefined) hashes.keep(order.id, { algorithm: order.algorithm, size: order.offset + length, hash });
      return memory;
    } finally {
      await discard(order);
    }
  };

  return { write, commit, discard };
};
