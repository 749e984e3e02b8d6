import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { cleanAtExit, type Environment, type Exit, exitOf, freePort, memoryOf, scratchFolder } from './processes.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const READY = 'GhostDock Registry is ready';
/** What it tells people, on the other stream, before it logs that. */
const WELCOME = /GhostDock Registry \S+ is ready/;
/** Only bounds how long a failure takes. */
const READY_WITHIN_MS = 60_000;

export const ADMIN = 'admin';
export const PASSWORD = 'correct-horse-battery-staple';

export type LogLine = Readonly<{ msg?: string; level?: number; url?: string }> & Readonly<Record<string, unknown>>;

export type RegistryOptions = Readonly<{
  /** Absent: a new temporary one, removed by `dispose`. */
  dataDir?: string;
  /** `GHOSTDOCK_*` beyond host, port, folder and password. `undefined` leaves one of these out. */
  env?: Environment;
  /** Absent: any free one. */
  port?: number;
  /** Absent: `src/main.ts` of this tree. */
  main?: string;
  /** Kills it as `kill` does, also before it is ready. */
  signal?: AbortSignal;
}>;

/** A registry in a process of its own. */
export type RegistryProcess = Readonly<{
  /** `http://127.0.0.1:<port>` */
  url: string;
  /** `127.0.0.1:<port>`: what stands before a repository's name in a client's command. */
  host: string;
  port: number;
  pid: number;
  dataDir: string;
  /** Everything that it wrote, as it came. */
  output: () => string;
  /** The lines of its log so far. */
  logs: () => readonly LogLine[];
  /** Bytes resident now, and the most that ever were. */
  memory: () => Readonly<{ now: number; peak: number }>;
  exited: Promise<Exit>;
  /** Asks it to end and waits until it has. */
  stop: () => Promise<Exit>;
  /** Ends it at once, as a power cut would end it, and waits until it is gone. */
  kill: () => Promise<Exit>;
  /** Another process on the same folder and port. Call it after `stop` or `kill`. */
  restart: (env?: Environment) => Promise<RegistryProcess>;
  /** `kill`, and removes the folder if it was made here. For `after` hooks; harmless when repeated. */
  dispose: () => Promise<void>;
}>;

/** A process that ended before it was ready. */
export class NotStarted extends Error {
  override readonly name = 'NotStarted';
  readonly exit: Exit;
  readonly output: string;

  constructor(exit: Exit, output: string) {
    super(`The registry ended with ${exit.code ?? exit.signal} before it was ready:\n${output}`);
    this.exit = exit;
    this.output = output;
  }
}

const environment = ({ dataDir, port = 0, env = {} }: RegistryOptions): NodeJS.ProcessEnv => {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('GHOSTDOCK_'));
  const ours = {
    GHOSTDOCK_HOST: '127.0.0.1',
    GHOSTDOCK_PORT: String(port),
    GHOSTDOCK_DATA_DIR: dataDir,
    GHOSTDOCK_ADMIN_PASSWORD: PASSWORD,
    ...env,
  };
  return { ...Object.fromEntries(inherited), ...ours };
};

const parsed = (line: string): LogLine | undefined => {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined; // a line that kill -9 cut off
  }
};

/** Starts a process and gives it as soon as it logs that it is ready. @throws NotStarted */
export const startRegistry = async (options: RegistryOptions = {}): Promise<RegistryProcess> => {
  const scratch = options.dataDir === undefined ? scratchFolder() : undefined;
  const dataDir = options.dataDir ?? `${scratch?.path}/data`;
  try {
    const port = options.port ?? (await freePort());
    return await start({ ...options, dataDir, port }, async () => scratch?.remove());
  } catch (error) {
    scratch?.remove();
    throw error;
  }
};

const start = async (
  options: RegistryOptions & Readonly<{ dataDir: string }>,
  removeFolder: () => Promise<void>,
): Promise<RegistryProcess> => {
  const child = spawn(process.execPath, [options.main ?? MAIN], {
    env: environment(options),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.signal !== undefined && { signal: options.signal, killSignal: 'SIGKILL' }),
  });
  child.on('error', () => undefined); // that the signal came; the exit says so too
  const forget = cleanAtExit(() => child.kill('SIGKILL'));
  let output = '';
  const logs: LogLine[] = [];

  const ready = new Promise<string>((resolve) => {
    let url: string | undefined;
    const look = (): void => {
      if (url !== undefined && WELCOME.test(output)) resolve(url);
    };
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      look();
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      output += `${line}\n`;
      const log = parsed(line);
      if (log === undefined) return;
      logs.push(log);
      if (log.msg?.startsWith(READY)) url = log.url;
      look();
    });
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const exited = Promise.all([exitOf(child), closed]).then(([exit]) => {
    forget();
    return exit;
  });
  const end = async (signal: NodeJS.Signals): Promise<Exit> => {
    child.kill(signal);
    return exited;
  };

  let late: NodeJS.Timeout | undefined;
  const url = await Promise.race([
    ready,
    exited.then((exit) => {
      throw new NotStarted(exit, output);
    }),
    new Promise<never>((_, reject) => {
      late = setTimeout(
        () => reject(new Error(`The registry was not ready in ${READY_WITHIN_MS} ms:\n${output}`)),
        READY_WITHIN_MS,
      );
    }),
  ])
    .catch(async (error: unknown) => {
      await end('SIGKILL');
      throw error;
    })
    .finally(() => clearTimeout(late));

  const pid = child.pid as number; // it is running: it said that it is ready
  const { host, port } = new URL(url);
  return {
    url,
    host,
    port: Number(port),
    pid,
    dataDir: options.dataDir,
    output: () => output,
    logs: () => logs,
    memory: () => ({ now: memoryOf(pid, 'VmRSS'), peak: memoryOf(pid, 'VmHWM') }),
    exited,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    restart: (env) => start({ ...options, port: Number(port), env: { ...options.env, ...env } }, removeFolder),
    dispose: async () => {
      await end('SIGKILL');
      await removeFolder();
    },
  };
};

/** A start that must fail. @returns how it ended and what it said */
export const refusedStart = async (starting: Promise<RegistryProcess>): Promise<NotStarted> => {
  const started = await starting.catch((error: unknown) => error);
  if (started instanceof NotStarted) return started;
  if (started instanceof Error) throw started;
  await (started as RegistryProcess).dispose();
  throw new Error('It started, which it must not.');
};

/** The registry of a suite. */
export type SuiteRegistry = Readonly<{
  /** The process that runs now. */
  current: () => RegistryProcess;
  /** Another process on the same folder and port, once the last one has ended. */
  restart: (env?: Environment) => Promise<RegistryProcess>;
}>;

/** A registry for the suite whose `describe` callback calls it: started before its tests, gone after them. */
export const registryFor = (options: RegistryOptions = {}): SuiteRegistry => {
  let running: RegistryProcess | undefined;
  before(async () => {
    running = await startRegistry(options);
  });
  after(() => running?.dispose());
  const current = (): RegistryProcess => {
    if (running === undefined) throw new Error('The registry runs only while the tests of its suite do.');
    return running;
  };
  return {
    current,
    restart: async (env) => {
      running = await current().restart(env);
      return running;
    },
  };
};
