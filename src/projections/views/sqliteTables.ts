import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { ORIGIN } from '../../events/event.ts';
import type { Group, Placed, Projection } from '../projection.ts';
import { type DocumentCache, documentCache } from './sqliteCache.ts';
import { tableOf } from './sqliteSchema.ts';

/** Counted since the file was opened. Characters are those of the documents' JSON. */
export type ViewsStats = Readonly<Counters>;
export type Counters = {
  queries: number;
  rowsRead: number;
  charactersRead: number;
  cacheHits: number;
  commits: number;
  rowsWritten: number;
  charactersWritten: number;
};

export const counters = (): Counters => ({
  queries: 0,
  rowsRead: 0,
  charactersRead: 0,
  cacheHits: 0,
  commits: 0,
  rowsWritten: 0,
  charactersWritten: 0,
});

/** The documents of one view, by their keys. */
export type Table = Readonly<{
  read: (key: string) => Placed;
  /** Writes what is newer than what is there. Within a transaction; `committed` once it has succeeded. @returns whether it wrote */
  write: (document: Placed, text: string | null, at: number) => boolean;
  /** Writes over an older document only: for what may have been deleted, and its tombstone swept, since. */
  rewrite: (document: Placed, text: string | null, at: number) => boolean;
  committed: (document: Placed, text: string | null) => void;
  /** Removes some tombstones that were written before `before`. @returns their keys and positions */
  sweep: (before: number) => readonly Readonly<{ key: string; position: string }>[];
  /** Removes some documents with keys before `before`. @returns the same of them */
  forget: (before: string) => readonly Readonly<{ key: string; position: string }>[];
}>;

/** Rows that one step of a sweep removes: some 10 ms in which nothing else runs. */
const SWEPT_AT_ONCE = 2000;

const arrays = (statement: StatementSync): StatementSync => {
  statement.setReturnArrays(true);
  return statement;
};

const statementsOn = (db: DatabaseSync, name: string) => ({
  get: arrays(db.prepare(`select position, doc from ${name} where key = ?`)),
  // The guard is in the statement itself: nothing that was read before can be out of date by the time of the write.
  upsert: db.prepare(`
    insert into ${name} (key, position, doc, written_at) values (?, ?, ?, ?)
    on conflict (key) do update set position = excluded.position, doc = excluded.doc, written_at = excluded.written_at
    where excluded.position > position
  `),
  update: db.prepare(`update ${name} set position = ?2, doc = ?3, written_at = ?4 where key = ?1 and ?2 > position`),
  sweep: db.prepare(`
    delete from ${name} where rowid in (select rowid from ${name} where doc is null and written_at < ? limit ${SWEPT_AT_ONCE})
    returning key, position
  `),
  forget: db.prepare(`
    delete from ${name} where rowid in (select rowid from ${name} where key < ? order by key limit ${SWEPT_AT_ONCE})
    returning key, position
  `),
});

const tableOn = (db: DatabaseSync, projection: Projection, cache: DocumentCache, count: Counters): Table => {
  const statements = statementsOn(db, tableOf(projection));
  const writing =
    (statement: StatementSync): Table['write'] =>
    (document, text, at) => {
      const written = statement.run(document.key, document.position, text, at).changes === 1;
      if (written) {
        count.rowsWritten += 1;
        count.charactersWritten += text?.length ?? 0;
      }
      return written;
    };
  const fetch = (key: string): Placed => {
    count.queries += 1;
    const row = statements.get.get(key) as unknown as [string, string | null] | undefined;
    if (row === undefined) return cache.read(key, ORIGIN, null);
    count.rowsRead += 1;
    count.charactersRead += row[1]?.length ?? 0;
    return cache.read(key, row[0], row[1]);
  };
  const removing =
    <T extends number | string>(statement: StatementSync) =>
    (before: T): ReturnType<Table['sweep']> => {
      const removed = statement.all(before) as unknown as ReturnType<Table['sweep']>;
      for (const { key } of removed) cache.drop(key);
      return removed;
    };
  return {
    read: (key) => {
      const kept = cache.get(key);
      if (kept === undefined) return fetch(key);
      count.cacheHits += 1;
      return kept;
    },
    write: writing(statements.upsert),
    rewrite: writing(statements.update),
    committed: ({ key, position }, text) => cache.written(key, position, text),
    sweep: removing(statements.sweep),
    forget: removing(statements.forget),
  };
};

/** The tables of a group by the names of its views; each may keep its share of `cacheBytes` in memory. */
export const tablesOn = (db: DatabaseSync, group: Group, cacheBytes: number, count: Counters): ReadonlyMap<string, Table> =>
  new Map(
    group.views.map((projection) => {
      const cache = documentCache(cacheBytes / group.views.length);
      return [projection.view, tableOn(db, projection, cache, count)];
    }),
  );
