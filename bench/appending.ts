import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { NewEvent } from '../src/events/event.ts';
import { type EventLog, NO_STREAM } from '../src/events/log/log.ts';

const MILLISECONDS_EACH = 1500;

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
export const appendRate = async (log: EventLog, appenders: number): Promise<number> => {
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
