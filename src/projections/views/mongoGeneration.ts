import { setTimeout as wait } from 'node:timers/promises';
import { isRefusal, RegistryError } from '../../errors.ts';
import { ORIGIN, type Position } from '../../events/event.ts';
import { arrivals } from '../arrivals.ts';
import type { Building, Generation, GenerationStatus } from '../generation.ts';
import { backOff } from '../runner.ts';
import { delegated } from './delegated.ts';
import { dropViews } from './mongo.ts';
import { mongoBeside } from './mongoBeside.ts';
import { mongoBuilds } from './mongoBuilds.ts';
import { type FedBuild, type FeedOptions, feedBuild } from './mongoFeed.ts';
import type { Fault, Views } from './views.ts';

export type MongoGenerationOptions = FeedOptions &
  Readonly<{
    /** Told now and then while a build catches up with the log. */
    onProgress?: (progress: Building) => void;
    times?: Partial<Times>;
  }>;

/** All in ms. */
export type Times = Readonly<{
  /** How often a node looks which build is in use and how far it is, when nobody waits. */
  watch: number;
  /** How often it looks while somebody waits to read what was written. */
  poll: number;
  /** How often it says that it uses its version of the views, and tidies up. */
  touch: number;
  /** A node that could not look for so long gives no answers: the build that it knows may be gone. */
  trust: number;
  /** How long the collections of a build stay that was replaced; far longer than `trust`. */
  linger: number;
  /** How long those of a version stay that no node uses: a release that was rolled back may come again. */
  unused: number;
}>;

const TIMES: Times = { watch: 1000, poll: 5, touch: 60_000, trust: 30_000, linger: 120_000, unused: 24 * 3_600_000 };
/** Two looks tell whether a lease moves; one more in case that the others have just looked. */
const LOOKS_TO_MEET = 3;
/** The longest pause between two looks for somebody who waits. */
const LONGEST_POLL_MS = 50;

const unavailable = (why: string): RegistryError => new RegistryError('UNAVAILABLE', why, { reason: 'building' });

/**
 * The views of one group in MongoDB, shared by all nodes of a release: whoever has the lease of a build feeds it, all read it.
 * Which build is in use stands in the store; a node follows it, and answers nothing when it could not look for too long.
 */
export const mongoGeneration = (options: MongoGenerationOptions): Generation => {
  const { db, group, log, onError, onProgress = () => undefined, projector = {} } = options;
  const times = { ...TIMES, ...options.times };
  const { backOffMs = backOff } = projector;
  const builds = mongoBuilds(db, group);
  const beside = mongoBeside(db, builds, options.leases);
  const progress = arrivals();
  const stopping = new AbortController();
  let current: FedBuild | undefined;
  /** Replaced, and fed on until every node has seen that: those that have not yet read it. */
  let retiring: readonly Readonly<{ build: FedBuild; until: number }>[] = [];
  let proposed: number | undefined;
  let confirmedAt = Number.NEGATIVE_INFINITY;
  let inUseSince = performance.now();
  let behindSince: number | undefined;
  let faults: Readonly<Record<string, Fault>> = {};
  let touchedAt = Number.NEGATIVE_INFINITY;
  let building: Building | undefined;
  let failure: string | undefined;
  let rebuilding: Promise<void> | undefined;
  let polling = false;

  const open = (number: number): Promise<FedBuild> => {
    stopping.signal.throwIfAborted();
    const onCommit = (position: Position): void => {
      if (current?.number === number) progress.advance(position);
    };
    return feedBuild(options, { number, name: builds.nameOf(number), onCommit });
  };

  /** Waits until a build holds everything up to what `target` says each time. */
  const catchUp = async (fed: FedBuild, target: () => Position): Promise<void> => {
    const head = await log.head();
    let reportedAt = Number.NEGATIVE_INFINITY;
    for (;;) {
      stopping.signal.throwIfAborted();
      const { checkpoint } = await fed.views.state();
      if (checkpoint >= head && checkpoint >= target()) return;
      fed.throwIfOver();
      building = { events: fed.events(), position: checkpoint, head };
      if (performance.now() - reportedAt > 1000) {
        reportedAt = performance.now();
        onProgress(building);
      }
      await wait(20, undefined, { signal: stopping.signal });
    }
  };

  const adopt = (next: FedBuild): void => {
    const old = current;
    current = next;
    faults = {};
    inUseSince = performance.now();
    if (old !== undefined) retiring = [...retiring, { build: old, until: performance.now() + times.trust }];
  };

  /** Opens a build that another node has put in place, and reads it from when it holds what this node has shown already. */
  const follow = async (number: number): Promise<void> => {
    const next = await open(number);
    try {
      await catchUp(next, progress.position);
    } catch (error) {
      await next.stop();
      throw error;
    } finally {
      building = undefined;
    }
    adopt(next);
  };

  /** A store that is ahead of the log holds the views of another log, or of what a restored log has lost. */
  const openOwn = async (): Promise<FedBuild> => {
    const found = await open((await builds.inUse()).current);
    const { checkpoint } = await found.views.state();
    if (checkpoint <= (await log.head())) return found;
    onError(new Error(`The views ${found.name} are ahead of the log, so they are another log's: they are built anew.`), 0);
    await found.stop();
    await builds.publish(await builds.begin());
    return openOwn();
  };

  /** Nodes of another release, if there are any, have seen this one by the time that it answers, and the other way round. */
  const meetOthers = async (): Promise<void> => {
    await builds.touch();
    for (let looks = 0; looks < LOOKS_TO_MEET && (await beside.look([])); looks++)
      await wait(times.watch, undefined, { signal: stopping.signal });
  };

  const start = async (): Promise<void> => {
    const first = await openOwn();
    try {
      await catchUp(first, () => ORIGIN);
    } catch (error) {
      await first.stop();
      throw error;
    } finally {
      building = undefined;
    }
    await meetOthers();
    confirmedAt = performance.now();
    adopt(first);
  };

  const insist = async (work: () => Promise<void>): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error);
        if (stopping.signal.aborted) throw error;
        onError(error, backOffMs(attempt));
        await wait(backOffMs(attempt), undefined, { signal: stopping.signal });
      }
    }
  };

  /** The builds of our version that any node may read now, or in a moment. */
  const ownNames = (): readonly string[] => {
    const numbers = [current?.number, proposed, ...retiring.map(({ build }) => build.number)];
    return [...new Set(numbers)].filter((number) => number !== undefined).map(builds.nameOf);
  };

  const retire = async (): Promise<void> => {
    const over = retiring.filter(({ until }) => until < performance.now());
    retiring = retiring.filter((one) => !over.includes(one));
    for (const { build } of over) await build.stop();
  };

  const sweep = async ({ number, holds }: FedBuild): Promise<void> => {
    if (!holds() || performance.now() - inUseSince < times.linger) return;
    for (const name of builds.replaced(number)) await dropViews(db, name);
    for (const version of await builds.unused(times.unused)) {
      for (const name of version.builds) await dropViews(db, name);
      await builds.forget(version, times.unused);
    }
  };

  /** What a node does now and then: see how far the views are and which build is in use, say that it uses it, and tidy up. */
  const look = async (fed: FedBuild): Promise<void> => {
    const { current: number, next } = await builds.inUse();
    proposed = next;
    // First of all: what was replaced may be gone, and cannot be asked anything then.
    if (number > fed.number) return follow(number);
    const state = await fed.views.state();
    confirmedAt = performance.now();
    failure = undefined;
    faults = state.faults;
    progress.advance(state.checkpoint);
    await beside.look(ownNames());
    await retire();
    // A log that does not answer is no fault of the views: they are as far behind as they were.
    const head = await log.head().catch(() => undefined);
    if (head === undefined) return;
    if (head <= progress.position()) behindSince = undefined;
    else behindSince ??= performance.now();
    if (performance.now() - touchedAt < times.touch) return;
    touchedAt = performance.now();
    await builds.touch();
    await sweep(fed);
  };

  /** A node that slept for longer than a day may find its build dropped, as one that nobody uses: there has to be another one. */
  const failed = async (error: unknown): Promise<void> => {
    failure = error instanceof Error ? error.message : String(error);
    if (stopping.signal.aborted) return;
    onError(error, times.watch);
    if (isRefusal(error, 'UNAVAILABLE') && error.detail.reason === 'dropped') await builds.publish(await builds.begin());
  };

  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (current !== undefined)
        await look(current)
          .catch(failed)
          .catch((error: unknown) => onError(error, times.watch));
      await wait(times.watch, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };

  const ready = insist(start).then(() => {
    failure = undefined;
  });
  ready.catch(() => undefined);
  const watching = ready.then(watch, () => undefined);

  /** One poller a node, and only while somebody waits. */
  const poll = async (): Promise<void> => {
    if (polling) return;
    polling = true;
    let pause = times.poll;
    while (progress.waiting() > 0 && current !== undefined && !stopping.signal.aborted) {
      // Where this node feeds the build it is told of each commit, and looks only in case that ends.
      if (current.holds()) pause = LONGEST_POLL_MS;
      await wait(pause, undefined, { signal: stopping.signal }).catch(() => undefined);
      const state = await current.views.state().catch(() => undefined);
      if (state !== undefined) progress.advance(state.checkpoint);
      pause = Math.min(LONGEST_POLL_MS, pause * 1.2);
    }
    polling = false;
  };

  const rebuild = async (): Promise<void> => {
    const next = await open(await builds.begin());
    try {
      await catchUp(next, progress.position);
      // Every node waits for it before any reads it: the others look once in a while, and twice to see that it is fed.
      await builds.propose(next.number);
      await wait(LOOKS_TO_MEET * times.watch, undefined, { signal: stopping.signal });
      await builds.publish(next.number);
    } catch (error) {
      await next.stop();
      await dropViews(db, next.name).catch(() => undefined);
      throw error;
    } finally {
      building = undefined;
    }
    adopt(next);
  };

  const live = (): Views => {
    if (current === undefined) throw unavailable('The views are being built from the log. Try again in a moment.');
    if (performance.now() - confirmedAt > times.trust) throw unavailable('The store of the views cannot be reached.');
    return current.views;
  };

  const status = (): GenerationStatus => {
    const shared = {
      position: progress.position(),
      lagMs: behindSince === undefined ? 0 : Math.round(performance.now() - behindSince),
      faults,
      ...(failure !== undefined && { error: failure }),
    };
    const own = current?.status();
    if (current === undefined) return { ...shared, state: 'building', ...(building !== undefined && { building }) };
    const fed = {
      ...shared,
      state: 'live' as const,
      ...own,
      faults: { ...faults, ...own?.faults },
      ...(building !== undefined && { building }),
    };
    return failure === undefined ? fed : { ...fed, state: 'retrying', error: failure };
  };

  const stop = async (): Promise<void> => {
    stopping.abort(new Error('The views were closed.'));
    progress.end();
    await Promise.allSettled([ready, rebuilding, watching]);
    const last = [current, ...retiring.map(({ build }) => build)];
    current = undefined;
    await Promise.all(last.map((build) => build?.stop()));
  };

  return {
    views: delegated(live, stop),
    ready,
    reached: (position, timeoutMs) => {
      const end = performance.now() + timeoutMs;
      const arrived = progress.reached(position, timeoutMs);
      void poll();
      return arrived.then((own) => own && beside.reached(position, end - performance.now()));
    },
    status,
    rebuild: () => {
      rebuilding ??= ready.then(rebuild).finally(() => {
        rebuilding = undefined;
      });
      return rebuilding;
    },
    stop,
  };
};
