import { randomUUID } from 'node:crypto';
import type { AccessEvents } from '../events/access.ts';
import { accessCatalogue } from '../events/catalogue.ts';
import type { NewEvent, Recorded } from '../events/event.ts';
import { type Appended, type EventLog, NO_STREAM, WrongExpectedRevision } from '../events/log/log.ts';
import type { AccessStreams } from '../events/streams.ts';
import { type Day, dayAfter } from './days.ts';

export type DayStreamsOptions = Readonly<{
  log: Pick<EventLog, 'append' | 'readStream'>;
  streams: AccessStreams;
  now: () => Date;
}>;

export type DayStreams = Readonly<{
  /**
   * Appends at the end of a day's stream; where that is closed, of the first later one that is not. What it rejects with may have been
   * appended all the same: given again, the same events are appended once.
   */
  append: (day: Day, events: readonly NewEvent[]) => Promise<void>;
  /** Ends the stream of a day: every append that comes later goes to another one. Harmless when repeated. */
  close: (day: Day) => Promise<void>;
}>;

const REGISTRY = { kind: 'system', id: 'registry' } as const;

/** An event of the access log, checked. @throws InvalidEvent */
export const accessEvent = <T extends keyof AccessEvents & string>(
  type: T,
  data: AccessEvents[T],
  now: Date,
  id: string = randomUUID(),
): NewEvent => {
  const metadata = { actor: REGISTRY, requestId: id, correlationId: id, at: now.toISOString(), version: 1 };
  const event = { id, type, data, metadata };
  accessCatalogue.check(event);
  return event;
};

const isClosing = (event: Recorded | undefined): boolean => event?.type === 'AccessDayClosed';

/** Where a stream stands: nobody writes behind the event that closes it, because everybody expects a revision. */
type End = Readonly<{ revision: number; closed: boolean }>;

/** Days whose ends are remembered: one goes over into the next, and late appends may be under way. */
const REMEMBERED = 3;

/** The streams of the days, written by all nodes: a node whose expectation fails looks where the stream stands, and tries again. */
export const dayStreams = ({ log, streams, now }: DayStreamsOptions): DayStreams => {
  const ends = new Map<Day, End>();

  const remember = (day: Day, end: End): End => {
    ends.delete(day);
    ends.set(day, end);
    const oldest = ends.size > REMEMBERED ? ends.keys().next().value : undefined;
    if (oldest !== undefined) ends.delete(oldest);
    return end;
  };

  const look = async (day: Day): Promise<End> => {
    const [last] = await log.readStream(streams.ofDay(day), { direction: 'backwards', limit: 1 });
    return remember(day, { revision: last?.revision ?? NO_STREAM, closed: isClosing(last) });
  };

  /** @returns undefined where the day is closed */
  const appendTo = async (day: Day, events: readonly NewEvent[]): Promise<Appended | undefined> => {
    for (let end = ends.get(day) ?? (await look(day)); !end.closed; end = await look(day)) {
      try {
        // An unknown outcome leaves the expectation as it is, so that the same append is known again.
        const appended = await log.append(streams.ofDay(day), end.revision, events);
        remember(day, { revision: appended.revision, closed: isClosing(events.at(-1) as Recorded) });
        return appended;
      } catch (error) {
        if (!(error instanceof WrongExpectedRevision)) throw error;
      }
    }
    return undefined;
  };

  return {
    append: async (day, events) => {
      for (let open = day; (await appendTo(open, events)) === undefined; ) open = dayAfter(open);
    },
    close: async (day) => {
      await appendTo(day, [accessEvent('AccessDayClosed', { day }, now())]);
    },
  };
};
