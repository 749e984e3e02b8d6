import type { Buffers } from './buffers.ts';
import type { Piece } from './orders.ts';

/** Most bytes of a small body. */
const SMALL = 64 * 1024;

/** Chunks that are kept apart: a client that sends single bytes must not cost a hundred times their memory. */
const MOST_CHUNKS = 64;

/** A small body in memory of its own, so that many of them do not wait for the shared buffers. */
export type Holding = Readonly<{
  /** @returns whether there may be more: not when the body is too large for this, or when small ones hold all that they may */
  add: (chunk: Uint8Array) => boolean;
  /** Everything in one piece, of memory of its own. */
  joined: () => Piece;
  /** Gives everything away. */
  drain: () => readonly Uint8Array[];
}>;

const join = (chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
};

export const holding = (buffers: Buffers): Holding => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let reserved = 0;

  return {
    add: (chunk) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > SMALL || !buffers.reserve(chunk.length)) return false;
      reserved += chunk.length;
      if (chunks.length === MOST_CHUNKS) chunks.splice(0, MOST_CHUNKS, join(chunks, size));
      return true;
    },
    joined: () => ({ bytes: join(chunks, size).buffer, length: size }),
    drain: () => {
      buffers.unreserve(reserved);
      reserved = 0;
      return chunks.splice(0);
    },
  };
};
