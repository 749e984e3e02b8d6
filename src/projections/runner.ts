import {
  concatMap,
  defer,
  EMPTY,
  finalize,
  from,
  lastValueFrom,
  type Observable,
  repeat,
  retry,
  Subject,
  takeUntil,
  takeWhile,
  timer,
} from 'rxjs';
import { UnknownEvent } from '../events/catalogue.ts';
import { ORIGIN, type Position, type Recorded } from '../events/event.ts';
import type { EventLog } from '../events/log/log.ts';
import { arrivals } from './arrivals.ts';
import type { Group, Placed, Projection, Seen } from './projection.ts';
import { added, keysIn, neverSeen, type Outcome, type Plan, planner, reduce } from './reduce.ts';
import type { Commit, Fault, PlacedTotals, Views } from './views/views.ts';

type Faults = Readonly<Record<string, Fault>>;

export type ProjectorOptions = Readonly<{
  log: Pick<EventLog, 'follow' | 'head'>;
  views: Views;
  group: Group;
  /** Brings recorded events into the shape that reducers see. @throws UnknownEvent */
  prepare: (events: readonly Recorded[]) => Promise<readonly Seen[]> | readonly Seen[];
  /** Told of every failure; `retryInMs` is undefined when the projector gave up for good. */
  onError: (error: unknown, retryInMs: number | undefined) => void;
  /** Told after every commit, before those who wait for its position. */
  onCommit?: (position: Position) => void;
  /** Most events of a batch. */
  limit?: number;
  /** Milliseconds before retry number `attempt`, which counts from 1. */
  backOffMs?: (attempt: number) => number;
  /** How often tombstones are swept, and how old they are then. */
  sweepEveryMs?: number;
  tombstonesLiveMs?: number;
  /** Milliseconds since 1970. */
  now?: () => number;
}>;

export type ProjectorState = 'catchingUp' | 'live' | 'retrying' | 'stopped';

export type ProjectorStatus = Readonly<{
  position: Position;
  state: ProjectorState;
  /** How long the oldest event that was fetched and is not in the views has been recorded; 0 when all are. */
  lagMs: number;
  error?: string;
  faults: Readonly<Record<string, Fault>>;
}>;

export type Projector = Readonly<{
  /** Whether the views hold everything up to `position` within the time. In process: no polling. */
  reached: (position: Position, timeoutMs: number) => Promise<boolean>;
  status: () => ProjectorStatus;
  /** Resolves when the batch in hand is committed, or was given up. */
  stop: () => Promise<void>;
}>;

// One event may have half a mebibyte and touch 4,000 documents.
const BATCH = 200;
const HOUR = 3_600_000;

/** Doubles from 50 ms up to 10 s, half of it by chance so that nodes do not come back together. */
export const backOff = (attempt: number): number => Math.min(10_000, 25 * 2 ** attempt) * (0.5 + Math.random() / 2);

const commitOf = (plan: Plan, outcome: Outcome, totals: Commit['totals']): Commit => ({
  totals,
  documents: [...outcome.changes].map(([{ view }, changed]) => ({
    view,
    documents: [...changed.values()].map(({ after }) => after),
  })),
  cursors: plan.cursors,
  checkpoint: plan.checkpoint,
  ...(Object.keys(outcome.faults).length > 0 && { faults: outcome.faults }),
});

/** One batch: read its documents, then the totals; reduce; write it all in one step. */
const projecting = (views: Views, group: Group): ((events: readonly Seen[]) => Promise<Faults>) => {
  const plan = planner(group.views);

  const documentsOf = async (planned: Plan): Promise<(projection: Projection, key: string) => Placed> => {
    const placed = new Map<Projection, Map<string, Placed>>();
    const read = async (projection: Projection, wanted: ReadonlySet<string>): Promise<void> => {
      const documents = await views.getPlaced(projection, [...wanted]);
      placed.set(projection, new Map(documents.map((document) => [document.key, document])));
    };
    await Promise.all([...keysIn(planned)].map(([projection, wanted]) => read(projection, wanted)));
    return (projection, key) => placed.get(projection)?.get(key) ?? neverSeen(key);
  };

  /** Read after the documents: whoever has written one of those has written these before. */
  const totalsOf = async ({ deltas }: Outcome): Promise<ReadonlyMap<Projection, PlacedTotals>> => {
    const read = [...deltas.keys()].map(async (projection) => [projection, await views.totals(projection)] as const);
    return new Map(await Promise.all(read));
  };

  const project = async (events: readonly Seen[]): Promise<Faults> => {
    const planned = plan(events, await views.faults());
    const outcome = reduce(planned, await documentsOf(planned));
    const totals = await totalsOf(outcome);
    const taken = takenUpTo(events, totals);
    if (taken > 0) return { ...(await project(events.slice(0, taken))), ...(await project(events.slice(taken))) };
    await views.commit(commitOf(planned, outcome, sumsOf(outcome, totals)));
    return outcome.faults;
  };
  return project;
};

const sumsOf = ({ deltas }: Outcome, totals: ReadonlyMap<Projection, PlacedTotals>): Commit['totals'] =>
  Object.fromEntries(
    [...deltas].map(([projection, delta]) => [projection.view, added(totals.get(projection)?.sums ?? {}, delta)]),
  );

/**
 * How many of these events are in some totals already: a step was begun with them that nobody finished. It has to be finished
 * first, with just these, before others are added. 0 also where all of them are: then the store keeps the totals that it has.
 */
const takenUpTo = (events: readonly Seen[], totals: ReadonlyMap<Projection, PlacedTotals>): number => {
  const counts = [...totals.values()].map(({ position }) => events.filter((event) => event.position <= position).length);
  return Math.min(...counts.filter((count) => count > 0 && count < events.length), events.length) % events.length;
};

/** What a view forgets after these events: documents with keys before this one. */
const forgottenBy = ({ forgets }: Projection, events: readonly Seen[]): string => {
  let before = '';
  if (forgets === undefined) return before;
  for (const event of events) {
    const key = forgets(event) ?? '';
    if (key > before) before = key;
  }
  return before;
};

/**
 * Feeds one group of views from the log, for ever: one batch at a time, each committed before the next is fetched. After a
 * failure it starts again from the views' own checkpoint, so that nothing is lost or counted twice. An event that a newer
 * release wrote stops it for good.
 */
export const startProjector = ({
  log,
  views,
  group,
  prepare,
  onError,
  onCommit = () => undefined,
  limit = BATCH,
  backOffMs = backOff,
  sweepEveryMs = HOUR / 12,
  tombstonesLiveMs = HOUR,
  now = Date.now,
}: ProjectorOptions): Projector => {
  const project = projecting(views, group);
  const forgetful = group.views.filter(({ forgets }) => forgets !== undefined);
  const progress = arrivals();
  const following = new AbortController();
  const stopped = new Subject<void>();
  let state: ProjectorState = 'catchingUp';
  let error: string | undefined;
  let faults: Readonly<Record<string, Fault>> = {};
  let oldest: Recorded | undefined;
  let sweptAt = now();

  const begin = async (): Promise<AsyncIterator<readonly Recorded[]>> => {
    const after = await views.checkpoint();
    faults = await views.faults();
    progress.advance(after);
    state = after >= (await log.head()) ? 'live' : 'catchingUp';
    return log.follow(after, { limit, signal: following.signal })[Symbol.asyncIterator]();
  };

  const take = async (events: readonly Recorded[]): Promise<void> => {
    oldest = events[0];
    const position = events.at(-1)?.position ?? ORIGIN;
    const seen = await prepare(events);
    faults = { ...faults, ...(await project(seen)) };
    await forget(seen);
    state = events.length < limit ? 'live' : 'catchingUp';
    error = undefined;
    oldest = undefined;
    onCommit(position);
    progress.advance(position);
  };

  // Not part of the step: what a crash keeps from being forgotten here goes with what is forgotten next.
  const forget = async (events: readonly Seen[]): Promise<void> => {
    for (const projection of forgetful) {
      const before = forgottenBy(projection, events);
      if (before !== '' && faults[projection.view] === undefined) await views.forget(projection, before);
    }
  };

  const sweep = async (): Promise<void> => {
    if (now() - sweptAt < sweepEveryMs) return;
    sweptAt = now();
    await views.sweep(tombstonesLiveMs);
  };

  /** False once the log gives nothing more: it was closed, or we were stopped. */
  const takeNext = async (iterator: AsyncIterator<readonly Recorded[]>): Promise<boolean> => {
    const next = await iterator.next();
    if (next.done === true) return false;
    await take(next.value);
    await sweep();
    return true;
  };

  const retryLater = (cause: unknown, attempt: number): Observable<unknown> => {
    error = cause instanceof Error ? cause.message : String(cause);
    const final = cause instanceof UnknownEvent || following.signal.aborted;
    state = final ? 'stopped' : 'retrying';
    const wait = final ? undefined : backOffMs(attempt);
    onError(cause, wait);
    return wait === undefined ? EMPTY : timer(wait).pipe(takeUntil(stopped));
  };

  const pass = defer(() => from(begin())).pipe(
    concatMap((iterator) =>
      defer(() => takeNext(iterator)).pipe(
        repeat(),
        takeWhile((more) => more),
        finalize(() => void iterator.return?.()),
      ),
    ),
  );

  const end = lastValueFrom(pass.pipe(retry({ delay: retryLater, resetOnSuccess: true })), { defaultValue: true }).finally(() => {
    state = 'stopped';
    progress.end();
  });

  return {
    reached: progress.reached,
    status: () => ({
      position: progress.position(),
      state,
      lagMs: oldest === undefined ? 0 : Math.max(0, now() - Date.parse(oldest.metadata.at)),
      ...(error !== undefined && { error }),
      faults,
    }),
    stop: async () => {
      following.abort();
      stopped.next();
      await end;
    },
  };
};
