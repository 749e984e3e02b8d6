import { fdatasync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Counters } from './counters.ts';

const fdatasyncing = promisify(fdatasync);

/** Bytes written before the disk is asked to begin with them, so that the sync at the end has little left to do. */
const EARLY_EVERY = 32 * 1024 * 1024;

export type WriteBack = Readonly<{
  /** Writes all of `bytes`, however many calls it takes (a disk that fills up writes short). */
  write: (bytes: Uint8Array) => void;
  /**
   * Waits for what was begun early. The file may be closed then.
   * @throws what the disk said: it says it once, and a later sync would be silent about it
   */
  done: () => Promise<void>;
}>;

/** Writes to `fd` from its current position; one early write-back at a time runs beside. */
export const writingBack = (fd: number, counters: Counters): WriteBack => {
  let waiting = 0;
  let running: Promise<void> | undefined;
  let failure: { error: unknown } | undefined;

  const begin = (): void => {
    waiting = 0;
    counters.count('writeBacks');
    running = fdatasyncing(fd)
      .catch((error: unknown) => {
        failure = { error };
      })
      .finally(() => {
        running = undefined;
      });
  };

  return {
    write: (bytes) => {
      if (failure !== undefined) throw failure.error;
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      waiting += bytes.length;
      if (waiting >= EARLY_EVERY && running === undefined) begin();
    },
    done: async () => {
      await running;
      if (failure !== undefined) throw failure.error;
    },
  };
};
