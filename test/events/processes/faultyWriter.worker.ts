import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { openForWriting } from '../../../src/events/log/sqliteSchema.ts';
import { serveWriter } from '../../../src/events/log/sqliteWriter.ts';
import { FAILING_CHECKPOINT, FAILING_COMMIT, type Faults, LARGEST_FILE } from './faults.ts';

// The writer thread of a log whose disk the test decides about: how many pages the file may have, and whether commits fail.
const { path, faults } = workerData as { path: string; faults: Faults };
const db = openForWriting(path);

const failIfTold = (what: string, fault: number): void => {
  const errcode = Atomics.load(faults, fault);
  if (errcode !== 0) throw Object.assign(new Error(`${what} failed with ${errcode}`), { code: 'ERR_SQLITE_ERROR', errcode });
};

const prepare = (sql: string): StatementSync => {
  const statement = db.prepare(sql);
  const run = (...values: never[]): unknown => {
    if (sql === 'begin immediate') db.exec(`pragma max_page_count = ${Atomics.load(faults, LARGEST_FILE)}`);
    if (sql === 'commit') failIfTold('commit', FAILING_COMMIT);
    return statement.run(...values);
  };
  const get = (...values: never[]): unknown => {
    if (sql === 'pragma wal_checkpoint(passive)') failIfTold('checkpoint', FAILING_CHECKPOINT);
    return statement.get(...values);
  };
  return new Proxy(statement, {
    get: (target, key) => {
      if (key === 'run') return run;
      if (key === 'get') return get;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
};

const faulty = new Proxy(db, {
  get: (target, key) => {
    if (key === 'prepare') return prepare;
    const value: unknown = Reflect.get(target, key, target);
    return typeof value === 'function' ? value.bind(target) : value;
  },
});

if (parentPort !== null) serveWriter(parentPort, faulty as DatabaseSync);
