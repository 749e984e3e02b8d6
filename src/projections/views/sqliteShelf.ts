import type { DatabaseSync } from 'node:sqlite';
import type { Position } from '../../events/event.ts';
import type { Document, Placed, Projection } from '../projection.ts';
import { type Change, neverSeen } from '../reduce.ts';
import type { BloomFilter } from './bloomFilter.ts';
import type { Rows } from './sqliteFill.ts';
import { tableOf } from './sqliteSchema.ts';

/** The documents of one view while it is built: what changed last is in memory, the rest in the file. */
export type Shelf = Readonly<{
  read: (key: string) => Placed;
  /** @returns characters of the changed documents */
  write: (changes: ReadonlyMap<string, Change>) => number;
  /** How many documents changed since the last `take`. */
  size: () => number;
  /** What changed since the last call, to be written. By the next call that must have happened. */
  take: () => Rows;
}>;

type Kept = Readonly<{ position: Position; text: string | null }>;
type Window = Readonly<{ rows: Rows; at: Map<string, number> }>;

const placedOf = (key: string, { position, text }: Kept): Placed => ({
  key,
  position,
  value: text === null ? undefined : (JSON.parse(text) as Document),
});

const windowOf = (view: string): Window => ({ rows: { view, keys: [], positions: [], texts: [] }, at: new Map() });

const inWindow = ({ rows, at }: Window, key: string): Kept | undefined => {
  const index = at.get(key);
  return index === undefined ? undefined : { position: rows.positions[index] ?? '', text: rows.texts[index] ?? null };
};

const putIn = ({ rows, at }: Window, { key, position }: Placed, text: string | null): void => {
  const index = at.get(key);
  if (index === undefined) {
    at.set(key, rows.keys.push(key) - 1);
    rows.positions.push(position);
    rows.texts.push(text);
  } else {
    rows.positions[index] = position;
    rows.texts[index] = text;
  }
};

/** The last `most` documents that were put or asked for, and up to as many again: two maps that take turns. */
const lately = (most: number) => {
  let young = new Map<string, Kept>();
  let old = new Map<string, Kept>();
  const put = (key: string, kept: Kept): void => {
    if (young.size >= most) {
      old = young;
      young = new Map();
    }
    young.set(key, kept);
  };
  return {
    put,
    get: (key: string): Kept | undefined => {
      const kept = young.get(key);
      if (kept !== undefined) return kept;
      const older = old.get(key);
      if (older !== undefined) put(key, older);
      return older;
    },
  };
};

/**
 * @param touched knows the keys that no event has touched, which most keys of a history are when they come: for those nothing
 *   is looked up. `space` sets this view's apart.
 * @param kept about how many documents stay in memory that were changed more than once
 */
export const shelfOn = (
  db: DatabaseSync,
  projection: Projection,
  { touched, space, kept }: { touched: BloomFilter; space: number; kept: number },
): Shelf => {
  const select = db.prepare(`select position, doc from ${tableOf(projection)} where key = ?`);
  select.setReturnArrays(true);
  const changedAgain = lately(kept);
  let filling = windowOf(projection.view);
  let handedOver = windowOf(projection.view);

  const fromFile = (key: string): Kept | undefined => {
    const row = select.get(key) as unknown as [Position, string] | undefined;
    return row && { position: row[0], text: row[1] };
  };

  return {
    read: (key) => {
      if (!touched.add(space, key)) return neverSeen(key);
      const kept = inWindow(filling, key) ?? inWindow(handedOver, key) ?? changedAgain.get(key) ?? fromFile(key);
      return kept === undefined ? neverSeen(key) : placedOf(key, kept);
    },
    write: (changes) => {
      let characters = 0;
      for (const { before, after } of changes.values()) {
        const text = after.value === undefined ? null : JSON.stringify(after.value);
        putIn(filling, after, text);
        if (before.position !== '') changedAgain.put(after.key, { position: after.position, text });
        characters += after.key.length + (text?.length ?? 0);
      }
      return characters;
    },
    size: () => filling.rows.keys.length,
    take: () => {
      handedOver = filling;
      filling = windowOf(projection.view);
      return handedOver.rows;
    },
  };
};
