import { type AnyBulkWriteOperation, type Collection, MongoBulkWriteError } from 'mongodb';
import type { Position } from '../../events/event.ts';

/** What every guarded document has: the position that it reflects. */
type Positioned = Readonly<{ _id: string; p: Position }>;

/** A document to be put in the place of an older one, or where there is none unless it may only `replace`. */
export type Write<T> = Readonly<{ stored: T; size: number; replaceOnly?: boolean }>;

/** One command stays far below what a server takes, and short enough to be answered in time. */
const MOST_WRITES = 500;
const MOST_BYTES = 4 * 1024 * 1024;

const DUPLICATE_KEY = 11_000;

const batchesOf = <T>(writes: readonly Write<T>[]): readonly (readonly Write<T>[])[] => {
  const batches: Write<T>[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const write of writes) {
    const last = batches.at(-1);
    if (last === undefined || last.length === MOST_WRITES || bytes + write.size > MOST_BYTES) {
      batches.push([write]);
      bytes = write.size;
    } else {
      last.push(write);
      bytes += write.size;
    }
  }
  return batches;
};

const operationOf = <T extends Positioned>({ stored, replaceOnly = false }: Write<T>): AnyBulkWriteOperation<T> => {
  const { _id, ...replacement } = stored;
  const filter = { _id, p: { $lt: stored.p } };
  return { replaceOne: { filter, replacement, upsert: !replaceOnly } } as unknown as AnyBulkWriteOperation<T>;
};

/** Which of the writes found a document under their key that they could not replace. @throws what failed otherwise */
const duplicatesIn = (error: unknown): readonly number[] => {
  if (!(error instanceof MongoBulkWriteError)) throw error;
  const errors = [error.writeErrors].flat();
  // Without any of these it is the network's or the server's error in this shape.
  if (errors.length === 0 || errors.some(({ code }) => code !== DUPLICATE_KEY)) throw error;
  if (error.result.getWriteConcernError() !== undefined) throw error;
  return errors.map(({ index }) => index);
};

/**
 * Writes what is newer than what is there, in bounded commands one after the other; what is not newer is passed over. Each write
 * is guarded by the position in its own filter, so that it does not matter when or how often it reaches the server.
 *
 * @param guard called before every command; throws where this process may not write any more
 */
export const writeGuarded = async <T extends Positioned>(
  collection: Collection<T>,
  writes: readonly Write<T>[],
  guard: () => void,
): Promise<void> => {
  for (const batch of batchesOf(writes)) {
    const refused = await bulk(collection, batch, guard);
    // Mostly there is something newer. But of two that insert at once one is refused too, and it may be the newer: only a second
    // try tells, which need not insert.
    const again = refused.map((write) => ({ ...write, replaceOnly: true }));
    if (again.length > 0) await bulk(collection, again, guard);
  }
};

/** @returns those that were refused because there is a document under their key */
const bulk = async <T extends Positioned>(
  collection: Collection<T>,
  writes: readonly Write<T>[],
  guard: () => void,
): Promise<readonly Write<T>[]> => {
  guard();
  try {
    await collection.bulkWrite(writes.map(operationOf), { ordered: false });
    return [];
  } catch (error) {
    const refused = new Set(duplicatesIn(error));
    return writes.filter((_write, index) => refused.has(index));
  }
};
