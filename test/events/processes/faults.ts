import { Worker } from 'node:worker_threads';

/** Shared with the writer thread: what its disk does from now on. */
export type Faults = Int32Array<SharedArrayBuffer>;

/** Most pages of the file: SQLite says `SQLITE_FULL` beyond. */
export const LARGEST_FILE = 0;
/** 1: the next commit fails as it does when an fsync fails. */
export const FAILING_FSYNC = 1;

const NO_LIMIT = 1_000_000;

export const noFaults = (): Faults => {
  const faults = new Int32Array(new SharedArrayBuffer(8));
  faults[LARGEST_FILE] = NO_LIMIT;
  return faults;
};

/** Starts a log's writer thread on a disk that obeys `faults`. */
export const faultyWriter =
  (faults: Faults) =>
  (path: string): Worker =>
    new Worker(new URL('./faultyWriter.worker.ts', import.meta.url), { workerData: { path, faults } });
