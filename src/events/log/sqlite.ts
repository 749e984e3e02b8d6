import { Worker } from 'node:worker_threads';
import type { TransientLog } from './log.ts';
import type { WriterData } from './sqlite.worker.ts';
import { appendsTo } from './sqliteAppends.ts';
import { positionOf } from './sqliteEncoding.ts';
import { feed } from './sqliteFeed.ts';
import { readsOn } from './sqliteReads.ts';
import { openForReading, openForWriting } from './sqliteSchema.ts';
import { writerHere, writerThread } from './sqliteWriter.ts';

export type SqliteEventLogOptions = Readonly<{
  /** What happens when the disk has failed under a commit. Whatever it does, the log takes no append after it. */
  onFatal?: (cause: unknown) => void;
  /** Starts the writer thread on a file: one that runs `serveWriter`. */
  startWriter?: (path: string) => Worker;
}>;

/** Counted since the log was opened. A transaction is one fsync; reads are queries that went to the database. */
export type LogStats = Readonly<{ appends: number; transactions: number; reads: number; eventsRead: number }>;

export type SqliteEventLog = TransientLog & Readonly<{ stats: () => LogStats }>;

const startThread = (path: string): Worker =>
  new Worker(new URL('./sqlite.worker.ts', import.meta.url), { workerData: { path } satisfies WriterData });

// After a failed fsync the kernel may have forgotten what it could not write, and the next fsync says that all is well. Only
// the next start, which reads what is really there, can go on.
const endProcess = (cause: unknown): void => {
  process.stderr.write(`The event log failed, and the process ends with it. ${cause instanceof Error ? cause.stack : cause}\n`);
  process.exit(70);
};

/** One connection in memory is writer and reader; a file has one for each, the writer's on its own thread. */
const open = async (path: string, startWriter: (path: string) => Worker, onDeath: (cause: unknown) => void) => {
  if (path === ':memory:') {
    const db = openForWriting(path);
    return { writer: writerHere(db), db, closeReader: () => {} };
  }
  const writer = await writerThread(startWriter(path), onDeath);
  try {
    const db = openForReading(path);
    return { writer, db, closeReader: () => db.close() };
  } catch (error) {
    await writer.close();
    throw error;
  }
};

/**
 * The embedded event log: an SQLite file, or `:memory:` for a log that ends with its process. One process at a time writes to
 * a file.
 *
 * @throws when the file cannot be opened, is no event log, or is that of a newer release
 */
export const sqliteEventLog = async (
  path: string,
  { onFatal = endProcess, startWriter = startThread }: SqliteEventLogOptions = {},
): Promise<SqliteEventLog> => {
  const { writer, db, closeReader } = await open(path, startWriter, (cause) => appends.fail(cause));
  const reads = readsOn(db);
  const { publish, follow, end } = feed(reads);
  const appends = appendsTo(writer, publish, onFatal);
  let closed: Promise<void> | undefined;

  const close = async (): Promise<void> => {
    await appends.flush();
    end();
    closeReader();
    await writer.close();
  };

  return {
    append: appends.append,
    drop: appends.drop,
    readStream: reads.readStream,
    readAll: reads.readAll,
    follow,
    head: async () => positionOf(reads.head()),
    close: () => {
      closed ??= close();
      return closed;
    },
    stats: () => ({ ...appends.counts(), ...reads.counts() }),
  };
};
