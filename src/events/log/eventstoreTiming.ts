import { setTimeout as sleep } from 'node:timers/promises';
import { TimedOut } from './eventstoreErrors.ts';

/** Waits, or ends early when the signal aborts. */
export const pause = async (ms: number, signal?: AbortSignal): Promise<void> => {
  await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
};

/** Doubles from 25 ms up to `most`, half of it by chance so that nodes do not come back together. `attempt` counts from 0. */
export const backOff = (attempt: number, most: number): number =>
  Math.min(most, 25 * 2 ** Math.min(attempt, 20)) * (0.5 + Math.random() / 2);

/** The promise, but no longer than this. What comes of it later is nobody's business. */
export const within = async <T>(ms: number, what: string, promise: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimedOut(`${what} took more than ${ms} ms.`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
};

export type Gate = Readonly<{
  /** Runs a task as soon as it is its turn. @throws TimedOut when it did not get its turn in time; then it never runs. */
  pass: <T>(task: () => Promise<T>) => Promise<T>;
}>;

/** Lets so many through at a time; the others wait in order. */
export const gate = (places: number, patienceMs: number): Gate => {
  const waiting = new Set<() => void>();
  let free = places;

  const turn = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const goOn = (): void => {
        clearTimeout(timer);
        waiting.delete(goOn);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.delete(goOn);
        reject(new TimedOut(`${places} calls before it took more than ${patienceMs} ms.`));
      }, patienceMs);
      waiting.add(goOn);
    });

  // Whoever leaves hands his place on, so that nobody who comes later gets in between.
  const leave = (): void => {
    const [next] = waiting;
    if (next === undefined) free += 1;
    else next();
  };

  return {
    pass: async (task) => {
      if (free > 0) free -= 1;
      else await turn();
      try {
        return await task();
      } finally {
        leave();
      }
    },
  };
};
