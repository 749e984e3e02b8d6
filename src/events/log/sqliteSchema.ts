import { DatabaseSync } from 'node:sqlite';

/** Raise it with every change of the tables; a release refuses a file of a newer one. */
export const SCHEMA_VERSION = 1;

// Rowid tables and an index on (stream, revision): measured fastest among WITHOUT ROWID and clustering by stream. The index on ids,
// which are random, touches a page an event: with 100 appenders it costs two fifths of the appends a second (39,000 without, 23,000
// with it, on one thread). It is what refuses to record an event twice under a later expectation.
// Positions are assigned by the writer, never by SQLite, so that they have no gaps.
const TABLES = `
  create table meta (key text primary key, value text not null) strict;
  create table streams (id integer primary key, name text not null unique) strict;
  create table events (
    position integer primary key,
    stream integer not null,
    revision integer not null,
    id blob not null,
    type text not null,
    data text not null,
    metadata text not null
  ) strict;
  create unique index events_by_stream on events (stream, revision);
  create unique index events_by_id on events (id);
  insert into meta (key, value) values ('eventLogSchema', '${SCHEMA_VERSION}');
`;

/** The newest position that was ever given out; 0 where none was. */
export const LAST_POSITION = `
  select max(
    coalesce((select max(position) from events), 0),
    coalesce((select cast(value as integer) from meta where key = 'droppedUpTo'), 0)
  ) as position
`;

// Primary result codes, https://sqlite.org/rescode.html
export const SQLITE_BUSY = 5;
export const SQLITE_FULL = 13;
export const SQLITE_CONSTRAINT = 19;

/** The primary result code of an error that `node:sqlite` threw. */
export const codeOf = (error: unknown): number | undefined => {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
};

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const isNew = (db: DatabaseSync): boolean => db.prepare('select 1 from sqlite_schema').get() === undefined;

const versionOf = (db: DatabaseSync): number => {
  const hasMeta = db.prepare(`select 1 from sqlite_schema where name = 'meta'`).get() !== undefined;
  const row = hasMeta ? db.prepare(`select value from meta where key = 'eventLogSchema'`).get() : undefined;
  if (row === undefined) throw new Error('it is no event log');
  return Number(row.value);
};

const checkVersion = (db: DatabaseSync): void => {
  const version = versionOf(db);
  if (version > SCHEMA_VERSION)
    throw new Error(`a newer release wrote it (schema ${version}, known here: ${SCHEMA_VERSION}); run at least that release`);
};

const inTransaction = (db: DatabaseSync, work: () => void): void => {
  db.exec('begin immediate');
  try {
    work();
    db.exec('commit');
  } catch (error) {
    if (db.isTransaction) db.exec('rollback');
    throw error;
  }
};

const prepareForWriting = (db: DatabaseSync): void => {
  // What is dropped is overwritten: it may tell of people.
  // Checkpoints are the writer's own business (see `checkpointer`): SQLite's automatic ones keep their I/O errors to themselves.
  db.exec(`
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma wal_autocheckpoint = 0;
    pragma journal_size_limit = 67108864;
    pragma secure_delete = on;
  `);
  inTransaction(db, () => (isNew(db) ? db.exec(TABLES) : checkVersion(db)));
};

/**
 * Opens the file for writing, and makes the tables of a new one.
 *
 * @throws when it cannot be opened, is no event log, or is that of a newer release
 */
export const openForWriting = (path: string): DatabaseSync => {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: 5000 });
    prepareForWriting(db);
    return db;
  } catch (cause) {
    db?.close();
    throw new Error(`The event log ${path} cannot be opened: ${reasonOf(cause)}.`, { cause });
  }
};

/** A connection of its own for reading, to a file that is open for writing elsewhere. */
export const openForReading = (path: string): DatabaseSync => new DatabaseSync(path, { readOnly: true, timeout: 5000 });
