import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanAtExit, exitOf, scratchFolder } from '../processes.ts';
import type { Disturbance, Fault } from './faults.ts';
import type { Counts, Message, Order, ServerOptions } from './server.ts';

export type EventStoreOptions = Readonly<{
  /** Absent: a new temporary one, removed by `dispose`. */
  folder?: string;
  /** Other registries' events and the system's own come between, as in a server that is shared. True unless told. */
  noise?: boolean;
  /** Bytes; 1 MiB unless told, as on a server up to 25.0. */
  maxAppendSize?: number;
  /** Whether it offers batch appends. True unless told. */
  batchAppend?: boolean;
  /** PEM texts. Absent: without TLS. */
  tls?: Readonly<{ key: string; certificate: string }>;
  /** `user:password` that every call has to bring; the client sends it with TLS only. Absent: anybody may do everything. */
  credentials?: string;
}>;

/** A server in a process of its own that speaks EventStoreDB's protocol. What it acknowledged outlives `kill`. */
export type EventStore = Readonly<{
  /** A connection string. */
  url: string;
  port: number;
  pid: () => number;
  /** Ends it at once, as a power cut of its container would. */
  kill: () => Promise<void>;
  /** Ends it in order: clients see their calls cancelled. */
  stop: () => Promise<void>;
  /** Another process on the same file and port. Call it after `kill` or `stop`. */
  restart: () => Promise<void>;
  /** Stops the process where it is, with its sockets open; and lets it go on. */
  freeze: () => void;
  thaw: () => void;
  /** What goes wrong with the next calls. */
  script: (fault: Fault) => Promise<void>;
  /** Takes back what was scripted and has not happened. */
  heal: () => Promise<void>;
  /** What goes wrong with the subscriptions that are open now. @returns how many these are */
  disturb: (how: Disturbance) => Promise<number>;
  /** Since it was (re)started: calls, and events that subscriptions were `sent`; and how many subscriptions are open now. */
  counts: () => Promise<Counts>;
  /** After which commit position each subscription was to begin, in their order; -1 for the start of the log. */
  begun: () => Promise<readonly number[]>;
  /** `kill`, and removes the folder if it was made here. For `after` hooks; harmless when repeated. */
  dispose: () => Promise<void>;
}>;

type Running = Readonly<{ child: ChildProcess; port: number; ask: (order: Order) => Promise<unknown> }>;

const SERVER = fileURLToPath(new URL('./server.ts', import.meta.url));

const run = async (options: ServerOptions): Promise<Running> => {
  const child = fork(SERVER, [JSON.stringify(options)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
  const forget = cleanAtExit(() => child.kill('SIGKILL'));
  const waiting = new Map<number, Readonly<{ resolve: (result: unknown) => void; reject: (error: Error) => void }>>();
  let asked = 0;
  child.on('message', ({ id, result }: Readonly<{ id: number; result: unknown }>) => {
    waiting.get(id)?.resolve(result);
    waiting.delete(id);
  });
  child.on('exit', () => {
    forget();
    for (const { reject } of waiting.values()) reject(new Error('The event store ended.'));
  });
  const answer = (id: number): Promise<unknown> => new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  const port = Number(await answer(0));
  const ask = (order: Order): Promise<unknown> => {
    asked += 1;
    const message: Message = { id: asked, ...order };
    child.send(message);
    return answer(asked);
  };
  return { child, port, ask };
};

/** Starts a server on a free port. Call `dispose` when it is not needed any more. */
export const startEventStore = async (options: EventStoreOptions = {}): Promise<EventStore> => {
  const scratch = options.folder === undefined ? scratchFolder() : undefined;
  const serverOptions = {
    path: join(options.folder ?? scratch?.path ?? '', 'eventstore.ndjson'),
    noise: options.noise ?? true,
    maxAppendSize: options.maxAppendSize ?? 1024 * 1024,
    batchAppend: options.batchAppend ?? true,
    ...(options.tls !== undefined && { tls: options.tls }),
    ...(options.credentials !== undefined && { credentials: options.credentials }),
  };
  let running = await run({ ...serverOptions, port: 0 });
  const { port } = running;

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    running.child.kill(signal);
    await exitOf(running.child);
  };
  const kill = (): Promise<void> => end('SIGKILL');

  return {
    url: `esdb://127.0.0.1:${port}?tls=${options.tls !== undefined}`,
    port,
    pid: () => running.child.pid ?? 0,
    kill,
    stop: () => end('SIGTERM'),
    restart: async () => {
      running = await run({ ...serverOptions, port });
    },
    freeze: () => void running.child.kill('SIGSTOP'),
    thaw: () => void running.child.kill('SIGCONT'),
    script: async (fault) => void (await running.ask({ order: 'script', fault })),
    heal: async () => void (await running.ask({ order: 'heal' })),
    disturb: async (how) => Number(await running.ask({ order: 'disturb', how })),
    counts: async () => (await running.ask({ order: 'counts' })) as Counts,
    begun: async () => (await running.ask({ order: 'begun' })) as readonly number[],
    dispose: async () => {
      await kill();
      scratch?.remove();
    },
  };
};
