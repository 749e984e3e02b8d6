import { closeSync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Position } from '../../events/event.ts';
import type { Group, Totals } from '../projection.ts';
import { createIndexes, createTables, inTransaction, tableOf } from './sqliteSchema.ts';
import type { Cursor, Fault } from './views.ts';

/** Documents of one view as they travel to whoever writes them: three texts a document, null for one that is gone. */
export type Rows = Readonly<{ view: string; keys: string[]; positions: Position[]; texts: (string | null)[] }>;

/** What a file says beside its documents. */
export type Summary = Readonly<{
  totals: ReadonlyMap<string, Totals>;
  cursors: ReadonlyMap<string, Cursor>;
  faults: Readonly<Record<string, Fault>>;
  checkpoint: Position;
}>;

// Nothing is waited for while filling: a build that a crash interrupts is begun anew. A log beside the file costs next to nothing
// (measured: 12 µs an event, without one 11) and lets another thread read what was committed.
const FILLING =
  'pragma journal_mode = wal; pragma synchronous = off; pragma wal_autocheckpoint = 20000; pragma cache_size = -65536;';

/** A new file without indexes, which says that it is unfinished. */
export const startFile = (path: string, group: Group): DatabaseSync => {
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec(FILLING);
  inTransaction(db, () => createTables(db, group, 'building'));
  return db;
};

const inKeyOrder = ({ keys }: Rows): readonly number[] =>
  keys.map((_key, index) => index).sort((a, b) => ((keys[a] ?? '') < (keys[b] ?? '') ? -1 : 1));

/** Writes documents into a started file: without a guard, because nothing else writes there, and in the order of the keys. */
export const filler = (
  path: string,
  views: readonly string[],
  now: () => number,
): { write: (rows: readonly Rows[]) => void; close: () => void } => {
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec(FILLING);
  const statements = new Map(
    views.map((view) => {
      const upsert = db.prepare(`
        insert into ${tableOf({ view })} (key, position, doc, written_at) values (?, ?, ?, ?)
        on conflict (key) do update set position = excluded.position, doc = excluded.doc
      `);
      return [view, { upsert, remove: db.prepare(`delete from ${tableOf({ view })} where key = ?`) }];
    }),
  );

  const writeView = (rows: Rows, at: number): void => {
    const { upsert, remove } = statements.get(rows.view) ?? {};
    for (const index of inKeyOrder(rows)) {
      const [key, text] = [rows.keys[index] ?? '', rows.texts[index] ?? null];
      // No tombstone: nobody can come late with an older document, because nobody has this file yet.
      if (text === null) remove?.run(key);
      else upsert?.run(key, rows.positions[index] ?? '', text, at);
    }
  };

  return {
    write: (rows) =>
      inTransaction(db, () => {
        for (const one of rows) writeView(one, now());
      }),
    close: () => db.close(),
  };
};

const syncPath = (path: string): void => {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};

const writeSummary = (db: DatabaseSync, { totals, cursors, faults, checkpoint }: Summary): void => {
  const addTotals = db.prepare('insert into totals (view, sums, position) values (?, ?, ?)');
  for (const [view, sums] of totals) addTotals.run(view, JSON.stringify(sums), checkpoint);
  const addCursor = db.prepare('insert into cursors (stream, revision, at, position) values (?, ?, ?, ?)');
  for (const [stream, { revision, at, position }] of cursors) addCursor.run(stream, revision, at, position);
  const addFault = db.prepare('insert into faults (view, position, type, message) values (?, ?, ?, ?)');
  for (const [view, { position, type, message }] of Object.entries(faults)) addFault.run(view, position, type, message);
  db.prepare(`update meta set value = ? where name = 'checkpoint'`).run(checkpoint);
};

/** Makes a filled file ready and closes it. It says so only once everything in it is on the disk. */
export const finishFile = (db: DatabaseSync, path: string, group: Group, summary: Summary): void => {
  db.exec('pragma cache_size = -262144');
  inTransaction(db, () => {
    writeSummary(db, summary);
    createIndexes(db, group);
  });
  db.exec('pragma wal_checkpoint(truncate)');
  syncPath(path);
  syncPath(dirname(path));
  db.exec('pragma synchronous = full');
  inTransaction(db, () => db.exec(`update meta set value = 'ready' where name = 'state'`));
  db.close();
};
