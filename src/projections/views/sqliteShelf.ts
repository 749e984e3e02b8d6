import type { DatabaseSync } from 'node:sqlite';
import { ORIGIN, type Position } from '../../events/event.ts';
import type { Document, Placed, Projection } from '../projection.ts';
import type { Change } from '../reduce.ts';
import { hashOf, keyIndex, NO_ROW } from './keyIndex.ts';
import { tableOf } from './sqliteSchema.ts';

/** Documents as they travel to whoever writes them. A text is null where the document is gone. */
export type Rows = Readonly<{ ids: number[]; keys: string[]; positions: Position[]; texts: (string | null)[] }>;

/** The documents of one view while it is built: those that changed last are in memory, the rest in the file. */
export type Shelf = Readonly<{
  read: (key: string) => Placed;
  /** Takes what `read` gave as it was before, and what came of it. @returns characters of the changed documents */
  write: (changes: ReadonlyMap<string, Change>) => number;
  /** How many documents changed since the last `take`. */
  size: () => number;
  /** What changed since the last call, to be written: new documents and changed ones. By the next call that must have happened. */
  take: () => Readonly<{ added: Rows; changed: Rows }>;
}>;

/** A document with its place: the row that it is in, or NO_ROW, and the hash of its key, so that it is computed once. */
type Found = Placed & Readonly<{ row: number; hash: number }>;

type Kept = Readonly<{ key: string; position: Position; text: string | null }>;

const noRows = (): Rows => ({ ids: [], keys: [], positions: [], texts: [] });

const push = ({ ids, keys, positions, texts }: Rows, row: number, { key, position }: Placed, text: string | null): void => {
  ids.push(row);
  keys.push(key);
  positions.push(position);
  texts.push(text);
};

const keptAt = ({ keys, positions, texts }: Rows, at: number): Kept => ({
  key: keys[at] ?? '',
  position: positions[at] ?? ORIGIN,
  text: texts[at] ?? null,
});

/** What changed in a while. Rows are given out in order, so that a new document is found by its row without a map. */
const windowFrom = (first: number) => {
  const added = noRows();
  const changed = noRows();
  const changedAt = new Map<number, number>();
  return {
    added,
    changed,
    size: (): number => added.ids.length + changed.ids.length,
    get: (row: number): Kept | undefined => {
      if (row >= first) return row - first < added.ids.length ? keptAt(added, row - first) : undefined;
      const at = changedAt.get(row);
      return at === undefined ? undefined : keptAt(changed, at);
    },
    add: (row: number, placed: Placed, text: string | null): void => push(added, row, placed, text),
    change: (row: number, placed: Placed, text: string | null): void => {
      const [rows, at] = row >= first ? [added, row - first] : [changed, changedAt.get(row)];
      if (at === undefined) {
        changedAt.set(row, changed.ids.length);
        push(changed, row, placed, text);
      } else {
        rows.positions[at] = placed.position;
        rows.texts[at] = text;
      }
    },
  };
};

/** The last `most` documents that were put or asked for, and up to as many again: two maps that take turns. */
const lately = (most: number) => {
  let young = new Map<number, Kept>();
  let old = new Map<number, Kept>();
  const put = (row: number, kept: Kept): void => {
    if (young.size >= most) {
      old = young;
      young = new Map();
    }
    young.set(row, kept);
  };
  return {
    put,
    get: (row: number): Kept | undefined => {
      const kept = young.get(row);
      if (kept !== undefined) return kept;
      const older = old.get(row);
      if (older !== undefined) put(row, older);
      return older;
    },
  };
};

/** @param most documents kept in memory of those that changed more than once; twice as many for a moment */
export const shelfOn = (db: DatabaseSync, projection: Projection, most: number): Shelf => {
  const select = db.prepare(`select key, position, doc from ${tableOf(projection)} where rowid = ?`);
  const rowOf = keyIndex();
  const changedAgain = lately(most);
  let last = NO_ROW;
  let filling = windowFrom(1);
  let handedOver = windowFrom(1);
  let found: Kept | undefined;

  const fromFile = (row: number): Kept | undefined => {
    const there = select.get(row) as { key: string; position: Position; doc: string } | undefined;
    return there && { key: there.key, position: there.position, text: there.doc };
  };

  const at = (row: number): Kept | undefined => filling.get(row) ?? handedOver.get(row) ?? changedAgain.get(row) ?? fromFile(row);

  return {
    read: (key): Found => {
      const hash = hashOf(key);
      const row = rowOf.find(hash, (candidate) => {
        found = at(candidate);
        return found?.key === key;
      });
      if (row === NO_ROW || found === undefined) return { key, position: ORIGIN, value: undefined, row: NO_ROW, hash };
      const value = found.text === null ? undefined : (JSON.parse(found.text) as Document);
      return { key, position: found.position, value, row, hash };
    },
    write: (changes) => {
      let characters = 0;
      for (const { before, after } of changes.values()) {
        const text = after.value === undefined ? null : JSON.stringify(after.value);
        const { row, hash } = before as Found;
        if (row === NO_ROW) {
          last += 1;
          rowOf.add(hash, last);
          filling.add(last, after, text);
        } else {
          filling.change(row, after, text);
          changedAgain.put(row, { key: after.key, position: after.position, text });
        }
        characters += after.key.length + (text?.length ?? 0);
      }
      return characters;
    },
    size: () => filling.size(),
    take: () => {
      handedOver = filling;
      filling = windowFrom(last + 1);
      return { added: handedOver.added, changed: handedOver.changed };
    },
  };
};
