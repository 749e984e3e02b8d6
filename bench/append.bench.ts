import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ORIGIN } from '../src/events/event.ts';
import { type EventLog, LARGEST_READ } from '../src/events/log/log.ts';
import { sqliteEventLog } from '../src/events/log/sqlite.ts';
import { appendRate } from './appending.ts';
import type { Figure } from './figures.ts';

const APPENDERS = [1, 10, 100, 1000];
const REPLAY_MILLISECONDS = 1500;

/** Reads the log from the start, page by page, and over again until the time is up. @returns events a second */
const replayRate = async (log: EventLog): Promise<number> => {
  const start = performance.now();
  let events = 0;
  for (let after = ORIGIN; performance.now() - start < REPLAY_MILLISECONDS; ) {
    const page = await log.readAll({ after, limit: LARGEST_READ });
    events += page.length;
    after = page.at(-1)?.position ?? ORIGIN;
  }
  return (events / (performance.now() - start)) * 1000;
};

const perSecond = (rate: number): string => `${Math.round(rate).toLocaleString('en')} events/s`;

/** How many events does the embedded log take, and give back, a second? Some 8 s on a file in the temporary folder. */
export const run = async (): Promise<readonly Figure[]> => {
  const folder = await mkdtemp(join(tmpdir(), 'append-bench-'));
  const log = await sqliteEventLog(join(folder, 'facts.db'));
  try {
    const figures: Figure[] = [];
    for (const appenders of APPENDERS)
      figures.push({
        question: `appends, ${appenders} at a time`,
        figure: perSecond(await appendRate(log, appenders)),
      });
    figures.push({ question: `replay, pages of ${LARGEST_READ}`, figure: perSecond(await replayRate(log)) });
    return figures;
  } finally {
    await log.close();
    await rm(folder, { recursive: true, force: true });
  }
};

if (import.meta.main) console.table(await run());
