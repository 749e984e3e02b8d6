import { setImmediate as turn } from 'node:timers/promises';
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import { type ServerWritableStream, type ServiceError, status } from '@grpc/grpc-js';
import type { Disturbance, Fault, Faults } from './faults.ts';
import {
  caughtUpMessage,
  checkpointMessage,
  confirmationMessage,
  eventMessage,
  nameIn,
  notFoundMessage,
  notLeader,
  statusOf,
  streamDeleted,
} from './messages.ts';
import type { Store, Stored } from './store.ts';

/** Answers are messages, or bytes that were made of one before. */
export type ReadAnswer = ReadResp | Buffer;
export type ReadCall = ServerWritableStream<ReadReq, ReadAnswer>;
type Options = ReadReq.Options;
type Passes = (event: Stored) => boolean;

/** Events that a subscription considers between two turns of the event loop. */
const TURN = 2000;
const BACKWARDS = 1;

/** Resolves at the first of some events, and leaves no listener behind. */
const firstOf = (call: ReadCall, events: readonly string[], begin: (resolve: () => void) => () => void = () => () => undefined) =>
  new Promise<void>((resolve) => {
    const done = (): void => {
      stop();
      for (const event of events) call.off(event, done);
      resolve();
    };
    const stop = begin(done);
    for (const event of events) call.on(event, done);
  });

/** Writes as fast as the client takes it. False once the call is over. */
const send = async (call: ReadCall, message: ReadAnswer): Promise<boolean> => {
  if (call.cancelled || call.writableEnded) return false;
  if (call.write(message)) return true;
  await firstOf(call, ['drain', 'cancelled']);
  return !call.cancelled;
};

const fail = (call: ReadCall, error: ServiceError): void => void call.emit('error', error);

/** Whether a scripted fault ends the call here, or keeps it from going on, after a number of events. */
const cuts = async (call: ReadCall, fault: Fault | undefined, events: number): Promise<boolean> => {
  if (fault === undefined || !('after' in fault) || events < fault.after) return false;
  if (fault.kind === 'paused') await firstOf(call, ['cancelled']);
  else if (fault.kind === 'cut') fail(call, statusOf(fault.code, 'A scripted fault.'));
  else call.end();
  return true;
};

const sendAll = async (call: ReadCall, events: Iterable<Stored>, fault: Fault | undefined): Promise<void> => {
  let sent = 0;
  for (const event of events) {
    if (await cuts(call, fault, sent)) return;
    if (!(await send(call, eventMessage(event)))) return;
    sent += 1;
  }
  if (!(await cuts(call, fault, sent))) call.end();
};

function* slice(events: readonly Stored[], from: number, count: number, backwards: boolean): Iterable<Stored> {
  for (let at = from, left = count; left > 0; left--, at += backwards ? -1 : 1) {
    const event = events[at];
    if (event === undefined) return;
    yield event;
  }
}

const readStream = async (call: ReadCall, store: Store, options: Options, fault: Fault | undefined): Promise<void> => {
  const wanted = options.getStream();
  const name = nameIn(wanted?.getStreamIdentifier());
  const found = store.stream(name);
  if (found === 'tombstoned') return fail(call, streamDeleted(name));
  if (found === 'missing' || wanted === undefined) {
    await send(call, notFoundMessage(name));
    call.end();
    return;
  }
  const backwards = Number(options.getReadDirection()) === BACKWARDS;
  const last = found.events.length - 1;
  if (wanted.hasEnd() && !backwards)
    return fail(call, statusOf(status.INVALID_ARGUMENT, 'Nothing is read forwards from the end.'));
  const revision = wanted.hasStart() ? 0 : wanted.hasEnd() ? last : Number(wanted.getRevision());
  const from = backwards ? Math.min(revision, last) : Math.max(revision, found.first);
  const count = Math.min(Number(options.getCount()), backwards ? from - found.first + 1 : Number.POSITIVE_INFINITY);
  await sendAll(call, slice(found.events, from, count, backwards), fault);
};

/** The index of the first event after a position (or of that at it), or the error that the real server answers with. */
const startIn = (store: Store, options: Options, code: number): Readonly<{ at: number; exact: boolean }> | ServiceError => {
  const wanted = options.getAll();
  const position = wanted?.getPosition();
  if (wanted === undefined || wanted.hasStart()) return { at: 0, exact: true };
  if (wanted.hasEnd() || position === undefined) return { at: store.all.length, exact: true };
  const at = store.indexOf(Number(position.getCommitPosition()));
  if (at === -1) return statusOf(code, `Invalid position ${position.getCommitPosition()}: no record begins there.`);
  return { at, exact: position.getPreparePosition() === position.getCommitPosition() };
};

const readAll = async (call: ReadCall, store: Store, options: Options, fault: Fault | undefined): Promise<void> => {
  const start = startIn(store, options, status.UNKNOWN);
  if (start instanceof Error) return fail(call, start);
  const backwards = Number(options.getReadDirection()) === BACKWARDS;
  await sendAll(call, slice(store.all, backwards ? start.at - 1 : start.at, Number(options.getCount()), backwards), fault);
};

const filterIn = (options: Options): Readonly<{ passes: Passes; interval: number }> | undefined => {
  const filter = options.getFilter();
  if (filter === undefined) return undefined;
  const expression = filter.getStreamIdentifier() ?? filter.getEventType();
  const textOf = ({ stream, type }: Stored): string => (filter.hasStreamIdentifier() ? stream : type);
  const prefixes = expression?.getPrefixList() ?? [];
  const regex = new RegExp(expression?.getRegex() || '^');
  const interval = filter.getCheckpointintervalmultiplier() * (filter.getMax() || 32);
  if (prefixes.length > 0) return { interval, passes: (event) => prefixes.some((prefix) => textOf(event).startsWith(prefix)) };
  return { interval, passes: (event) => regex.test(textOf(event)) };
};

/** What is open, and how to disturb it. */
export type Subscriptions = Readonly<{
  count: () => number;
  disturb: (how: Disturbance) => number;
  /** Events that subscriptions have sent so far. */
  sent: () => number;
  /** After which commit position each one was to begin, in the order in which they came; -1 for the start. */
  begun: () => readonly number[];
}>;

type Open = { stalled: boolean; call: ReadCall };

export type Reads = Subscriptions & Readonly<{ handle: (call: ReadCall) => void }>;

/** `Streams/Read`: reads and subscriptions, of one stream or of everything. */
export const reads = (store: Store, faults: Faults): Reads => {
  const open = new Set<Open>();
  const begun: number[] = [];
  let sentInAll = 0;

  /** Follows the log by index; an append only wakes it. So there is no seam to lose or repeat an event at. */
  const follow = async (
    subscription: Open,
    from: number,
    passes: Passes,
    interval: number | undefined,
    fault: Fault | undefined,
  ): Promise<void> => {
    const { call } = subscription;
    let [next, sent, caughtUp] = [from, 0, false];
    if (!(await send(call, confirmationMessage()))) return;
    while (!call.cancelled && !call.writableEnded && !(await cuts(call, fault, sent))) {
      const event = subscription.stalled ? undefined : store.all[next];
      if (event === undefined) {
        const last = store.all[next - 1];
        if (!caughtUp && !subscription.stalled) {
          if (
            interval !== undefined &&
            last !== undefined &&
            next > from &&
            !(await send(call, checkpointMessage(last.position)))
          )
            return;
          caughtUp = true;
          if (!(await send(call, caughtUpMessage()))) return;
          continue;
        }
        await news(subscription);
        continue;
      }
      next += 1;
      if (passes(event)) {
        if (!(await send(call, eventMessage(event)))) return;
        sent += 1;
        sentInAll += 1;
      } else if (next % TURN === 0) await turn();
      const due = interval !== undefined && (next - from) % interval === 0;
      if (due && !(await send(call, checkpointMessage(event.position)))) return;
    }
  };

  const news = ({ call }: Open): Promise<void> => firstOf(call, ['cancelled', 'disturbed'], store.onNews);

  const subscribe = (call: ReadCall, options: Options, fault: Fault | undefined) => {
    begun.push(Number(options.getAll()?.getPosition()?.getCommitPosition() ?? -1));
    const start = startIn(store, options, status.INVALID_ARGUMENT);
    if (start instanceof Error) return fail(call, start);
    const stream = options.getStream();
    const name = nameIn(stream?.getStreamIdentifier());
    const filter = filterIn(options);
    const passes: Passes =
      stream === undefined
        ? (filter?.passes ?? (() => true))
        : (event) => event.stream === name && (stream.hasStart() || event.revision > Number(stream.getRevision()));
    const after = options.getAll()?.hasPosition() === true && start.exact ? start.at + 1 : start.at;
    const subscription = { stalled: false, call };
    open.add(subscription);
    call.once('cancelled', () => open.delete(subscription));
    void follow(subscription, stream?.hasEnd() === true ? store.all.length : after, passes, filter?.interval, fault).finally(
      () => {
        if (call.writableEnded) open.delete(subscription);
      },
    );
  };

  const disturb = (how: Disturbance): number => {
    const disturbed = [...open];
    for (const subscription of disturbed) {
      if (how === 'stall') subscription.stalled = true;
      else open.delete(subscription);
      if (how === 'end') subscription.call.end();
      if (how === 'fail') fail(subscription.call, statusOf(status.UNAVAILABLE, 'A scripted fault.'));
      subscription.call.emit('disturbed');
    }
    return disturbed.length;
  };

  const handle = (call: ReadCall) => {
    const options = call.request.getOptions();
    if (options === undefined) return fail(call, statusOf(status.INVALID_ARGUMENT, 'The options are missing.'));
    const fault = faults.meet(options.hasSubscription() ? 'subscribe' : 'read');
    if (fault?.kind === 'silent') return;
    if (fault?.kind === 'notLeader') return fail(call, notLeader(fault));
    if (fault?.kind === 'refused') return fail(call, statusOf(fault.code, 'A scripted fault.', fault.trailers));
    if (options.hasSubscription()) return subscribe(call, options, fault);
    if (Number(options.getCount()) < 1) return fail(call, statusOf(status.INVALID_ARGUMENT, 'The count must be at least 1.'));
    void (options.hasAll() ? readAll(call, store, options, fault) : readStream(call, store, options, fault));
  };

  return { handle, disturb, count: () => open.size, begun: () => begun, sent: () => sentInAll };
};
