import { setImmediate as turn } from 'node:timers/promises';
import { type EventStoreDBClient, type ResolvedEvent, streamNameFilter } from '@eventstore/db-client';
import type { Position, Recorded } from '../event.ts';
import { checkLimit } from './checks.ts';
import { checkPosition, logPositionOf, recordedOf, textOf } from './eventstoreEncoding.ts';
import { codeOf, INVALID_ARGUMENT, TimedOut } from './eventstoreErrors.ts';
import type { Head } from './eventstoreHead.ts';
import { type Source, sourceOf } from './eventstoreSource.ts';
import { backOff, pause } from './eventstoreTiming.ts';
import type { EventLog } from './log.ts';

/** Events that wait here for a follower, beside as many that are being decoded. One may have half a mebibyte. */
const WAITING_HERE = 64;
/** In units of 32 events of everybody: after so many the server says how far it has come. */
const CHECKPOINT_EVERY = 16;
const LONGEST_PAUSE_MS = 1000;
/** A subscription that lived so long was sound, and the next failure is a new one. */
const SOUND_AFTER_MS = 10_000;

export type FeedOptions = Readonly<{
  client: EventStoreDBClient;
  prefix: string;
  head: Head;
  /** How long the server may take to begin a subscription, in ms. */
  startMs: number;
  /** How often a follower that waits looks whether it should have been given something, in ms. */
  watchMs: number;
  closing: AbortSignal;
  onError: (error: unknown, what: string) => void;
}>;

/** One call to the server: events after a position, for as long as it lasts. */
type Subscription = Readonly<{
  source: Source;
  confirmed: () => boolean;
  /** Counts whatever is heard from the server. */
  heard: () => number;
  /** All events handed out so far are dealt with. */
  handled: () => void;
  taken: (count: number) => void;
  /** Up to where the server has looked, once everything before was dealt with. */
  checkpoint: () => Position | undefined;
}>;

const subscribe = (client: EventStoreDBClient, prefix: string, after: Position): Subscription => {
  let [heard, taken, handled, confirmed] = [0, 0, 0, false];
  let mark: Readonly<{ position: Position; behind: number }> | undefined;
  let checkpoint: Position | undefined;
  const settle = (): void => {
    if (mark === undefined || handled < mark.behind) return;
    checkpoint = mark.position;
    mark = undefined;
  };
  const filter = streamNameFilter({
    prefixes: [`${prefix}.`],
    checkpointInterval: CHECKPOINT_EVERY,
    // It is called before the events that came first are taken: it counts once these are dealt with. It must not throw.
    checkpointReached: (_subscription, position) => {
      heard += 1;
      mark = { position: textOf(position), behind: taken + source.waiting() };
      settle();
    },
  });
  const stream = client.subscribeToAll(
    { fromPosition: logPositionOf(after), filter, requiresLeader: true },
    { highWaterMark: WAITING_HERE },
  );
  const source = sourceOf(stream, () => stream.unsubscribe());
  stream.on('confirmation', () => {
    confirmed = true;
    heard += 1;
    source.wake();
  });
  return {
    source,
    confirmed: () => confirmed,
    heard: () => heard + taken + source.waiting(),
    taken: (count) => {
      taken += count;
    },
    handled: () => {
      handled = taken;
      settle();
    },
    checkpoint: () => checkpoint,
  };
};

/** Followers, each with a subscription of its own that is begun anew whenever it fails, ends or falls silent. */
export const feed = ({ client, prefix, head, startMs, watchMs, closing, onError }: FeedOptions): EventLog['follow'] => {
  const mustExist = async (after: Position): Promise<void> => {
    if (after <= head.known()) return;
    if (after > (await head.read()))
      throw new RangeError(`Position ${after} is past the end of this log: it belongs to another one.`);
  };

  /** Throws when the log has held something for a while that the server has not sent. */
  const watch = (subscription: Subscription, last: () => Position): (() => void) => {
    let seen: Readonly<{ head: Position; heard: number }> | undefined;
    return () => {
      const heard = subscription.heard();
      if (seen !== undefined && seen.heard === heard && seen.head > last())
        throw new TimedOut(`A subscription gave nothing for ${watchMs} ms, although there was something.`);
      seen = undefined;
      head.read().then(
        (position) => {
          seen = { head: position, heard };
        },
        (error) => onError(error, 'The head of the event log could not be read.'),
      );
    };
  };

  const next = async (
    { source, confirmed, taken }: Subscription,
    limit: number,
    over: AbortSignal,
    look: () => void,
  ): Promise<readonly ResolvedEvent[]> => {
    for (;;) {
      if (over.aborted) return [];
      const events = [...source.take(limit)];
      if (events.length > 0) {
        // Decoding goes on between turns: a batch that is nearly there is worth one.
        if (events.length < limit) {
          await turn();
          events.push(...source.take(limit - events.length));
        }
        taken(events.length);
        return events;
      }
      const state = source.state();
      if (state instanceof Error) throw state;
      if (state === 'ended') throw new Error('The server ended a subscription.');
      const patience = confirmed() ? watchMs : startMs;
      if (await source.news(patience)) continue;
      if (!confirmed()) throw new TimedOut(`A subscription did not begin in ${startMs} ms.`);
      look();
    }
  };

  async function* follow(
    after: Position,
    { limit, signal }: Readonly<{ limit: number; signal?: AbortSignal }>,
  ): AsyncGenerator<readonly Recorded[]> {
    checkLimit(limit);
    checkPosition(after);
    const over = signal === undefined ? closing : AbortSignal.any([closing, signal]);
    let at = after;
    let resume = after;
    let known = false;
    for (let failures = 0; !over.aborted; failures++) {
      const began = performance.now();
      let subscription: Subscription | undefined;
      const wake = (): void => subscription?.source.wake();
      over.addEventListener('abort', wake);
      try {
        if (!known) await mustExist(after);
        known = true;
        subscription = subscribe(client, prefix, resume);
        const look = watch(subscription, () => at);
        while (!over.aborted) {
          const raw = await next(subscription, limit, over, look);
          const events = raw.map(recordedOf).filter((event) => event !== undefined && event.position > at) as Recorded[];
          if (over.aborted) return;
          if (events.length > 0) {
            yield events;
            at = events.at(-1)?.position ?? at;
            failures = 0;
          }
          subscription.handled();
          head.saw(at);
        }
      } catch (error) {
        if (over.aborted) return;
        if (error instanceof RangeError || error instanceof TypeError) throw error;
        if (codeOf(error) === INVALID_ARGUMENT && resume === after)
          throw new RangeError(`Position ${after} is none of this log: it belongs to another one.`, { cause: error });
        resume = resumeAfter(at, codeOf(error) === INVALID_ARGUMENT ? undefined : subscription?.checkpoint());
        if (performance.now() - began > SOUND_AFTER_MS) failures = 0;
        onError(error, 'A subscription to the event log failed and is begun anew.');
        await pause(backOff(failures, LONGEST_PAUSE_MS), over);
      } finally {
        over.removeEventListener('abort', wake);
        subscription?.source.end();
      }
    }
  }
  return follow;
};

/** The server's checkpoint may be further than the last event of ours, but never behind it. */
const resumeAfter = (at: Position, checkpoint: Position | undefined): Position =>
  checkpoint !== undefined && checkpoint > at ? checkpoint : at;
