import { setImmediate as turn } from 'node:timers/promises';
import type { Recorded } from '../event.ts';
import { checkLimit } from './checks.ts';
import type { EventLog } from './log.ts';
import { numberOf } from './sqliteEncoding.ts';
import type { Reads } from './sqliteReads.ts';
import { recentEvents } from './sqliteRecent.ts';

export type Publish = (events: readonly Recorded[], last: number, sizes: readonly number[]) => void;

export type Feed = Readonly<{
  /** An append's events, once they are durable, in the order of the log. `last`: the last one's position; `sizes`: bytes of each. */
  publish: Publish;
  follow: EventLog['follow'];
  /** Ends every follower. */
  end: () => void;
}>;

/**
 * Feeds followers in process. Positions have no gaps, so a follower's own position says all about it: the next event is in
 * memory, or only in the file, or not yet anywhere. There is no seam between old and new to lose or repeat an event at.
 */
export const feed = (reads: Reads): Feed => {
  const recent = recentEvents();
  const waiting = new Set<() => void>();
  let head = reads.head();
  let ended = false;

  const wake = (): void => {
    for (const goOn of waiting) goOn();
  };

  const news = (signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve) => {
      const goOn = (): void => {
        waiting.delete(goOn);
        signal?.removeEventListener('abort', goOn);
        resolve();
      };
      waiting.add(goOn);
      signal?.addEventListener('abort', goOn);
    });

  // Reading is synchronous: without a turn of the event loop, a follower with a long way to go would hold it all the way.
  const fromFile = async (at: number, limit: number): Promise<readonly Recorded[]> => {
    await turn();
    return ended ? [] : reads.page(at, limit);
  };

  async function* follow(after: string, { limit, signal }: Readonly<{ limit: number; signal?: AbortSignal }>) {
    checkLimit(limit);
    let at = numberOf(after);
    if (at > reads.head()) throw new RangeError(`Position ${after} is past the end of this log: it belongs to another one.`);
    const over = (): boolean => ended || signal?.aborted === true;
    while (!over()) {
      const end = head;
      if (at >= end) {
        await news(signal);
        continue;
      }
      const batch = recent.after(at, limit) ?? (await fromFile(at, limit));
      if (over()) return;
      at = numberOf(batch.at(-1)?.position ?? '') || end;
      if (batch.length > 0) yield batch;
    }
  }

  return {
    publish: (events, last, sizes) => {
      events.forEach((event, index) => {
        recent.add(last - events.length + 1 + index, event, sizes[index] ?? 0);
      });
      head = last;
      wake();
    },
    follow,
    end: () => {
      ended = true;
      wake();
    },
  };
};
