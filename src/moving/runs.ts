import type { Moved } from './moved.ts';

/** Most events of one append, and most bytes of their lines: far enough below every adapter's limit. */
const MOST_EVENTS = 200;
const MOST_BYTES = 512 * 1024;

export type Run = Readonly<{
  /** @returns whether the event goes into the same append as those before it */
  takes: (event: Moved, bytes: number) => boolean;
  add: (event: Moved, bytes: number) => void;
  /** What is in it, which is empty afterwards. */
  take: () => readonly Moved[];
}>;

/**
 * Events that follow each other in the log and in one stream: they go in one append. Where a run ends depends on the events
 * alone and on where it began, so that an interrupted copy repeats just the append whose outcome it does not know.
 */
export const newRun = (): Run => {
  let events: Moved[] = [];
  let size = 0;

  return {
    takes: ({ stream, revision }, bytes) => {
      const last = events.at(-1);
      if (last === undefined) return true;
      if (events.length === MOST_EVENTS || size + bytes > MOST_BYTES) return false;
      return last.stream === stream && last.revision + 1 === revision;
    },
    add: (event, bytes) => {
      events.push(event);
      size += bytes;
    },
    take: () => {
      const taken = events;
      events = [];
      size = 0;
      return taken;
    },
  };
};
