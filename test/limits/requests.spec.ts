import { expect } from 'chai';
import type { Limiters } from '../../src/limits/limiter.ts';
import { memoryLimiters } from '../../src/limits/memory.ts';
import { type RequestRates, requestLimit, type Standing } from '../../src/limits/requests.ts';

const standings = async (rates: RequestRates, requests: number): Promise<readonly Standing[]> => {
  const limit = requestLimit(memoryLimiters(), 'api', rates);
  const all: Standing[] = [];
  for (let count = 0; count < requests; count += 1) if (limit !== undefined) all.push(await limit('ann'));
  return all;
};

const MINUTE_MS = 60_000;
const ofHour = ({ endsInMs }: Standing): boolean => endsInMs > MINUTE_MS;

describe('a limit of requests', () => {
  it('tells of the hour while neither is used up', async () => {
    const all = await standings({ perHour: 10, perMinute: 5 }, 4);
    expect(all.map(({ limit, remaining }) => [limit, remaining])).to.deep.equal([9, 8, 7, 6].map((left) => [10, left]));
    expect(all.every(ofHour)).to.equal(true);
  });

  it('tells that nothing is left in the minute when the burst is used up, and refuses what comes then', async () => {
    const [, last, over] = await standings({ perHour: 10, perMinute: 2 }, 3);
    expect(last).to.include({ limit: 10, remaining: 0 }).and.not.have.property('retryAfter');
    expect(last?.endsInMs).to.be.at.most(MINUTE_MS);
    expect(over).to.include({ limit: 10, remaining: 0 });
    expect(over?.retryAfter).to.be.within(50, 60);
  });

  it('does not count for the hour what the burst refuses', async () => {
    const counted: string[] = [];
    const recording: Limiters = (options) => {
      const limiter = memoryLimiters()(options);
      const spend = (key: string) => {
        counted.push(options.name);
        return limiter.spend(key);
      };
      return { ...limiter, spend };
    };
    const limit = requestLimit(recording, 'api', { perHour: 30, perMinute: 2 });
    for (let count = 0; count < 20; count += 1) await limit?.('ann');
    expect(counted.filter((name) => name === 'api-minute')).to.have.lengthOf(20);
    expect(counted.filter((name) => name === 'api-hour')).to.have.lengthOf(2);
  });

  it('tells of the hour when that is used up as well', async () => {
    const all = await standings({ perHour: 2, perMinute: 2 }, 3);
    expect(all.map(({ remaining }) => remaining)).to.deep.equal([1, 0, 0]);
    const [, , over] = await standings({ perHour: 2, perMinute: 5 }, 3);
    expect(over?.retryAfter).to.be.within(3500, 3600);
  });

  it('is that of the minute where the hour has none', async () => {
    const [first, , over] = await standings({ perHour: 0, perMinute: 2 }, 3);
    expect(first).to.include({ limit: 2, remaining: 1 });
    expect(over?.retryAfter).to.be.within(50, 60);
  });

  it('is none where both are off', () => {
    expect(requestLimit(memoryLimiters(), 'api', { perHour: 0, perMinute: 0 })).to.equal(undefined);
    expect(requestLimit(memoryLimiters(), 'api', { perHour: 0 })).to.equal(undefined);
  });
});
