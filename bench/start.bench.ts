import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { sqliteEventLog } from '../src/events/log/sqlite.ts';
import { type Push, pushes } from '../test/support/histories.ts';
import { cleanAtExit, exitOf, freePort, scratchFolder, waitUntil } from '../test/support/processes.ts';
import { PASSWORD, startRegistry } from '../test/support/registryProcess.ts';
import { type Figure, median, rounded } from './figures.ts';

const EVENTS = 1_000_000;
const REPOSITORIES = 2000;
/** Appends that wait for the log at the same time: it commits them together. Fewer than repositories, each of which has one at a time. */
const AT_ONCE = 1000;
const STARTS = 3;
/** Only bounds how long a failure takes. */
const BUILT_WITHIN_MS = 300_000;

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** Fills the log of a data folder that no registry has used yet. */
const fillLog = async (dataDir: string): Promise<void> => {
  const folder = join(dataDir, 'log');
  mkdirSync(folder, { recursive: true });
  const log = await sqliteEventLog(join(folder, 'facts.db'));
  const waiting = new Set<Promise<unknown>>();
  const append = ({ stream, expected, events }: Push): void => {
    const done = log.append(stream, expected, events).finally(() => waiting.delete(done));
    waiting.add(done);
  };
  for (const push of pushes(EVENTS, REPOSITORIES)) {
    append(push);
    if (waiting.size >= AT_ONCE) await Promise.all(waiting);
  }
  await Promise.all(waiting);
  await log.close();
};

/** The first start, which builds the views from the log. */
const buildViews = async (dataDir: string): Promise<void> => {
  const port = await freePort();
  const env = { GHOSTDOCK_DATA_DIR: dataDir, GHOSTDOCK_PORT: String(port), GHOSTDOCK_ADMIN_PASSWORD: PASSWORD };
  const child = spawn(process.execPath, [MAIN], { env: { ...process.env, ...env }, stdio: 'ignore' });
  const forget = cleanAtExit(() => child.kill('SIGKILL'));
  const healthy = async (): Promise<boolean> => {
    const answer = await fetch(`http://127.0.0.1:${port}/health`);
    return ((await answer.json()) as { status: string }).status === 'healthy';
  };
  await waitUntil('the views are built', healthy, { everyMs: 200, withinMs: BUILT_WITHIN_MS });
  child.kill('SIGTERM');
  await exitOf(child);
  forget();
};

/** @returns seconds until it says that it is ready */
const startOnce = async (dataDir: string): Promise<number> => {
  const begun = performance.now();
  const registry = await startRegistry({ dataDir });
  const seconds = (performance.now() - begun) / 1000;
  await registry.stop();
  return seconds;
};

/** How long does a start take on a log of a million events whose views are built? Some two minutes, nearly all of them to get there. */
export const run = async (): Promise<readonly Figure[]> => {
  const { path, remove } = scratchFolder();
  try {
    await fillLog(path);
    await buildViews(path);
    const seconds: number[] = [];
    for (let start = 0; start < STARTS; start += 1) seconds.push(await startOnce(path));
    return [{ question: `start with ${EVENTS.toLocaleString('en')} events`, figure: `${rounded(median(seconds))} s` }];
  } finally {
    remove();
  }
};

if (import.meta.main) console.table(await run());
