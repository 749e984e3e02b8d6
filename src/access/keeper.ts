import { hash } from 'node:crypto';
import type { AccessEvents, PullSum, SeenSum } from '../events/access.ts';
import type { NewEvent } from '../events/event.ts';
import { NO_STREAM, type TransientLog, WrongExpectedRevision } from '../events/log/log.ts';
import type { AccessStreams } from '../events/streams.ts';
import type { AccessSeal } from '../projections/accessSeals.ts';
import { later, sumsOf } from '../projections/accessSums.ts';
import { type DayRecord, recordsOf, sealOf } from './dayRecords.ts';
import { accessEvent, type DayStreams } from './dayStreams.ts';
import { DAY_MS, type Day, dayAfter, dayAt, dayBefore, startOf } from './days.ts';

export type KeeperOptions = Readonly<{
  log: TransientLog;
  streams: AccessStreams;
  closeDay: DayStreams['close'];
  /** The oldest day that anything was recorded on; asked while none is sealed. */
  firstRecorded: () => Promise<Day | undefined>;
  firstSealed: () => Promise<Day | undefined>;
  lastSealed: () => Promise<Day | undefined>;
  isSealed: (day: Day) => Promise<boolean>;
  /** Puts a day's seal among the facts, unless it is there. */
  seal: (seal: AccessSeal) => Promise<void>;
  retentionDays: number;
  now: () => Date;
  /** Ends what is under way; it goes on from there another time. */
  signal?: AbortSignal;
}>;

export type Keeper = Readonly<{
  /** Seals every day that is over. @returns those that it sealed */
  sealDays: () => Promise<readonly Day[]>;
  /** Drops the records of sealed days that are older than the retention, and keeps their sums. @returns those days */
  dropDays: () => Promise<readonly Day[]>;
}>;

/** How long after a day's end it is closed: clocks of nodes differ, and what waits is to be written. */
const SLACK_MS = 10 * 60_000;
/** Sums of one event, and sums held in memory. */
const MOST_SUMS = 500;

type Summed = AccessEvents['AccessDaySummed'];

/** Sums up what comes, and gives what it has whenever that is enough for an event. */
const summing = (day: Day) => {
  let pulls = new Map<string, PullSum>();
  let seen = new Map<string, SeenSum>();

  const addPulls = (key: string, added: Omit<PullSum, 'repositoryId' | 'digest'>): void => {
    const [repositoryId = '', digest] = key.split('/');
    const sum = pulls.get(key);
    pulls.set(key, {
      repositoryId,
      digest: digest as PullSum['digest'],
      pulls: (sum?.pulls ?? 0) + added.pulls,
      bytes: (sum?.bytes ?? 0) + added.bytes,
      lastPulledAt: later(sum?.lastPulledAt, added.lastPulledAt),
    });
  };
  const addSeen = (who: string, added: Omit<SeenSum, 'who'>): void => {
    const sum = seen.get(who);
    const lastLoginAt = added.lastLoginAt === undefined ? sum?.lastLoginAt : later(sum?.lastLoginAt, added.lastLoginAt);
    const lastSeenAt = later(sum?.lastSeenAt, added.lastSeenAt);
    seen.set(who, { who, lastSeenAt, ...(lastLoginAt !== undefined && { lastLoginAt }) });
  };

  return {
    add: (record: DayRecord): void => {
      const sums = sumsOf(record);
      for (const [key, added] of sums.digests) addPulls(key, added);
      for (const [who, added] of sums.seen) addSeen(who, added);
    },
    isEnough: (): boolean => pulls.size + seen.size >= MOST_SUMS,
    take: (last: boolean): Summed => {
      const taken = { day, pulls: [...pulls.values()], seen: [...seen.values()], last };
      pulls = new Map();
      seen = new Map();
      return taken;
    },
  };
};

/** The same for the same part of the same day, so that an append that is repeated is known again. */
const partId = (day: Day, part: number): string => {
  const hex = hash('sha256', `${day} ${part}`, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

/**
 * Ends the days of the access log. All nodes do: a stream is closed once, a day is sealed once, and its sums are appended once, because
 * each append expects where its stream stands.
 */
export const accessKeeper = (options: KeeperOptions): Keeper => {
  const { log, streams, closeDay, firstRecorded, firstSealed, lastSealed, isSealed, seal, retentionDays, now, signal } = options;
  const reads = { log, streams, ...(signal !== undefined && { signal }) };

  const sealDays = async (): Promise<readonly Day[]> => {
    const sealed: Day[] = [];
    const last = await lastSealed();
    const first = last === undefined ? await firstRecorded() : dayAfter(last);
    const isOver = (day: Day): boolean => startOf(day) + DAY_MS + SLACK_MS <= now().getTime();
    for (let day = first; day !== undefined && isOver(day); day = dayAfter(day)) {
      await closeDay(day);
      await seal(await sealOf(reads, day));
      sealed.push(day);
    }
    return sealed;
  };

  /** What the stream of sums ends with: a day, how many of its parts are there, and whether all of them are. */
  const summedSoFar = async () => {
    const [last] = await log.readStream(streams.sums, { direction: 'backwards', limit: 1 });
    return { revision: last?.revision ?? NO_STREAM, last: last?.data as Summed | undefined };
  };

  const partsOf = async (day: Day, revision: number): Promise<number> => {
    const page = await log.readStream(streams.sums, {
      direction: 'backwards',
      limit: 4096,
      ...(revision >= 0 && { from: revision }),
    });
    const end = page.findIndex(({ data }) => (data as Summed).day !== day);
    return end === -1 ? page.length : end;
  };

  /** Appends the sums of a day, from the part on that is not there yet: a closed day comes in the same parts each time. */
  const sumUp = async (day: Day): Promise<void> => {
    const so = await summedSoFar();
    let expected = so.revision;
    const there = so.last?.day === day ? await partsOf(day, expected) : 0;
    let part = 0;
    const sums = summing(day);
    const append = async (data: Summed): Promise<void> => {
      part += 1;
      if (part <= there) return;
      const event: NewEvent = accessEvent('AccessDaySummed', data, now(), partId(day, part));
      expected = (await log.append(streams.sums, expected, [event])).revision;
    };
    for await (const record of recordsOf(reads, day)) {
      sums.add(record);
      if (sums.isEnough()) await append(sums.take(false));
    }
    await append(sums.take(true));
  };

  const nextToDrop = async (last: Summed | undefined): Promise<Day | undefined> => {
    if (last === undefined) return firstSealed();
    return last.last ? dayAfter(last.day) : last.day;
  };

  const dropDays = async (): Promise<readonly Day[]> => {
    const dropped: Day[] = [];
    const oldestKept = dayBefore(dayAt(now().getTime()), retentionDays);
    const { last } = await summedSoFar();
    // Its sums came first, so that it may not be gone yet.
    if (last?.last === true) await log.drop(streams.ofDay(last.day));
    for (let day = await nextToDrop(last); day !== undefined && day < oldestKept && (await isSealed(day)); day = dayAfter(day)) {
      await sumUp(day);
      await log.drop(streams.ofDay(day));
      dropped.push(day);
    }
    return dropped;
  };

  /** Another node is at it. */
  const unlessBeaten = async (work: () => Promise<readonly Day[]>): Promise<readonly Day[]> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof WrongExpectedRevision) return [];
      throw error;
    }
  };

  return { sealDays: () => unlessBeaten(sealDays), dropDays: () => unlessBeaten(dropDays) };
};
