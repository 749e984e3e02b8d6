import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export type Environment = Readonly<Record<string, string | undefined>>;
export type Exit = Readonly<{ code: number | null; signal: NodeJS.Signals | null }>;

/** What a command that ran to its end left behind. */
export type Ran = Exit & Readonly<{ command: string; stdout: string; stderr: string }>;

const leftovers = new Set<() => void>();
// Whatever a test forgot, or an interrupted run left, goes with the test runner.
process.on('exit', () => {
  for (const clean of [...leftovers].reverse()) {
    try {
      clean(); // a process before the folder that it writes to
    } catch (error) {
      process.stderr.write(`Something was left behind: ${error}\n`);
    }
  }
});

/** `clean` (synchronous) runs when this process ends, unless what is returned is called first. */
export const cleanAtExit = (clean: () => void): (() => void) => {
  leftovers.add(clean);
  return () => leftovers.delete(clean);
};

/** Whether a program is on the PATH. */
export const installed = (program: string): boolean =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

export const isRoot = (): boolean => process.getuid?.() === 0;

/** A new empty folder, with a short path (a Unix socket's has at most 107 characters). */
export const scratchFolder = (): Readonly<{ path: string; remove: () => void }> => {
  const path = mkdtempSync(join(tmpdir(), 'ghostdock-'));
  const remove = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  const forget = cleanAtExit(remove);
  return {
    path,
    remove: () => {
      forget();
      remove();
    },
  };
};

const LOWEST_PORT = 12_000;
/** Below those that systems give out by themselves: a server that is started again finds its port as it left it. */
const HIGHEST_PORT = 32_000;

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

/** A port of the loopback address that nobody listens on, and that nobody is given who asks for any. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = LOWEST_PORT + randomInt(HIGHEST_PORT - LOWEST_PORT);
    if (await isFree(port)) return port;
  }
};

/**
 * Asks again and again until `condition` gives something other than undefined or false; what it throws counts as "not yet".
 * @throws after `withinMs`, which only bounds how long a failure takes
 */
export const waitUntil = async <T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  { everyMs = 25, withinMs = 90_000 } = {},
): Promise<T> => {
  const deadline = performance.now() + withinMs;
  for (;;) {
    let failure: unknown;
    try {
      const result = await condition();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadline) throw new Error(`Waited ${withinMs} ms in vain: ${what}`, { cause: failure });
    await pause(everyMs);
  }
};

export const exitOf = async (child: ChildProcess): Promise<Exit> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return { code: child.exitCode, signal: child.signalCode };
};

export type RunOptions = Readonly<{
  env?: Environment;
  cwd?: string;
  input?: string | Uint8Array;
  /** After which the program is killed. */
  withinMs?: number;
}>;

/** Runs a program to its end, whatever that is. */
export const attempt = async (program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> => {
  const { env = {}, cwd, input = '', withinMs = 120_000 } = options;
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, timeout: withinMs, killSignal: 'SIGKILL' });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  // A program that refuses at once closes its input before it was written; its exit code says what happened.
  child.stdin.on('error', () => undefined).end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { command: [program, ...args].join(' '), code, signal, ...texts };
};

/** Runs a program that must succeed. @returns its standard output, trimmed */
export const run = async (program: string, args: readonly string[], options: RunOptions = {}): Promise<string> => {
  const { command, code, signal, stdout, stderr } = await attempt(program, args, options);
  if (code !== 0) throw new Error(`${command}\nended with ${code ?? signal}:\n${stdout}${stderr}`);
  return stdout.trim();
};

/** A field of `/proc/<pid>/status` in bytes: `VmRSS` resident now, `VmHWM` the most that ever was. Linux only. */
export const memoryOf = (pid: number, field: 'VmRSS' | 'VmHWM'): number => {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`no ${field} of process ${pid}`);
  return Number(kilobytes) * 1024;
};
