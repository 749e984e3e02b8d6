import { setTimeout as wait } from 'node:timers/promises';
import type { Db } from 'mongodb';
import type { Position } from '../../events/event.ts';
import type { Held, Leases } from './lease.ts';
import type { Builds } from './mongoBuilds.ts';
import { checkpointOf } from './mongoLedger.ts';

/** Builds of the same group that other nodes may read: those of another release during an upgrade, and those of ours around a rebuild. */
export type Beside = Readonly<{
  /**
   * Sees which of them are fed: those whose lease has moved since an earlier look.
   * @param own the builds of our own version to look at
   * @returns whether another version may be in use
   */
  look: (own: readonly string[]) => Promise<boolean>;
  /** Whether all of them hold everything up to `position` within the time: their nodes show the same as ours then. */
  reached: (position: Position, timeoutMs: number) => Promise<boolean>;
}>;

/** A version that no node has said to use for so long is not looked at, in ms. */
const USED_MS = 5 * 60_000;
/** A lease that stands still for so long has no living holder, so that nobody waits for its views. */
const ALIVE_MS = 5000;
/** A lease that was let go is taken within that time, in ms: the next look finds it taken, or the one after that finds nobody. */
const FREE_MS = 1500;
const POLL_MS = 10;

export const mongoBeside = (db: Db, builds: Builds, leases: Leases): Beside => {
  const seen = new Map<string, Readonly<{ held: Held | undefined; movedAt: number }>>();
  let fed: readonly string[] = [];

  /** Where nobody has the lease of a build any more, no node reads it, or one that does takes it in a moment. */
  const isFed = async (name: string): Promise<boolean> => {
    const held = await leases.read(name);
    const before = seen.get(name);
    const moved = before !== undefined && (before.held?.beat !== held?.beat || before.held?.holder !== held?.holder);
    const movedAt = moved ? performance.now() : (before?.movedAt ?? Number.NEGATIVE_INFINITY);
    seen.set(name, { held, movedAt });
    return performance.now() - movedAt < (held === undefined ? FREE_MS : ALIVE_MS);
  };

  const isBehind = async (name: string, position: Position): Promise<boolean> =>
    ((await checkpointOf(db, name)) ?? position) < position;

  return {
    look: async (own) => {
      const others = await builds.beside(USED_MS);
      const names = [...others, ...own];
      const alive = await Promise.all(names.map(isFed));
      fed = names.filter((_name, index) => alive[index]);
      return others.length > 0;
    },
    reached: async (position, timeoutMs) => {
      for (const end = performance.now() + timeoutMs; ; await wait(POLL_MS)) {
        const behind = await Promise.all(fed.map((name) => isBehind(name, position))).catch(() => [true]);
        if (!behind.includes(true)) return true;
        if (performance.now() >= end) return false;
      }
    },
  };
};
