import type { Limiter, Limiters } from './limiter.ts';

/** How long a shared store may take, in ms: a request waits for it. */
const PATIENCE_MS = 500;
/** How long one that failed is left alone, in ms. */
const AWAY_MS = 5000;

export type InsuredOptions = Readonly<{
  /** Counts of all nodes. */
  shared: Limiters;
  /** Counts of this node, for as long as the others cannot be had. */
  local: Limiters;
  onError: (error: unknown) => void;
  /** A clock in milliseconds that never goes back. */
  now?: () => number;
  patienceMs?: number;
}>;

/**
 * A shared store that cannot fail and is never waited for long: limits are no reason for a registry to stop. The library's own insurance
 * would wait for the driver's time-outs, again for every request, and holds any number of keys.
 */
export const insured = (options: InsuredOptions): Limiters => {
  const { shared, local, onError, now = () => performance.now(), patienceMs = PATIENCE_MS } = options;
  let awayUntil = Number.NEGATIVE_INFINITY;

  return (limits) => {
    const [first, second] = [shared(limits), local(limits)];
    const ask = async <T>(question: (limiter: Limiter) => Promise<T>): Promise<T> => {
      if (now() < awayUntil) return question(second);
      try {
        return await inTime(question(first), patienceMs);
      } catch (error) {
        awayUntil = now() + AWAY_MS;
        onError(error);
        return question(second);
      }
    };
    return {
      spend: (key) => ask((limiter) => limiter.spend(key)),
      knows: (key) => ask((limiter) => limiter.knows(key)),
      giveBack: (key) => ask((limiter) => limiter.giveBack(key)),
      forget: (key) => ask((limiter) => limiter.forget(key)),
    };
  };
};

const inTime = async <T>(answer: Promise<T>, ms: number): Promise<T> => {
  let late: NodeJS.Timeout | undefined;
  const impatience = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(new Error(`No answer in ${ms} ms.`)), ms);
  });
  try {
    return await Promise.race([answer, impatience]);
  } finally {
    clearTimeout(late);
  }
};
