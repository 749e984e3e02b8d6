import { setImmediate as turn } from 'node:timers/promises';
import { type Outgoing, outgoing } from './checks.ts';
import { type Appended, AppendOutcomeUnknown, LogFull, type TransientLog, WrongExpectedRevision } from './log.ts';
import { type Committed, DROPPED_AT_ONCE, type Outcome } from './sqliteCommit.ts';
import { positionOf, recordedOf } from './sqliteEncoding.ts';
import type { Publish } from './sqliteFeed.ts';
import type { Writer } from './sqliteWriter.ts';

/** One transaction takes what waits, up to this: so that a burst delays nobody's answer for long. */
const MOST_EVENTS = 2048;
const MOST_BYTES = 4 * 1024 * 1024;

type Waiting = Outgoing & Readonly<{ settle: (outcome: Outcome | undefined) => void; reject: (error: Error) => void }>;

export type Appends = Readonly<{
  append: TransientLog['append'];
  drop: TransientLog['drop'];
  /** Refuses further appends and resolves once all that came before are answered. */
  flush: () => Promise<void>;
  /** Nothing is known about what is under way, and nothing more is written. */
  fail: (cause: unknown) => void;
  counts: () => Readonly<{ appends: number; transactions: number }>;
}>;

const takeFrom = (queue: Waiting[]): readonly Waiting[] => {
  let events = 0;
  let bytes = 0;
  const end = queue.findIndex((waiting) => {
    events += waiting.recorded.length;
    bytes += waiting.bytes;
    return events > MOST_EVENTS || bytes > MOST_BYTES;
  });
  return queue.splice(0, end === -1 ? queue.length : Math.max(end, 1));
};

/** @throws what stands against the append */
const appendedBy = ({ stream, expected }: Outgoing, outcome: Outcome | undefined): Appended => {
  switch (outcome?.kind) {
    case 'written':
    case 'repeated':
      return { revision: outcome.revision, position: positionOf(outcome.position) };
    case 'conflict':
      throw new WrongExpectedRevision(stream, expected, outcome.actual);
    case 'idTaken':
      throw new Error(`An id of an append to ${stream} belongs to another event already: ${outcome.reason}.`);
    default:
      throw new Error(`An append to ${stream} was not answered.`);
  }
};

const dropping = (stream: string): Outgoing => ({ stream, expected: 0, events: [], recorded: [], sizes: [], bytes: 0 });

const refusalOf = ({ kind, reason }: Exclude<Committed, { kind: 'done' }>): Error =>
  kind === 'full'
    ? new LogFull(`The event log has no room left: ${reason}.`)
    : new Error(`Another process holds the event log: ${reason}.`);

const tellFollowers = (batch: readonly Waiting[], outcomes: readonly Outcome[], publish: Publish): number => {
  let written = 0;
  batch.forEach((waiting, index) => {
    const outcome = outcomes[index];
    if (outcome?.kind !== 'written') return;
    written += 1;
    publish(recordedOf(waiting, outcome.revision, outcome.position), outcome.position, waiting.sizes);
  });
  return written;
};

/**
 * Group commit: while one transaction is under way, what is appended waits, and goes together in the next one.
 *
 * @param onFatal called once, when nobody can say any more what the disk holds
 */
export const appendsTo = (writer: Writer, publish: Publish, onFatal: (cause: unknown) => void): Appends => {
  const queue: Waiting[] = [];
  let underWay: readonly Waiting[] = [];
  let running: Promise<void> | undefined;
  let refusal: Error | undefined;
  let failed = false;
  let appends = 0;
  let transactions = 0;

  const settle = (batch: readonly Waiting[], committed: Committed): void => {
    if (committed.kind !== 'done') {
      for (const { reject } of batch) reject(refusalOf(committed));
      return;
    }
    // First the followers, then the answers: who knows that his append is there finds it fed.
    const written = tellFollowers(batch, committed.outcomes, publish);
    appends += written;
    if (written > 0) transactions += 1;
    batch.forEach(({ settle: tell }, index) => {
      tell(committed.outcomes[index]);
    });
  };

  const fail = (cause: unknown): void => {
    if (failed) return;
    failed = true;
    refusal = new Error('The event log failed and takes no more appends.', { cause });
    for (const { stream, reject } of underWay)
      reject(new AppendOutcomeUnknown(`Whether the append to ${stream} is in the log is not known.`, { cause }));
    for (const { reject } of queue.splice(0)) reject(refusal);
    onFatal(cause);
  };

  const send = (): Promise<Committed> => {
    underWay = takeFrom(queue);
    return writer.commit(underWay.map(({ stream, expected, events }) => ({ stream, expected, events })));
  };

  const run = async (): Promise<void> => {
    try {
      // A turn of the event loop first: all that is appended in the same one goes together.
      for (await turn(); queue.length > 0; await turn()) {
        let sent: Promise<Committed> | undefined = send();
        while (sent !== undefined) {
          const committed = await sent;
          const batch = underWay;
          // The writer gets its next work before anybody hears of the work that is done.
          sent = queue.length > 0 ? send() : undefined;
          settle(batch, committed);
        }
      }
    } catch (cause) {
      fail(cause);
    } finally {
      running = undefined;
    }
  };

  const enqueue = <T>(work: () => Outgoing, answerTo: (work: Outgoing, outcome: Outcome | undefined) => T): Promise<T> =>
    new Promise((resolve, reject) => {
      if (refusal !== undefined) throw refusal;
      const waiting = work();
      const settle = (outcome: Outcome | undefined): void => {
        try {
          resolve(answerTo(waiting, outcome));
        } catch (error) {
          reject(error);
        }
      };
      queue.push({ ...waiting, settle, reject });
      running ??= run();
    });

  return {
    append: (stream, expected, events) => enqueue(() => outgoing(stream, expected, events), appendedBy),

    // Step by step, so that appends get their turns in between.
    drop: async (stream) => {
      for (let count = DROPPED_AT_ONCE; count === DROPPED_AT_ONCE; )
        count = await enqueue(
          () => dropping(stream),
          (_work, outcome) => (outcome?.kind === 'dropped' ? outcome.count : 0),
        );
    },

    flush: async () => {
      refusal ??= new Error('The event log is closed.');
      await running;
    },

    fail,
    counts: () => ({ appends, transactions }),
  };
};
