import type { NewEvent, Position, Recorded } from '../event.ts';

/** The expected revision of a stream that does not exist yet. */
export const NO_STREAM = -1;

/** Most bytes of one append, as JSON: EventStoreDB's default limit is 1 MiB, less room for its own framing. */
export const LARGEST_APPEND = 1_000_000;

/** Most bytes of one event's data, as JSON. */
export const LARGEST_EVENT = 512 * 1024;

/** Most events that one read returns. */
export const LARGEST_READ = 4096;

export type Appended = Readonly<{ revision: number; position: Position }>;

export type ReadOptions = Readonly<{
  /** `forwards` unless told. */
  direction?: 'forwards' | 'backwards';
  /** Most events to return, 1 to LARGEST_READ. */
  limit: number;
}>;

/**
 * An append-only log of streams. Every adapter owes what `test/contracts/eventLog.contract.ts` says:
 *
 * - `append` writes all its events or none, contiguous and in order, and resolves only once they are durable.
 *   `expected` is the revision of the stream's last event, or NO_STREAM. A repeated append (same ids, same `expected`)
 *   resolves with the outcome of the first and writes nothing.
 * - A position's order is the order of the log, and no event ever appears behind one that a reader has seen.
 * - `follow` misses nothing, repeats nothing and keeps the order, across the seam between old and new events.
 */
export type EventLog = Readonly<{
  /**
   * @returns revision and position of the append's last event
   * @throws WrongExpectedRevision | AppendTooLarge | AppendOutcomeUnknown
   */
  append: (stream: string, expected: number, events: readonly NewEvent[]) => Promise<Appended>;
  /** A page of a stream, from `from` inclusive (default: its first, backwards its last). Empty where there is nothing. */
  readStream: (stream: string, options: ReadOptions & Readonly<{ from?: number }>) => Promise<readonly Recorded[]>;
  /** A page of everything strictly after `after` (forwards) or strictly before `before` (backwards; default: the end). */
  readAll: (options: ReadOptions & Readonly<{ after?: Position; before?: Position }>) => Promise<readonly Recorded[]>;
  /**
   * Everything after `after`, in batches of 1 to `limit` events, for ever: what is there first, then what comes.
   * One batch is handed out at a time; whatever is appended meanwhile waits in the log. Ends when `signal` aborts or the log closes.
   */
  follow: (after: Position, options: Readonly<{ limit: number; signal?: AbortSignal }>) => AsyncIterable<readonly Recorded[]>;
  /** The position of the newest event, or ORIGIN. */
  head: () => Promise<Position>;
  close: () => Promise<void>;
}>;

/** A log whose old streams may go. The facts are in none: what they are read from cannot drop anything. */
export type TransientLog = EventLog &
  Readonly<{
    /**
     * Forgets a stream with all its events, for good; nothing may be appended to it any more. Of a stream that is not there, or not
     * any more, it does nothing. Positions are never given out again. A store that keeps what is dropped until it is cleaned may go
     * on showing it to `readAll` and `follow`.
     */
    drop: (stream: string) => Promise<void>;
  }>;

/** Somebody else appended first. Read again, decide again. */
export class WrongExpectedRevision extends Error {
  override readonly name = 'WrongExpectedRevision';
  readonly stream: string;
  readonly expected: number;
  readonly actual: number;

  constructor(stream: string, expected: number, actual: number) {
    super(`Stream ${stream} is at revision ${actual}, not ${expected}.`);
    this.stream = stream;
    this.expected = expected;
    this.actual = actual;
  }
}

/** Over LARGEST_APPEND or LARGEST_EVENT. An adapter refuses such an append; it never splits one. */
export class AppendTooLarge extends Error {
  override readonly name = 'AppendTooLarge';
}

/** The append may or may not have happened. Repeat it with the same ids and the same expectation. */
export class AppendOutcomeUnknown extends Error {
  override readonly name = 'AppendOutcomeUnknown';
}

/** The log's volume has no room left. Nothing was written; the log goes on when there is room again. */
export class LogFull extends Error {
  override readonly name = 'LogFull';
}
