import { once } from 'node:events';
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import type { MessagePort, Worker } from 'node:worker_threads';
import { type Append, type Committed, checkpointer, committer } from './sqliteCommit.ts';

/** Where transactions are made, one at a time. */
export type Writer = Readonly<{
  /** Rejects when nobody can say what the disk holds. Nothing may be committed after that. */
  commit: (appends: readonly Append[]) => Promise<Committed>;
  /** Brings the file in order and lets it go. */
  close: () => Promise<void>;
}>;

/** On the calling thread, for a database in memory. A turn of the event loop stands for the way to the other thread. */
export const writerHere = (db: DatabaseSync): Writer => {
  const commit = committer(db);
  return {
    commit: async (appends) => {
      await turn();
      return commit(appends);
    },
    close: async () => db.close(),
  };
};

/**
 * On a thread of its own, which runs `serveWriter`: fsync blocks that thread alone. One message a transaction each way.
 *
 * @throws what opening the file threw there
 */
export const writerThread = async (worker: Worker, onDeath: (cause: unknown) => void): Promise<Writer> => {
  await once(worker, 'message');
  let reply: Readonly<{ resolve: (committed: Committed) => void; reject: (cause: unknown) => void }> | undefined;
  let closing = false;
  const exit = new Promise((resolve) => worker.once('exit', resolve));
  const died = (cause: unknown): void => {
    reply?.reject(cause);
    if (!closing) onDeath(cause);
  };
  worker.on('message', (committed: Committed) => reply?.resolve(committed));
  worker.on('error', died);
  worker.on('exit', (code) => died(new Error(`The writer thread of the event log ended with ${code}.`)));

  return {
    commit: (appends) =>
      new Promise((resolve, reject) => {
        reply = { resolve, reject };
        worker.postMessage(appends);
      }),
    close: async () => {
      closing = true;
      worker.postMessage('close');
      await exit;
    },
  };
};

/** The other end of `writerThread`. A fault is thrown, and so ends the thread: the main one must not go on after it either. */
export const serveWriter = (port: MessagePort, db: DatabaseSync): void => {
  const commit = committer(db);
  const checkpoint = checkpointer(db);
  port.on('message', (message: readonly Append[] | 'close') => {
    if (message === 'close') {
      // The last connection to close copies the write-ahead log into the file and removes it.
      db.close();
      port.close();
      return;
    }
    port.postMessage(commit(message));
    checkpoint();
  });
  port.postMessage('open');
};
