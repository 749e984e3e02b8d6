import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { cleanAtExit, exitOf } from '../test/support/processes.ts';
import type { Client } from './transfer.ts';

/**
 * What the clients' process can be told to do. Everything that need not be timed happens before the clock starts. Clients work at
 * the same time, each of them on one thing at a time.
 */
export type Task =
  /** HEAD requests, again and again: requests a second. (wrk waits for bodies that HEAD does not have.) */
  | Readonly<{ kind: 'heads'; url: string; headers: Readonly<Record<string, string>>; connections: number; ms: number }>
  /** Each client gets the blob `times` times: bytes a second. */
  | Readonly<{ kind: 'pull'; clients: readonly Client[]; times: number; digest: string; size: number }>
  /** Each client pushes `times` blobs, all of them different: bytes a second. */
  | Readonly<{ kind: 'push'; clients: readonly Client[]; times: number; mebibytes: number; seed: string }>
  /** Each client pushes `times` images of 1 MB, all of them different: images a second. */
  | Readonly<{ kind: 'images'; clients: readonly Client[]; times: number; seed: string }>;

export type Order = Readonly<{ call: number; task: Task }>;
export type Answer = Readonly<{ call: number; rate: number; fault?: string }>;

export type Clients = Readonly<{
  /** @returns how much a second */
  run: (task: Task) => Promise<number>;
  stop: () => Promise<void>;
}>;

const CHILD = fileURLToPath(new URL('./clients.child.ts', import.meta.url));

/** Starts the process that plays the clients. */
export const startClients = (): Clients => {
  const child = fork(CHILD, { stdio: 'inherit' });
  const forget = cleanAtExit(() => child.kill('SIGKILL'));
  let calls = 0;
  return {
    run: (task) =>
      new Promise((resolve, reject) => {
        calls += 1;
        const call = calls;
        const gone = (): void => reject(new Error("The clients' process ended."));
        const settle = ({ call: answered, rate, fault }: Answer): void => {
          if (answered !== call) return;
          child.off('message', settle).off('exit', gone);
          if (fault === undefined) resolve(rate);
          else reject(new Error(fault));
        };
        child.on('message', settle).once('exit', gone);
        child.send({ call, task } satisfies Order);
      }),
    stop: async () => {
      child.kill();
      await exitOf(child);
      forget();
    },
  };
};
