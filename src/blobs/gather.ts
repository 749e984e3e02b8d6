import type { Body } from './body.ts';
import type { Buffers } from './buffers.ts';
import { type Filling, fillingOf, type Hand } from './filling.ts';
import type { Piece } from './orders.ts';

/** A body up to this size is handed on in memory of its own, so that many small ones do not wait for the shared buffers. */
export const SMALL = 64 * 1024;

/** Chunks of a small body that are kept apart: a client that sends single bytes must not cost a hundred times their memory. */
const MOST_CHUNKS = 64;

export type Gathering = Readonly<{
  body: Body;
  buffers: Buffers;
  write: Hand;
  /** Takes the last piece and the size of the whole. Not called for a body without bytes. */
  commit: (piece: Piece, size: number) => Promise<Piece>;
  /** Told how many bytes have come, and whether that was all; throws when that is too many or too few. */
  check: (size: number, ended: boolean) => void;
}>;

type Next = () => Promise<Uint8Array | undefined>;

const joined = (chunks: readonly Uint8Array[], length: number): Piece => {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return { bytes: bytes.buffer, length };
};

const beginning = async (next: Next): Promise<Readonly<{ chunks: readonly Uint8Array[]; size: number; ended: boolean }>> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (size <= SMALL) {
    const chunk = await next();
    if (chunk === undefined) return { chunks, size, ended: true };
    chunks.push(chunk);
    size += chunk.length;
    if (chunks.length === MOST_CHUNKS) chunks.splice(0, MOST_CHUNKS, new Uint8Array(joined(chunks, size).bytes));
  }
  return { chunks, size, ended: false };
};

const nextFor = async (filling: Filling, next: Next, buffers: Buffers): Promise<Uint8Array | undefined> => {
  if (!filling.partial()) return next();
  const leave = buffers.idle(filling.flush);
  try {
    return await next();
  } finally {
    leave();
  }
};

/**
 * Gathers a body, which comes in chunks of 16 to 64 KiB, to pieces as large as the shared buffers: it is a write for each
 * chunk that costs (measured: half of the throughput).
 * @throws what `check`, `write`, `commit` and `body.next` throw; nothing is in flight any more then
 */
export const gather = async ({ body, buffers, write, commit, check }: Gathering): Promise<void> => {
  let size = 0;
  const next: Next = async () => {
    const chunk = await body.next();
    size += chunk?.length ?? 0;
    check(size, chunk === undefined);
    return chunk;
  };

  const first = await beginning(next);
  if (first.ended) {
    if (size > 0) await commit(joined(first.chunks, size), size);
    return;
  }
  const filling = fillingOf({ buffers, write, failed: body.abort });
  const more: Next = () => nextFor(filling, next, buffers);
  try {
    for (const chunk of first.chunks) await filling.add(chunk);
    for (let chunk = await more(); chunk !== undefined; chunk = await more()) await filling.add(chunk);
    await filling.end((piece) => commit(piece, size));
  } catch (error) {
    await filling.drop();
    throw error;
  }
};
