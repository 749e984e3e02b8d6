import type { DatabaseSync } from 'node:sqlite';
import { ORIGIN, type Position } from '../../events/event.ts';
import type { Placed, Totals } from '../projection.ts';
import { inTransaction, readMeta } from './sqliteSchema.ts';
import type { Counters, Table } from './sqliteTables.ts';
import type { Commit, Cursor, Fault, PlacedTotals } from './views.ts';

/** What a file says beside its documents; small, read at every turn, and kept in memory by its only writer. */
export type Ledger = Readonly<{
  checkpoint: () => Position;
  faults: () => Readonly<Record<string, Fault>>;
  totals: (view: string) => PlacedTotals;
  cursor: (stream: string) => Cursor | undefined;
  commit: (step: Commit) => void;
  /** Remembers how far tombstones were swept: what is no newer and has no row may have been deleted. */
  swept: (position: Position) => void;
}>;

// Each of these refuses by itself what is older than what is there.
const statementsOn = (db: DatabaseSync) => ({
  totals: db.prepare(`
    insert into totals (view, sums, position) values (?, ?, ?)
    on conflict (view) do update set sums = excluded.sums, position = excluded.position where excluded.position > position
  `),
  cursor: db.prepare(`
    insert into cursors (stream, revision, at, position) values (?, ?, ?, ?)
    on conflict (stream) do update set revision = excluded.revision, at = excluded.at, position = excluded.position
    where excluded.position > position
  `),
  fault: db.prepare('insert into faults (view, position, type, message) values (?, ?, ?, ?) on conflict (view) do nothing'),
  advance: db.prepare('update meta set value = ?2 where name = ?1 and ?2 > value'),
  readTotals: db.prepare('select sums, position from totals where view = ?'),
  readCursor: db.prepare('select revision, at, position from cursors where stream = ?'),
  readFaults: db.prepare('select view, position, type, message from faults'),
});

type Written = Readonly<{ table: Table; document: Placed; text: string | null }>;

export const ledgerOn = (db: DatabaseSync, tables: ReadonlyMap<string, Table>, now: () => number, count: Counters): Ledger => {
  const statements = statementsOn(db);
  const totals = new Map<string, PlacedTotals>();
  let checkpoint = readMeta(db, 'checkpoint') ?? '';
  let swept = readMeta(db, 'swept') ?? '';

  const readFaults = (): Readonly<Record<string, Fault>> =>
    Object.fromEntries(
      statements.readFaults.all().map(({ view, ...fault }) => [String(view), fault as unknown as Fault] as const),
    );
  let faults = readFaults();

  const writeDocuments = (documents: Commit['documents']): readonly Written[] => {
    const written: Written[] = [];
    const at = now();
    for (const { view, documents: placed } of documents) {
      const table = tables.get(view);
      if (table === undefined) throw new Error(`No view "${view}" in this file.`);
      for (const document of placed) {
        const text = document.value === undefined ? null : JSON.stringify(document.value);
        const write = document.position > swept ? table.write : table.rewrite;
        if (write(document, text, at)) written.push({ table, document, text });
      }
    }
    return written;
  };

  const write = (step: Commit): readonly Written[] => {
    for (const [view, sums] of Object.entries(step.totals)) statements.totals.run(view, JSON.stringify(sums), step.checkpoint);
    const written = writeDocuments(step.documents);
    for (const [stream, { revision, at, position }] of Object.entries(step.cursors))
      statements.cursor.run(stream, revision, at, position);
    for (const [view, { position, type, message }] of Object.entries(step.faults ?? {}))
      statements.fault.run(view, position, type, message);
    statements.advance.run('checkpoint', step.checkpoint);
    return written;
  };

  return {
    checkpoint: () => checkpoint,
    faults: () => faults,

    totals: (view) => {
      const known = totals.get(view);
      if (known !== undefined) return known;
      count.queries += 1;
      const row = statements.readTotals.get(view) ?? { sums: '{}', position: ORIGIN };
      const placed = { position: String(row.position), sums: JSON.parse(String(row.sums)) as Totals };
      totals.set(view, placed);
      return placed;
    },

    cursor: (stream) => {
      count.queries += 1;
      return statements.readCursor.get(stream) as unknown as Cursor | undefined;
    },

    commit: (step) => {
      const written = inTransaction(db, () => write(step));
      // Memory follows only now: a transaction that failed has left no trace in it.
      count.commits += 1;
      for (const { table, document, text } of written) table.committed(document, text);
      for (const view of Object.keys(step.totals)) totals.delete(view);
      if (step.checkpoint > checkpoint) checkpoint = step.checkpoint;
      if (step.faults !== undefined) faults = readFaults();
    },

    swept: (position) => {
      if (position <= swept) return;
      statements.advance.run('swept', position);
      swept = position;
    },
  };
};
