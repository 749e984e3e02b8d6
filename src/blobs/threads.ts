import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { RegistryError } from '../errors.ts';
import {
  type AnswerMessage,
  type AnswerTo,
  errorOf,
  type Fault,
  type OrderName,
  type OrderOf,
  type WorkerSetup,
} from './orders.ts';

type Waiting = Readonly<{ resolve: (answer: unknown) => void; reject: (error: unknown) => void }>;
type Order = <K extends OrderName>(name: K, order: OrderOf<K>, transfer?: readonly ArrayBuffer[]) => Promise<AnswerTo<K>>;
type Thread = Readonly<{ order: Order; stop: () => Promise<void> }>;

export type Threads = Readonly<{
  count: number;
  /** The thread of this number (modulo their count). What is ordered from one thread begins in the order in which it was ordered. */
  thread: (number: number) => Order;
  /** Waits for what was ordered, then ends the threads. */
  close: () => Promise<void>;
}>;

const died = (error: unknown): Fault => ({
  code: 'ERR_WORKER_DIED',
  message: `A thread of the blob store died: ${error instanceof Error ? error.message : String(error)}`,
});

const threadOf = (setup: WorkerSetup, file: URL): Thread => {
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  let closed = false;
  let whenIdle = (): void => undefined;
  let worker: Worker | undefined;

  const settle = ({ call, answer, fault }: AnswerMessage): void => {
    const caller = waiting.get(call);
    waiting.delete(call);
    if (fault === undefined) caller?.resolve(answer);
    else caller?.reject(errorOf(fault));
    if (waiting.size === 0) whenIdle();
  };

  // One that dies takes its open files with it. Sessions lose nothing but their running hashes: the next order starts another.
  const start = (): Worker => {
    const started = new Worker(file, { workerData: setup });
    started.on('message', settle);
    started.on('error', (error) => {
      worker = undefined;
      for (const call of [...waiting.keys()]) settle({ call, fault: died(error) });
    });
    return started;
  };

  worker = start();

  return {
    order: (name, order, transfer = []) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new RegistryError('UNAVAILABLE', 'The blob store is closed.'));
        calls += 1;
        waiting.set(calls, { resolve: resolve as Waiting['resolve'], reject });
        worker ??= start();
        worker.postMessage({ call: calls, name, order }, transfer);
      }),
    stop: async () => {
      if (closed) return;
      closed = true;
      if (waiting.size > 0) {
        await new Promise<void>((resolve) => {
          whenIdle = resolve;
        });
      }
      if (worker === undefined) return;
      const ended = once(worker, 'exit');
      worker.postMessage('end');
      await ended;
    },
  };
};

const DISK_WORKER = new URL('./disk.worker.ts', import.meta.url);

/** The worker threads that write and hash. One that dies fails what it was ordered, and is replaced. */
export const threads = (count: number, setup: WorkerSetup, file = DISK_WORKER): Threads => {
  const all = Array.from({ length: count }, () => threadOf(setup, file));
  return {
    count,
    thread: (number) => (all[number % count] as Thread).order,
    close: async () => {
      await Promise.all(all.map((thread) => thread.stop()));
    },
  };
};
