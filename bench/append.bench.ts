import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type NewEvent, ORIGIN } from '../src/events/event.ts';
import { type EventLog, LARGEST_READ, NO_STREAM } from '../src/events/log/log.ts';
import { sqliteEventLog } from '../src/events/log/sqlite.ts';

type Figure = Readonly<{ question: string; figure: string }>;

const APPENDERS = [1, 10, 100, 1000];
const MILLISECONDS_EACH = 1500;
const REPLAY_MILLISECONDS = 1500;

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

/** About 600 bytes as JSON, shaped like the facts of a push. */
const event = (index: number): NewEvent => ({
  id: randomUUID(),
  type: 'TagMoved',
  data: {
    repositoryId: '0b7e6a52-6d0c-4a55-9a0f-7f1e6f1f9d10',
    repository: 'library/benchmark',
    tag: `v${index}`,
    digest,
    previous: { digest, since: '2026-01-01T00:00:00.000Z' },
  },
  metadata: {
    actor: { kind: 'user', id: '42' },
    requestId: randomUUID(),
    correlationId: randomUUID(),
    at: '2026-01-01T00:00:00.000Z',
    version: 1,
  },
});

/** Appends as fast as answers come, each appender to a stream of its own. @returns events a second */
const appendRate = async (log: EventLog, appenders: number): Promise<number> => {
  const start = performance.now();
  const end = start + MILLISECONDS_EACH;
  let events = 0;
  const appender = async (): Promise<void> => {
    const stream = `bench.repository-${randomUUID()}`;
    for (let revision = NO_STREAM; performance.now() < end; revision++) {
      await log.append(stream, revision, [event(revision)]);
      events += 1;
    }
  };
  await Promise.all(Array.from({ length: appenders }, appender));
  return (events / (performance.now() - start)) * 1000;
};

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
