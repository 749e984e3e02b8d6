import { type EventData, type EventStoreDBClient, NO_STREAM as NONE } from '@eventstore/db-client';
import { RegistryError } from '../../errors.ts';
import type { NewEvent, Position } from '../event.ts';
import { outgoing } from './checks.ts';
import { eventDataOf, positionOf } from './eventstoreEncoding.ts';
import { appendRefusal, TimedOut } from './eventstoreErrors.ts';
import { backOff, gate, pause, within } from './eventstoreTiming.ts';
import { type Appended, AppendOutcomeUnknown, type EventLog, NO_STREAM } from './log.ts';

/** Servers take 100 calls on one connection; beyond that they wait unseen, and reads behind them. */
const APPENDS_AT_A_TIME = 64;
/** How long an append may wait for those before it, in ms. */
const PATIENCE_MS = 10_000;
const SHORTEST_TRY_MS = 20;

export type Appends = Readonly<{
  append: EventLog['append'];
  /** Refuses further appends and resolves once all that came before are answered. */
  flush: () => Promise<void>;
}>;

export type AppendsOptions = Readonly<{
  client: EventStoreDBClient;
  prefix: string;
  /** How long one try may take, and all tries of an append together, in ms. */
  tryMs: number;
  totalMs: number;
  readStream: EventLog['readStream'];
  /** Told of every append. */
  onAppended: (position: Position) => void;
}>;

type Ready = Readonly<{ stream: string; expected: number; data: EventData[]; lastId: string }>;

/** Appends, several at a time, each repeated until its outcome is known or its time is over. */
export const appendsTo = ({ client, prefix, tryMs, totalMs, readStream, onAppended }: AppendsOptions): Appends => {
  const places = gate(APPENDS_AT_A_TIME, PATIENCE_MS);
  const open = new Set<Promise<unknown>>();
  let closed = false;

  /** Where an append is that succeeded without saying so. */
  const placeOf = async ({ stream, lastId }: Ready, revision: number): Promise<Position> => {
    const [event] = await readStream(stream, { direction: 'backwards', from: revision, limit: 1 });
    if (event?.id !== lastId) throw new Error(`Event ${revision} of ${stream} is not the one that was appended.`);
    return event.position;
  };

  const once = async (ready: Ready, deadline: number): Promise<Appended> => {
    const { stream, expected, data } = ready;
    const { nextExpectedRevision, position } = await client.appendToStream(stream, data, {
      expectedRevision: expected === NO_STREAM ? NONE : BigInt(expected),
      requiresLeader: true,
      deadline,
    });
    const revision = Number(nextExpectedRevision);
    return { revision, position: position === undefined ? await placeOf(ready, revision) : positionOf(position) };
  };

  /** The same ids and the same expectation each time: what was written already is found again and not written twice. */
  const deliver = async (ready: Ready): Promise<Appended> => {
    const end = performance.now() + totalMs;
    for (let attempt = 0; ; attempt++) {
      try {
        const ms = Math.max(SHORTEST_TRY_MS, Math.min(tryMs, end - performance.now()));
        return await within(ms, 'An append', once(ready, ms));
      } catch (cause) {
        const refusal = appendRefusal(cause, ready.stream, ready.expected);
        if (refusal !== undefined) throw refusal;
        const wait = backOff(attempt, tryMs);
        if (performance.now() + wait + SHORTEST_TRY_MS > end)
          throw new AppendOutcomeUnknown(`Whether the append to ${ready.stream} is in the log is not known.`, { cause });
        await pause(wait);
      }
    }
  };

  const accept = (stream: string, expected: number, events: readonly NewEvent[]): Ready => {
    if (closed) throw new Error('The event log is closed.');
    if (!stream.startsWith(`${prefix}.`))
      throw new TypeError(`${stream} is no stream of this log: its streams begin with ${prefix}.`);
    outgoing(stream, expected, events);
    return { stream, expected, data: eventDataOf(events), lastId: events.at(-1)?.id ?? '' };
  };

  const inTurn = async (ready: Ready): Promise<Appended> => {
    try {
      const appended = await places.pass(() => deliver(ready));
      onAppended(appended.position);
      return appended;
    } catch (error) {
      // It never got its turn, so that it is certain that nothing was sent.
      if (error instanceof TimedOut) throw new RegistryError('UNAVAILABLE', 'Too many appends wait.', {}, { cause: error });
      throw error;
    }
  };

  return {
    append: async (stream, expected, events) => {
      const appended = inTurn(accept(stream, expected, events));
      open.add(appended);
      try {
        return await appended;
      } finally {
        open.delete(appended);
      }
    },
    flush: async () => {
      closed = true;
      await Promise.allSettled(open);
    },
  };
};
