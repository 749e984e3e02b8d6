import type { AccessEntry } from '../events/access.ts';
import type { Recorder } from './recorder.ts';

/** So many equal refusals a minute are recorded one by one. */
const MOST_EQUAL = 20;
/** Kinds of refusals that are told apart in one minute. */
const MOST_KINDS = 10_000;
const MINUTE_MS = 60_000;

export type RefusalsOptions = Readonly<{
  record: Recorder['record'];
  now?: () => number;
  /** Tests need not wait a minute. */
  minuteMs?: number;
  mostKinds?: number;
}>;

export type Refusals = Readonly<{
  /** Records a refusal, or only counts it. */
  refused: (entry: AccessEntry) => Promise<void> | undefined;
  /** Records the counts. */
  close: () => void;
}>;

/** `first`, `until`: of those that are only counted. */
type Kind = { count: number; first: AccessEntry; until: string };

/** What makes refusals equal: who, from where, what, and in which repository or route; not which tag or digest of it. */
const kindOf = ({ ip, actor, attempted, reason, resource }: AccessEntry): string =>
  `${ip} ${actor} ${attempted} ${reason} ${resource.split(':', 1)[0]}`;

/**
 * A flood of refusals must not become one of records: beyond twenty equal ones a minute they are counted, and the count is one record at
 * the minute's end. Beyond so many kinds a minute, as a flood from many addresses brings them, all others are one kind.
 */
export const refusals = ({ record, now = Date.now, minuteMs = MINUTE_MS, mostKinds = MOST_KINDS }: RefusalsOptions): Refusals => {
  let kinds = new Map<string, Kind>();
  let others: Kind | undefined;
  let began = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  /** Nobody waits for a count: one that cannot be recorded is among what was dropped. */
  const recordCount = (entry: AccessEntry): void => {
    record(entry)?.catch(() => undefined);
  };

  /** Ends a minute: what was only counted goes on record. */
  const settle = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const counted = [...kinds.values()].filter(({ count }) => count > MOST_EQUAL);
    for (const { count, first, until } of counted) recordCount({ ...first, until, count: count - MOST_EQUAL });
    if (others !== undefined)
      recordCount({ ...others.first, ip: '', actor: 'anonymous:many', until: others.until, count: others.count });
    kinds = new Map();
    others = undefined;
  };

  const awaitEnd = (): undefined => {
    if (timer === undefined) {
      timer = setTimeout(settle, began + minuteMs - now());
      timer.unref();
    }
    return undefined;
  };

  return {
    refused: (entry) => {
      const at = now();
      if (at - began >= minuteMs) {
        settle();
        began = at;
      }
      const name = kindOf(entry);
      const kind = kinds.get(name);
      if (kind === undefined && kinds.size >= mostKinds) {
        others = { count: (others?.count ?? 0) + 1, first: others?.first ?? entry, until: entry.at };
        return awaitEnd();
      }
      if (kind === undefined) kinds.set(name, { count: 1, first: entry, until: entry.at });
      else {
        kind.count += 1;
        kind.until = entry.at;
        if (kind.count === MOST_EQUAL + 1) kind.first = entry;
        if (kind.count > MOST_EQUAL) return awaitEnd();
      }
      return record(entry);
    },
    close: settle,
  };
};
