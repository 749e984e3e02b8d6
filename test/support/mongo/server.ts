import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { cleanAtExit, exitOf, freePort, scratchFolder } from '../processes.ts';
import { findProgram, type Program } from './programs.ts';

/** A MongoDB server in a process and a folder of its own, to be treated badly. */
export type MongoServer = Readonly<{
  /** `mongodb://127.0.0.1:<port>/test`: the same from one start to the next. */
  url: string;
  program: Program['name'];
  /** Ends it at once, as a power cut would, and waits until it is gone. What it acknowledged is kept. */
  kill: () => Promise<void>;
  stop: () => Promise<void>;
  /** The same port and data again. Call it after `kill` or `stop`. */
  restart: () => Promise<void>;
  /** From now on it accepts connections and answers nothing. */
  freeze: () => void;
  thaw: () => void;
  /** `kill`, and removes its data. For `after` hooks; harmless when repeated. */
  dispose: () => Promise<void>;
}>;

type Running = Readonly<{ port: number; signal: (name: NodeJS.Signals) => void; end: (name: NodeJS.Signals) => Promise<void> }>;

/** Only bounds how long a failure takes. */
const READY_WITHIN_MS = 60_000;

const launch = async (program: Program, folder: string, wanted: number): Promise<Running> => {
  const { program: file, args } = program.command(folder, wanted);
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const signal = (name: NodeJS.Signals): void => void child.kill(name);
  const forget = cleanAtExit(() => signal('SIGKILL'));
  const output: string[] = [];
  child.stderr.on('data', (text) => output.push(String(text)));
  const port = await new Promise<number>((resolve, reject) => {
    const fail = (): void => reject(new Error(`${program.name} did not start:\n${output.join('')}`));
    const timer = setTimeout(() => signal('SIGKILL'), READY_WITHIN_MS);
    child.once('error', reject).once('exit', fail);
    createInterface(child.stdout).on('line', (line) => {
      const said = program.ready.exec(line)?.[1];
      if (said === undefined) return void output.push(`${line}\n`);
      output.length = 0;
      clearTimeout(timer);
      resolve(Number(said));
    });
  });
  // It holds up nobody who has nothing else to do: the tests' process ends, and the server with it.
  const handles = [child, child.stdin, child.stdout, child.stderr] as unknown as readonly NodeJS.ReadStream[];
  for (const handle of handles) handle.unref();
  const end = async (name: NodeJS.Signals): Promise<void> => {
    child.ref();
    // A frozen process hears of nothing but SIGKILL.
    if (name !== 'SIGKILL') signal('SIGCONT');
    signal(name);
    await exitOf(child);
    forget();
  };
  return { port, signal, end };
};

/** @throws where no server can be started here: ask `mongoForTests` first */
export const startMongo = async (): Promise<MongoServer> => {
  const program = await findProgram();
  if (typeof program === 'string') throw new Error(program);
  const folder = scratchFolder();
  let running: Running | undefined = await launch(program, folder.path, await freePort());
  const { port } = running;

  const end = async (name: NodeJS.Signals): Promise<void> => {
    const ended = running;
    running = undefined;
    await ended?.end(name);
  };
  return {
    url: `mongodb://127.0.0.1:${port}/test`,
    program: program.name,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    restart: async () => {
      running = await launch(program, folder.path, port);
    },
    freeze: () => running?.signal('SIGSTOP'),
    thaw: () => running?.signal('SIGCONT'),
    dispose: async () => {
      await end('SIGKILL');
      folder.remove();
    },
  };
};
