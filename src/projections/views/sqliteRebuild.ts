import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { UnknownEvent } from '../../events/catalogue.ts';
import { type Build, buildFile, type Progress } from './sqliteBuild.ts';

/** What the thread that builds is told: the group's name, the file to make, and whatever its own composition needs. */
export type RebuildRequest = Readonly<{ group: string; file: string }>;

type Message =
  | Readonly<{ kind: 'progress'; progress: Progress }>
  | Readonly<{ kind: 'done' }>
  | Readonly<{ kind: 'failed'; message: string; stack: string | undefined; forGood: boolean }>;

/** A build that came to nothing; `forGood` where trying again can't help, because a newer release wrote an event of the log. */
export class BuildFailed extends Error {
  override readonly name = 'BuildFailed';
  readonly forGood: boolean;

  constructor(message: string, forGood: boolean, options: { cause?: unknown } = {}) {
    super(message, options);
    this.forGood = forGood;
  }
}

export type Watch = Readonly<{ onProgress: (progress: Progress) => void; signal: AbortSignal }>;

/** Builds the file of a group, and resolves once it is ready. @throws BuildFailed */
export type Builder = (request: RebuildRequest, watch: Watch) => Promise<void>;

/** Objects of short life are most of a build's: room for them saves copying those that a collection finds in use. */
const YOUNG_MB = 64;

const outcomeOf = (thread: Worker, { onProgress, signal }: Watch): Promise<void> =>
  new Promise((resolve, reject) => {
    const fail = (message: string, forGood = false, cause?: unknown): void =>
      reject(new BuildFailed(message, forGood, { cause }));
    const stop = (): void => {
      fail('The build was stopped.');
      void thread.terminate();
    };
    thread.on('message', (message: Message) => {
      if (message.kind === 'progress') onProgress(message.progress);
      else if (message.kind === 'done') resolve();
      else fail(message.message, message.forGood, message.stack);
    });
    thread.once('error', (error) => fail(`The thread that builds the views failed: ${error}`, false, error));
    thread.once('exit', (code) => {
      signal.removeEventListener('abort', stop);
      fail(`The thread that builds the views ended with code ${code}.`);
    });
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });

/**
 * A builder on a thread of its own, so that requests are answered meanwhile.
 *
 * @param worker the module that calls `serveRebuild`
 * @param data what that module needs beside the request: where the log is, which keys reveal it
 */
export const rebuildInThread =
  (worker: URL, data: Readonly<Record<string, unknown>>): Builder =>
  async (request, watch) => {
    const thread = new Worker(worker, {
      workerData: { ...data, ...request },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
    try {
      await outcomeOf(thread, watch);
    } finally {
      // Its connections are closed only when it is gone, and the file is somebody else's then.
      await ended;
    }
  };

/** The other side: builds what the thread was started for, from what `compose` makes of its data. */
export const serveRebuild = async <D extends RebuildRequest>(
  compose: (data: D) => Promise<Pick<Build, 'group' | 'read' | 'prepare' | 'sizes'>>,
): Promise<void> => {
  if (isMainThread || parentPort === null) throw new Error('This module is a thread of another.');
  const port = parentPort;
  const say = (message: Message): void => port.postMessage(message);
  try {
    const data = workerData as D;
    await buildFile({ ...(await compose(data)), file: data.file, onProgress: (progress) => say({ kind: 'progress', progress }) });
    say({ kind: 'done' });
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
    say({ kind: 'failed', message, stack, forGood: error instanceof UnknownEvent });
  }
};
