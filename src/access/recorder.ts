import { RegistryError } from '../errors.ts';
import { type AccessEntry, MOST_ENTRIES } from '../events/access.ts';
import type { NewEvent } from '../events/event.ts';
import { add, type Batch, joins, sizeOf, type Waiters } from './batch.ts';
import { accessEvent, type DayStreams } from './dayStreams.ts';
import { type Day, dayOf } from './days.ts';

/** `strict`: whoever is answered is on record first. */
export type AccessMode = 'off' | 'on' | 'strict';

export type RecorderOptions = Readonly<{
  mode: AccessMode;
  append: DayStreams['append'];
  now?: () => Date;
  /** Told when the log stops taking records, and again when it does. */
  onTrouble?: (error: unknown) => void;
  onRecovered?: (dropped: number) => void;
  limits?: Partial<typeof LIMITS>;
}>;

export type RecorderStatus = Readonly<{
  /** What waits to be written. */
  entries: number;
  bytes: number;
  /** What no event has told of yet that it had to be dropped. */
  dropped: number;
  /** Since the recorder was made. */
  recorded: number;
  everDropped: number;
  error?: string;
}>;

export type Recorder = Readonly<{
  /**
   * Puts an access, which is the recorder's own from now on, on record: within a tenth of a second, or in `strict` by the time that the promise resolves.
   * @throws (rejects with) RegistryError `UNAVAILABLE` in `strict` alone, when it could not be recorded in time
   */
  record: (entry: AccessEntry) => Promise<void> | undefined;
  /** What waits in memory, and what could not wait there. */
  status: () => RecorderStatus;
  /** Writes what waits, for as long as `patienceMs`. */
  close: () => Promise<void>;
}>;

const LIMITS = {
  /** How long an entry waits for others. */
  flushMs: 100,
  /** Bytes of the entries of one event, more or less. */
  batchBytes: 48 * 1024,
  /** Bytes that one append takes, and that wait in memory at most. */
  appendBytes: 768 * 1024,
  heldBytes: 8 * 1024 * 1024,
  /** How long a strict answer waits. */
  patienceMs: 5000,
  /** The longest pause between two tries. */
  retryMs: 1000,
};

/** Events that are appended together, the same ones until they are; `recorded`: the entries in them. */
type Unit = Readonly<{ day: Day; batches: readonly Batch[]; events: readonly NewEvent[]; recorded: number; dropped: number }>;

const tooLate = (cause?: unknown): RegistryError =>
  new RegistryError(
    'UNAVAILABLE',
    'The access log does not take records at the moment, and nothing is answered without.',
    {},
    { cause },
  );

const nothing = (): void => undefined;

/**
 * Gathers accesses into events of up to 48 KiB, and appends those that wait together. What waits is bounded: beyond it entries are
 * dropped, and the next event says how many.
 */
export const accessRecorder = ({
  mode,
  append,
  now = () => new Date(),
  onTrouble = nothing,
  onRecovered = nothing,
  limits = {},
}: RecorderOptions): Recorder => {
  const { flushMs, batchBytes, appendBytes, heldBytes, patienceMs, retryMs } = { ...LIMITS, ...limits };
  const strict = mode === 'strict';
  let open: Batch | undefined;
  let full: Batch[] = [];
  let held = 0;
  let entries = 0;
  let dropped = 0;
  let recorded = 0;
  let everDropped = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;
  let failing: unknown;
  let closed = false;
  let wake = nothing;

  const waitersOf = (): Waiters => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Whoever waits hears of it; a batch whose askers have all gone must not end the process.
    promise.catch(nothing);
    return { promise, resolve, reject, timer: setTimeout(() => reject(tooLate(failing)), patienceMs) };
  };

  const batchFor = (day: Day, size: number): Batch => {
    if (open !== undefined && open.day === day && open.bytes + size <= batchBytes && open.entries.length < MOST_ENTRIES)
      return open;
    seal();
    open = { day, entries: [], pulled: new Map(), bytes: 0, waiters: strict ? waitersOf() : undefined };
    return open;
  };

  const seal = (): void => {
    if (open !== undefined) full.push(open);
    open = undefined;
  };

  /** Of what the schema refuses, which is a defect, no more is known than how much it was: it must not keep the rest from the log. */
  const eventOf = (batch: Batch, missing: number): NewEvent | undefined => {
    try {
      return accessEvent('AccessRecorded', { entries: batch.entries, ...(missing > 0 && { dropped: missing }) }, now());
    } catch (error) {
      onTrouble(error);
      dropped += batch.entries.length + missing;
      everDropped += batch.entries.length;
      return undefined;
    }
  };

  /** Batches of one day, as many as one append takes, and what was dropped before. */
  const nextUnit = (): Unit | undefined => {
    if (strict) seal();
    const [first] = full;
    if (first === undefined) return undefined;
    let bytes = 0;
    const end = full.findIndex((batch, index) => {
      bytes += batch.bytes;
      return batch.day !== first.day || (index > 0 && bytes > appendBytes);
    });
    const batches = full.slice(0, end === -1 ? full.length : end);
    full = full.slice(batches.length);
    const missing = dropped;
    dropped = 0;
    const events: NewEvent[] = [];
    let within = 0;
    for (const [index, batch] of batches.entries()) {
      const event = eventOf(batch, index === 0 ? missing : 0);
      if (event === undefined) continue;
      events.push(event);
      within += batch.entries.length;
    }
    return { day: first.day, batches, events, recorded: within, dropped: missing };
  };

  const settle = ({ batches, recorded: within }: Unit): void => {
    recorded += within;
    for (const batch of batches) {
      held -= batch.bytes;
      entries -= batch.entries.length;
      clearTimeout(batch.waiters?.timer);
      batch.waiters?.resolve();
    }
  };

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const late = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(late);
        resolve();
      };
    });

  /** Insists: the same events until the log has them, or nobody waits for that any more. */
  const deliver = async (unit: Unit): Promise<void> => {
    for (let attempt = 0; ; attempt += 1) {
      try {
        if (unit.events.length > 0) await append(unit.day, unit.events);
        if (failing !== undefined) onRecovered(unit.dropped);
        failing = undefined;
        return settle(unit);
      } catch (error) {
        if (failing === undefined) onTrouble(error);
        failing = error;
        if (closed) return;
        await pause(Math.min(retryMs, 50 * 2 ** attempt));
      }
    }
  };

  const write = async (): Promise<void> => {
    for (let unit = nextUnit(); unit !== undefined && !(closed && failing !== undefined); unit = nextUnit()) await deliver(unit);
  };

  const flush = (): void => {
    writing ??= write().finally(() => {
      writing = undefined;
    });
  };

  const schedule = (): void => {
    timer ??= setTimeout(
      () => {
        timer = undefined;
        seal();
        flush();
      },
      strict ? 0 : flushMs,
    );
  };

  const drop = (entry: AccessEntry): Promise<void> | undefined => {
    dropped += entry.count ?? 1;
    everDropped += entry.count ?? 1;
    return strict ? Promise.reject(tooLate(failing)) : undefined;
  };

  return {
    record: (entry) => {
      if (mode === 'off' || closed) return undefined;
      const day = dayOf(entry.at);
      if (open !== undefined && open.day === day && joins(open, entry)) return open.waiters?.promise;
      const size = sizeOf(entry);
      if (held + size > heldBytes) return drop(entry);
      const batch = batchFor(day, size);
      add(batch, entry, size);
      held += size;
      entries += 1;
      if (full.length > 0) flush();
      schedule();
      return batch.waiters?.promise;
    },
    status: () => ({
      entries,
      bytes: held,
      dropped,
      recorded,
      everDropped,
      ...(failing !== undefined && { error: failing instanceof Error ? failing.message : String(failing) }),
    }),
    close: async () => {
      const late = setTimeout(() => {
        closed = true;
        wake();
      }, patienceMs);
      while (entries > 0 && !closed) {
        seal();
        flush();
        await writing;
      }
      closed = true;
      clearTimeout(late);
      clearTimeout(timer);
    },
  };
};
