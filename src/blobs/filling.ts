import type { Buffers } from './buffers.ts';
import type { Piece } from './orders.ts';

/** Full buffers of one upload that may be on their way to the disk while a further one fills. */
const MOST_IN_FLIGHT = 2;

/** Takes a piece; resolves with its memory once it is written. */
export type Hand = (piece: Piece) => Promise<Piece>;

export type Filling = Readonly<{
  add: (bytes: Uint8Array) => Promise<void>;
  /** Whether a buffer is held that waits for more. */
  partial: () => boolean;
  /** Hands on what there is. */
  flush: () => void;
  /** Hands the rest to `commit` and waits until everything is done. */
  end: (commit: Hand) => Promise<void>;
  /** Lets go of everything; resolves when nothing is in flight any more. */
  drop: () => Promise<void>;
}>;

type Destination = Readonly<{
  buffers: Buffers;
  write: Hand;
  /** Told why a piece could not be written. */
  failed: (error: unknown) => void;
}>;

/** Fills shared buffers and hands them on when they are full. */
export const fillingOf = ({ buffers, write, failed }: Destination): Filling => {
  const inFlight = new Set<Promise<void>>();
  let buffer: ArrayBuffer | undefined;
  let view = new Uint8Array(0);
  let filled = 0;

  const hand = async (bytes: ArrayBuffer, length: number, to: Hand): Promise<void> => {
    try {
      buffers.give((await to({ bytes, length })).bytes);
    } catch (error) {
      buffers.lose();
      throw error;
    }
  };

  const flush = (): void => {
    if (buffer === undefined) return;
    const handed = hand(buffer, filled, write)
      .catch(failed)
      .finally(() => inFlight.delete(handed));
    inFlight.add(handed);
    buffer = undefined;
  };

  const newBuffer = async (): Promise<ArrayBuffer> => {
    while (inFlight.size >= MOST_IN_FLIGHT) await Promise.race(inFlight);
    const taken = await buffers.take();
    view = new Uint8Array(taken);
    filled = 0;
    return taken;
  };

  return {
    add: async (bytes) => {
      for (let at = 0; at < bytes.length; ) {
        buffer ??= await newBuffer();
        const fits = bytes.subarray(at, at + buffers.size - filled);
        view.set(fits, filled);
        filled += fits.length;
        at += fits.length;
        if (filled === buffers.size) flush();
      }
    },
    partial: () => buffer !== undefined,
    flush,
    end: async (commit) => {
      buffer ??= await newBuffer();
      const rest = buffer;
      buffer = undefined;
      await hand(rest, filled, commit);
      await Promise.all(inFlight);
    },
    drop: async () => {
      if (buffer !== undefined) buffers.give(buffer);
      buffer = undefined;
      await Promise.all(inFlight);
    },
  };
};
