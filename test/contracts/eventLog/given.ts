import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { type NewEvent, ORIGIN, type Position, type Recorded } from '../../../src/events/event.ts';
import { type EventLog, NO_STREAM, WrongExpectedRevision } from '../../../src/events/log/log.ts';

export const anEvent = (data: unknown = { tag: 'latest' }, type = 'TagMoved'): NewEvent => ({
  id: randomUUID(),
  type,
  data,
  metadata: {
    actor: { kind: 'user', id: '1' },
    requestId: 'request-1',
    correlationId: 'request-1',
    at: '2026-01-01T00:00:00.000Z',
    version: 1,
  },
});

export const events = (count: number): readonly NewEvent[] => Array.from({ length: count }, (_, index) => anEvent({ index }));

/** Every event after a position, by pages. */
export const everything = async (log: EventLog, after: Position = ORIGIN): Promise<readonly Recorded[]> => {
  const all: Recorded[] = [];
  for (let at = after; ; ) {
    const page = await log.readAll({ after: at, limit: 500 });
    const last = page.at(-1);
    if (last === undefined) return all;
    all.push(...page);
    at = last.position;
  }
};

/** The rejection of a promise, of the kind that is expected. */
export const rejectionOf = async <E extends Error>(
  promise: Promise<unknown>,
  kind: new (...args: never[]) => E = Error as never,
): Promise<E> => {
  const [result] = await Promise.allSettled([promise]);
  if (result.status === 'fulfilled') throw new Error(`Expected ${kind.name}, but nothing was refused.`);
  const error: unknown = result.reason;
  if (!(error instanceof kind)) throw new Error(`Expected ${kind.name}, got ${String(error)}`, { cause: error });
  return error;
};

/** Takes from a follower until `enough` says so. */
export const takeUntil = async (
  batches: AsyncIterable<readonly Recorded[]>,
  enough: (seen: readonly Recorded[]) => boolean,
): Promise<readonly Recorded[]> => {
  const seen: Recorded[] = [];
  for await (const batch of batches) {
    seen.push(...batch);
    if (enough(seen)) break;
  }
  return seen;
};

/** Lets a number of turns of the event loop go by. */
export const turns = async (count: number): Promise<void> => {
  for (let left = count; left > 0; left--) await turn();
};

/** Appends at the stream's head, again and again until nobody is in between. */
export const appendAtHead = async (log: EventLog, stream: string, added: readonly NewEvent[]): Promise<number> => {
  const [last] = await log.readStream(stream, { direction: 'backwards', limit: 1 });
  for (let expected = last?.revision ?? NO_STREAM; ; ) {
    try {
      return (await log.append(stream, expected, added)).revision;
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision)) throw error;
      expected = error.actual;
    }
  }
};

export const idsOf = (list: readonly NewEvent[]): readonly string[] => list.map(({ id }) => id);

export type OpenLog = () => Promise<EventLog>;

/**
 * A new prefix for the streams of one test, one stream under it, and what of a list is in such streams.
 * `under`: how all streams begin of a log that knows no others.
 */
export const ownStreams = (under: string) => {
  const prefix = `${under}test-${randomUUID()}.`;
  const mine = (list: readonly Recorded[]): readonly Recorded[] => list.filter((event) => event.stream.startsWith(prefix));
  return { prefix, stream: `${prefix}repository-library/alpine`, mine };
};
