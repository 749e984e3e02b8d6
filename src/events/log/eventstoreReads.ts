import {
  BACKWARDS,
  END,
  type EventStoreDBClient,
  FORWARDS,
  type ReadRevision,
  type ResolvedEvent,
  START,
  type StreamingRead,
  StreamNotFoundError,
} from '@eventstore/db-client';
import { RegistryError } from '../../errors.ts';
import { ORIGIN, type Position, type Recorded } from '../event.ts';
import { checkLimit } from './checks.ts';
import { checkPosition, logPositionOf, placeOf, recordedOf } from './eventstoreEncoding.ts';
import { isPassing, readFailure, TimedOut } from './eventstoreErrors.ts';
import { sourceOf } from './eventstoreSource.ts';
import { backOff, gate, pause } from './eventstoreTiming.ts';
import type { EventLog } from './log.ts';

/** Calls under way at a time: servers take 100 on one connection, and appends and subscriptions need theirs. */
const READS_AT_A_TIME = 24;
const TRIES = 3;
/** Events of everybody in one call; the first is small, because mostly the log is ours and the answer is near. */
const FIRST_PAGE = 32;
const LARGEST_PAGE = 4096;

type Direction = typeof FORWARDS | typeof BACKWARDS;
type Raw = readonly ResolvedEvent[];

export type Reads = Pick<EventLog, 'readStream' | 'readAll'> &
  Readonly<{
    /** Everybody's events in pages that grow, up to the end of the log. Forwards after a position, backwards before it. */
    pages: (direction: Direction, from: Position | 'end', firstPage: number) => AsyncGenerator<Raw>;
    isOurs: (event: ResolvedEvent) => boolean;
  }>;

export type ReadsOptions = Readonly<{
  client: EventStoreDBClient;
  prefix: string;
  /** How long the server may say nothing while it owes an answer, in ms. */
  timeoutMs: number;
  closing: AbortSignal;
}>;

const afterOnly = (page: Raw, from: Position): Raw => page.filter((event) => (placeOf(event) ?? '') > from);

/** Reads, each under a time limit of its own. @throws RegistryError `UNAVAILABLE` when the server does not answer */
export const readsOn = ({ client, prefix, timeoutMs, closing }: ReadsOptions): Reads => {
  const places = gate(READS_AT_A_TIME, timeoutMs);
  const isOurs = ({ event }: ResolvedEvent): boolean => event?.streamId.startsWith(`${prefix}.`) === true;

  const collect = async (stream: StreamingRead<ResolvedEvent>): Promise<Raw> => {
    const source = sourceOf(stream, () => stream.cancel());
    const wake = (): void => source.wake();
    closing.addEventListener('abort', wake);
    const events: ResolvedEvent[] = [];
    try {
      for (;;) {
        const taken = source.take(LARGEST_PAGE);
        events.push(...taken);
        // A read that is cut short by our own closing ends as if it were complete.
        if (closing.aborted) throw new RegistryError('UNAVAILABLE', 'The event log is closed.');
        const state = source.state();
        if (state === 'ended' && taken.length === 0) return events;
        if (state instanceof Error) throw state;
        if (state === 'open' && !(await source.news(timeoutMs)))
          throw new TimedOut(`The event store said nothing for ${timeoutMs} ms.`);
      }
    } finally {
      closing.removeEventListener('abort', wake);
      source.end();
    }
  };

  const read = async (open: () => StreamingRead<ResolvedEvent>): Promise<Raw> => {
    for (let attempt = 1; ; attempt++) {
      try {
        if (closing.aborted) throw new RegistryError('UNAVAILABLE', 'The event log is closed.');
        return await places.pass(() => collect(open()));
      } catch (error) {
        if (error instanceof StreamNotFoundError) return [];
        if (attempt === TRIES || closing.aborted || !isPassing(error)) throw readFailure(error);
        await pause(backOff(attempt, timeoutMs), closing);
      }
    }
  };

  async function* pages(direction: Direction, start: Position | 'end', firstPage: number): AsyncGenerator<Raw> {
    let from = start;
    for (let maxCount = firstPage; ; maxCount = Math.min(maxCount * 4, LARGEST_PAGE)) {
      const fromPosition = from === 'end' ? END : logPositionOf(from);
      const page = await read(() => client.readAll({ direction, fromPosition, maxCount, requiresLeader: true }));
      const last = page.findLast((event) => placeOf(event) !== undefined);
      const reached = last === undefined ? undefined : placeOf(last);
      // Forwards the event at the position itself comes first, backwards it does not come.
      yield direction === FORWARDS && from !== 'end' ? afterOnly(page, from) : page;
      if (reached === undefined || reached === from) return;
      from = reached;
    }
  }

  const ofOurs = async (direction: Direction, from: Position | 'end', limit: number): Promise<readonly Recorded[]> => {
    const found: Recorded[] = [];
    // One more than is wanted, because forwards the first is the one before.
    for await (const page of pages(direction, from, Math.max(FIRST_PAGE, limit + 1))) {
      for (const event of page) {
        const recorded = isOurs(event) ? recordedOf(event) : undefined;
        if (recorded !== undefined) found.push(recorded);
        if (found.length === limit) return found;
      }
    }
    return found;
  };

  return {
    pages,
    isOurs,

    readAll: async ({ direction = 'forwards', limit, after = ORIGIN, before }) => {
      checkLimit(limit);
      checkPosition(after);
      if (direction === 'forwards') return ofOurs(FORWARDS, after, limit);
      if (before === ORIGIN) return [];
      return ofOurs(BACKWARDS, before ?? 'end', limit);
    },

    readStream: async (stream, { direction = 'forwards', limit, from }) => {
      checkLimit(limit);
      const forwards = direction === 'forwards';
      const otherwise: ReadRevision = forwards ? START : END;
      const fromRevision = from === undefined ? otherwise : BigInt(from);
      const options = {
        direction: forwards ? FORWARDS : BACKWARDS,
        fromRevision,
        maxCount: limit,
        requiresLeader: true,
      } as const;
      const events = await read(() => client.readStream(stream, options));
      return events.map(recordedOf).filter((event) => event !== undefined);
    },
  };
};
