import { closeSync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Position } from '../../events/event.ts';
import type { Group, Totals } from '../projection.ts';
import { createIndexes, createTables, inTransaction, tableOf } from './sqliteSchema.ts';
import type { Rows } from './sqliteShelf.ts';
import type { Cursor, Fault } from './views.ts';

/** Documents of one view to be written. */
export type Batch = Readonly<{ view: string; added: Rows; changed: Rows }>;

/** What a file says beside its documents. */
export type Summary = Readonly<{
  totals: ReadonlyMap<string, Totals>;
  cursors: ReadonlyMap<string, Cursor>;
  faults: Readonly<Record<string, Fault>>;
  checkpoint: Position;
}>;

// Nothing is waited for while filling: a build that a crash interrupts is begun anew. The log beside the file costs a tenth of the
// writing (measured), and lets another thread read what was committed.
const FILLING =
  'pragma journal_mode = wal; pragma synchronous = off; pragma wal_autocheckpoint = 20000; pragma cache_size = -16384;';

/** A new file without indexes, which says that it is unfinished. */
export const startFile = (path: string, group: Group): DatabaseSync => {
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec(FILLING);
  inTransaction(db, () => createTables(db, group, 'building'));
  return db;
};

type Writer = (batch: Batch, at: number) => void;

const writerOn = (db: DatabaseSync, view: string): Writer => {
  const columns = `${tableOf({ view })} (rowid, key, position, doc, written_at) values (?, ?, ?, ?, ?)`;
  const add = db.prepare(`insert into ${columns}`);
  const change = db.prepare(`insert or replace into ${columns}`);
  const remove = db.prepare(`delete from ${tableOf({ view })} where rowid = ?`);
  // No tombstones: nobody can come late with an older document, because nobody has this file yet.
  return ({ added, changed }, at) => {
    added.ids.forEach((id, n) => {
      const text = added.texts[n] ?? null;
      if (text !== null) add.run(id, added.keys[n] ?? null, added.positions[n] ?? null, text, at);
    });
    changed.ids.forEach((id, n) => {
      const text = changed.texts[n] ?? null;
      if (text === null) remove.run(id);
      else change.run(id, changed.keys[n] ?? null, changed.positions[n] ?? null, text, at);
    });
  };
};

/** Writes documents into a started file: without a guard, because nobody else writes there, and without an index to keep. */
export const filler = (
  path: string,
  views: readonly string[],
  now: () => number,
): Readonly<{ write: (batches: readonly Batch[]) => void; close: () => void }> => {
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec(FILLING);
  const writers = new Map(views.map((view) => [view, writerOn(db, view)]));
  return {
    write: (batches) =>
      inTransaction(db, () => {
        for (const batch of batches) writers.get(batch.view)?.(batch, now());
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
