import { Worker } from 'node:worker_threads';

/** Shared with the writer thread: what its disk does from now on. */
export type Faults = Int32Array<SharedArrayBuffer>;

/** Most pages of the file: SQLite says `SQLITE_FULL` beyond. */
export const LARGEST_FILE = 0;
/** What the next commits throw: a primary or extended result code of SQLite; 0: nothing. */
export const FAILING_COMMIT = 1;
/** The same for checkpoints. */
export const FAILING_CHECKPOINT = 2;

export const SQLITE_FULL = 13;
export const SQLITE_IOERR_FSYNC = 1034;

const NO_LIMIT = 1_000_000;

export const noFaults = (): Faults => {
  const faults = new Int32Array(new SharedArrayBuffer(12));
  faults[LARGEST_FILE] = NO_LIMIT;
  return faults;
};

/** Starts a log's writer thread on a disk that obeys `faults`. */
export const faultyWriter =
  (faults: Faults) =>
  (path: string): Worker =>
    new Worker(new URL('./faultyWriter.worker.ts', import.meta.url), { workerData: { path, faults } });
