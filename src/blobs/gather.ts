import type { Body } from './body.ts';
import type { Buffers } from './buffers.ts';
import { type Filling, fillingOf, type Hand } from './filling.ts';
import { type Holding, holding } from './holding.ts';
import type { Piece } from './orders.ts';

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

const nextFor = async (filling: Filling, next: Next, buffers: Buffers): Promise<Uint8Array | undefined> => {
  if (!filling.partial()) return next();
  const leave = buffers.idle(filling.flush);
  try {
    return await next();
  } finally {
    leave();
  }
};

/** @returns whether that was the whole body */
const holdAll = async (held: Holding, next: Next): Promise<boolean> => {
  for (let chunk = await next(); chunk !== undefined; chunk = await next()) if (!held.add(chunk)) return false;
  return true;
};

/** The rest of a body that is not small. */
const gatherLarge = async (filling: Filling, next: Next, buffers: Buffers, commit: Hand, spent: Body['spent']): Promise<void> => {
  const more: Next = () => nextFor(filling, next, buffers);
  for (let chunk = await more(); chunk !== undefined; chunk = await more()) {
    await filling.add(chunk);
    spent(chunk);
  }
  await filling.end(commit);
};

/**
 * Gathers a body, which comes in chunks of 16 to 64 KiB, to pieces as large as the shared buffers: it is a write for each
 * chunk that costs (measured: half of the throughput).
 * @returns the size of the whole
 * @throws what `check`, `write`, `commit` and `body.next` throw; nothing is in flight any more then
 */
export const gather = async ({ body, buffers, write, commit, check }: Gathering): Promise<number> => {
  let size = 0;
  const next: Next = async () => {
    const chunk = await body.next();
    size += chunk?.length ?? 0;
    check(size, chunk === undefined);
    return chunk;
  };

  const held = holding(buffers);
  const filling = fillingOf({ buffers, write, failed: body.abort });
  try {
    if (await holdAll(held, next)) {
      if (size > 0) await commit(held.joined(), size);
      return size;
    }
    for (const chunk of held.drain()) {
      await filling.add(chunk);
      body.spent(chunk);
    }
    await gatherLarge(filling, next, buffers, (piece) => commit(piece, size), body.spent);
    return size;
  } catch (error) {
    await filling.drop();
    throw error;
  } finally {
    held.drain();
  }
};
