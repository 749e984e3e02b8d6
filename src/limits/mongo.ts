import type { Db } from 'mongodb';
import { RateLimiterMongo, RateLimiterRes } from 'rate-limiter-flexible';
import type { Limiter, Limiters } from './limiter.ts';

const COLLECTION = 'limits';

/**
 * Counts that all nodes share, in one collection, which the server clears of what has ended. Every operation fails when the server does
 * not answer: `insured` sees to that.
 */
export const mongoLimiters = (db: Db): Limiters => {
  // Counts need not outlive a failover, and are not worth a wait for the disks of a majority.
  const collection = (name: string) => db.collection(name, { writeConcern: { w: 1 }, readConcern: { level: 'local' } });
  let indexed: Promise<void> | undefined;

  return ({ name, most, windowSeconds, lockSeconds = 0 }) => {
    const limiter = new RateLimiterMongo({
      storeClient: { collection },
      tableName: COLLECTION,
      keyPrefix: name,
      points: most,
      duration: windowSeconds,
      blockDuration: lockSeconds,
      disableIndexesCreation: true, // The library would only print that it failed, and not try again.
    });

    const ready = (): Promise<void> => {
      indexed ??= limiter.createIndexes().catch((error: unknown) => {
        indexed = undefined;
        throw error;
      });
      return indexed;
    };

    const spend: Limiter['spend'] = async (key) => {
      await ready();
      try {
        const { remainingPoints, msBeforeNext } = await limiter.consume(key);
        return { allowed: true, remaining: remainingPoints, endsInMs: msBeforeNext };
      } catch (refused) {
        if (!(refused instanceof RateLimiterRes)) throw refused;
        return { allowed: false, remaining: 0, endsInMs: refused.msBeforeNext };
      }
    };

    return {
      spend,
      knows: async (key) => (await limiter.get(key)) !== null,
      giveBack: async (key) => {
        await ready();
        await limiter.reward(key);
      },
      forget: async (key) => {
        await limiter.delete(key);
      },
    };
  };
};
