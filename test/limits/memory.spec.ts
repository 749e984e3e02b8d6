import { expect } from 'chai';
import { memoryLimiters } from '../../src/limits/memory.ts';
import { limitersContract } from './limiters.contract.ts';

limitersContract('the memory of a process', () => memoryLimiters());

describe('limits on the memory of a process', () => {
  it('forget the keys that were quiet for longest, where there are too many', async () => {
    const limiter = memoryLimiters(100)({ name: 'a', most: 1, windowSeconds: 3600 });
    await limiter.spend('busy');
    for (let key = 0; key < 1000; key += 1) {
      await limiter.spend(`quiet-${key}`);
      await limiter.spend('busy');
    }
    expect((await limiter.spend('busy')).allowed).to.equal(false);
    const known = await Promise.all(Array.from({ length: 1000 }, (_, key) => limiter.knows(`quiet-${key}`)));
    expect(known.filter((one) => one)).to.have.lengthOf(99);
  });

  it('hold nothing of what is over', async () => {
    const limiter = memoryLimiters()({ name: 'a', most: 1, windowSeconds: 3600 });
    await limiter.spend('ann');
    await limiter.forget('ann');
    await limiter.giveBack('ann');
    expect(await limiter.knows('ann')).to.equal(false);
  });
});
