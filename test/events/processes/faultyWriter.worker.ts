import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { openForWriting } from '../../../src/events/log/sqliteSchema.ts';
import { serveWriter } from '../../../src/events/log/sqliteWriter.ts';
import { FAILING_FSYNC, type Faults, LARGEST_FILE } from './faults.ts';

// The writer thread of a log whose disk the test decides about: how many pages the file may have, and whether an fsync fails.
const { path, faults } = workerData as { path: string; faults: Faults };
const db = openForWriting(path);

const failedFsync = (): Error => Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 1034 });

const prepare = (sql: string): StatementSync => {
  const statement = db.prepare(sql);
  const run = (...values: never[]): unknown => {
    if (sql === 'begin immediate') db.exec(`pragma max_page_count = ${Atomics.load(faults, LARGEST_FILE)}`);
    if (sql === 'commit' && Atomics.load(faults, FAILING_FSYNC) === 1) throw failedFsync();
    return statement.run(...values);
  };
  return new Proxy(statement, {
    get: (target, key) => {
      if (key === 'run') return run;
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
