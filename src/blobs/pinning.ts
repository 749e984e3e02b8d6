import { LRUCache } from 'lru-cache';
import type { Threads } from './threads.ts';

/** Sessions of which it is remembered where they are hashed. One that is forgotten may land elsewhere and be hashed again. */
const REMEMBERED = 10_000;

type Order = ReturnType<Threads['thread']>;

export type Pinning = Readonly<{
  /** The thread of this session: always the same, so that its running hash goes on. */
  of: (id: string) => Order;
  /** Runs `work` on the session's thread, which counts as busy with it. */
  busy: <T>(id: string, work: (order: Order) => Promise<T>) => Promise<T>;
}>;

/** Gives each session one thread, the one that is busy with the fewest uploads. */
export const pinning = (threads: Threads): Pinning => {
  const pinned = new LRUCache<string, number>({ max: REMEMBERED });
  const load = Array.from({ length: threads.count }, () => 0);
  let latest = 0;

  const leastBusy = (): number => {
    const inTurn = load.map((_, index) => (latest + 1 + index) % load.length);
    latest = inTurn.reduce((best, index) => ((load[index] ?? 0) < (load[best] ?? 0) ? index : best));
    return latest;
  };

  const threadOf = (id: string): number => {
    const thread = pinned.get(id) ?? leastBusy();
    pinned.set(id, thread);
    return thread;
  };

  return {
    of: (id) => threads.thread(threadOf(id)),
    busy: async (id, work) => {
      const thread = threadOf(id);
      load[thread] = (load[thread] ?? 0) + 1;
      try {
        return await work(threads.thread(thread));
      } finally {
        load[thread] = (load[thread] ?? 0) - 1;
      }
    },
  };
};
