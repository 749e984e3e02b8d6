import { renameSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Group } from '../projection.ts';
import { createIndexes, createTables, formOf, inTransaction, readMeta, tableOf } from './sqliteSchema.ts';

/**
 * What a file turned out to be. Only `ready` is of use; of the others the caller builds the views anew.
 * `unfinished`: a build that never ended. `otherForm`: views of other versions, made by another release.
 * `damaged`: it did not open as a database of ours, and stands under the name `setAside` now.
 */
export type Opened =
  | Readonly<{ outcome: 'ready'; db: DatabaseSync }>
  | Readonly<{ outcome: 'unfinished' | 'otherForm' }>
  | Readonly<{ outcome: 'damaged'; setAside: string; cause: unknown }>;

// Primary result codes (https://sqlite.org/rescode.html).
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

class Damaged extends Error {}

/** Whether an error says that the file's content is broken, not that it can't be reached or written now. */
export const isDamage = (error: unknown): boolean => {
  if (error instanceof Damaged) return true;
  const code = error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
};

const COMPANIONS = ['', '-wal', '-shm', '-journal'];

/** A database's file with those that SQLite keeps beside it. */
export const removeFile = (path: string): void => {
  for (const suffix of COMPANIONS) rmSync(path + suffix, { force: true });
};

/** Out of the way, but kept for whoever wants to know what happened to it. */
export const setAside = (path: string): string => {
  const aside = `${path}.damaged`;
  removeFile(aside);
  for (const suffix of COMPANIONS) {
    if (statSync(path + suffix, { throwIfNoEntry: false })) renameSync(path + suffix, aside + suffix);
  }
  return aside;
};

/** One writer, in this process; a power cut may take the last commits but leaves the file whole, and they are in the log. */
const configure = (db: DatabaseSync): void => {
  db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -32768;');
};

const isEmpty = (db: DatabaseSync): boolean => db.prepare('select 1 from sqlite_schema limit 1').get() === undefined;

/** Reads the beginning of each view. SQLite sees for itself when a file is shorter than it says; what is broken further inside shows when it is read. */
const examine = (db: DatabaseSync, group: Group): void => {
  db.exec('pragma wal_checkpoint(truncate)');
  for (const projection of group.views) db.prepare(`select * from ${tableOf(projection)} limit 1`).all();
};

const examined = (db: DatabaseSync, group: Group): Opened => {
  configure(db);
  if (isEmpty(db)) {
    inTransaction(db, () => {
      createTables(db, group, 'ready');
      createIndexes(db, group);
    });
    return { outcome: 'ready', db };
  }
  const [form, state] = [readMeta(db, 'form'), readMeta(db, 'state')];
  if (form === undefined) throw new Damaged('It says nothing about what it holds.');
  if (form !== formOf(group)) return { outcome: 'otherForm' };
  if (state !== 'ready') return { outcome: 'unfinished' };
  examine(db, group);
  return { outcome: 'ready', db };
};

/**
 * Opens the file of a group's views; an absent or empty one becomes that of an empty log.
 *
 * @throws when the file can't be reached: that says nothing about its content
 */
export const openFile = (path: string, group: Group): Opened => {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: 5000 });
    const opened = examined(db, group);
    if (opened.outcome !== 'ready') db.close();
    return opened;
  } catch (error) {
    db?.close();
    if (!isDamage(error) && !isForeign(error)) throw error;
    return { outcome: 'damaged', setAside: setAside(path), cause: error };
  }
};

/** Tables of other names than ours: somebody else's database. */
const isForeign = (error: unknown): boolean => error instanceof Error && /^no such (table|column)/.test(error.message);
