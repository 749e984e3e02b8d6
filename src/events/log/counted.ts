import type { EventLog } from './log.ts';

/** Counted since the log was opened, in this process. */
export type AppendCounts = Readonly<{
  appends: number;
  events: number;
  /** What was not written, or of which nobody knows: conflicts too. */
  failures: number;
  /** That are not answered yet. */
  waiting: number;
  /** From the call to the answer, of all that were written. */
  seconds: number;
}>;

export type CountedLog = EventLog & Readonly<{ counts: () => AppendCounts }>;

/** A log that knows what was appended through it, whatever it is kept in. */
export const countedLog = (log: EventLog): CountedLog => {
  let [appends, events, failures, waiting, seconds] = [0, 0, 0, 0, 0];

  const append: EventLog['append'] = async (stream, expected, given) => {
    const begun = performance.now();
    waiting += 1;
    try {
      const appended = await log.append(stream, expected, given);
      appends += 1;
      events += given.length;
      seconds += (performance.now() - begun) / 1000;
      return appended;
    } catch (error) {
      failures += 1;
      throw error;
    } finally {
      waiting -= 1;
    }
  };

  return { ...log, append, counts: () => ({ appends, events, failures, waiting, seconds }) };
};
