import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Limiters } from './limiter.ts';

/** Most keys of a limiter, some 200 bytes each. */
const MOST_KEYS = 50_000;

/**
 * Counts of this process alone, gone with it. The library forgets a key when its window ends, and holds as many as come until then: so
 * beyond `mostKeys` the one that has been quiet for longest is forgotten before its time.
 */
export const memoryLimiters =
  (mostKeys: number = MOST_KEYS): Limiters =>
  ({ most, windowSeconds, lockSeconds = 0 }) => {
    const limiter = new RateLimiterMemory({ keyPrefix: '', points: most, duration: windowSeconds, blockDuration: lockSeconds });
    const keys = new LRUCache<string, true>({
      max: mostKeys,
      dispose: (_, key, reason) => {
        if (reason === 'evict') void limiter.delete(key);
      },
    });
    return {
      spend: async (key) => {
        keys.set(key, true);
        const [allowed, { remainingPoints, msBeforeNext }] = await outcomeOf(limiter.consume(key));
        return { allowed, remaining: remainingPoints, endsInMs: msBeforeNext };
      },
      knows: async (key) => (await limiter.get(key)) !== null,
      giveBack: async (key) => {
        if (keys.has(key)) await limiter.reward(key);
      },
      forget: async (key) => {
        keys.delete(key);
        await limiter.delete(key);
      },
    };
  };

/** The library throws what it refuses. */
const outcomeOf = async (consuming: Promise<RateLimiterRes>): Promise<readonly [allowed: boolean, RateLimiterRes]> => {
  try {
    return [true, await consuming];
  } catch (refused) {
    if (refused instanceof RateLimiterRes) return [false, refused];
    throw refused;
  }
};
