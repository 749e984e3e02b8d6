import type { Recorded } from '../event.ts';

/** What is kept in memory for followers. Whoever is further behind reads the file. */
const MOST_EVENTS = 4096;
const MOST_BYTES = 8 * 1024 * 1024;

export type Recent = Readonly<{
  /** The newest event, at a position's number. `size`: its bytes as text. */
  add: (position: number, event: Recorded, size: number) => void;
  /** Up to `limit` events after a position; undefined when the next one is not here (any more). */
  after: (position: number, limit: number) => readonly Recorded[] | undefined;
}>;

/** The newest events, in a ring by position. One ring serves all followers, so a slow one costs no memory of its own. */
export const recentEvents = (mostEvents = MOST_EVENTS, mostBytes = MOST_BYTES): Recent => {
  const ring: (Readonly<{ event: Recorded; size: number }> | undefined)[] = new Array(mostEvents).fill(undefined);
  let first = 1;
  let last = 0;
  let bytes = 0;

  const dropOldest = (): void => {
    bytes -= ring[first % mostEvents]?.size ?? 0;
    ring[first % mostEvents] = undefined;
    first += 1;
  };

  return {
    add: (position, event, size) => {
      while (first <= last && (last - first + 1 >= mostEvents || bytes + size > mostBytes)) dropOldest();
      // What another process wrote in between is not here: what was kept no longer joins on.
      if (position !== last + 1) {
        while (first <= last) dropOldest();
        first = position;
      }
      ring[position % mostEvents] = { event, size };
      bytes += size;
      last = position;
    },

    after: (position, limit) => {
      if (position + 1 < first || position >= last) return undefined;
      const events: Recorded[] = [];
      for (let next = position + 1; next <= last && events.length < limit; next++) {
        const slot = ring[next % mostEvents];
        if (slot !== undefined) events.push(slot.event);
      }
      return events;
    },
  };
};
