import { expect } from 'chai';
import { insured } from '../../src/limits/insured.ts';
import type { Limiter, Limiters } from '../../src/limits/limiter.ts';
import { memoryLimiters } from '../../src/limits/memory.ts';

const HOUR = { name: 'api', most: 2, windowSeconds: 3600 };

describe('limits whose shared store is away', () => {
  let now: number;
  let errors: unknown[];
  let asked: number;
  let state: 'there' | 'failing' | 'silent';

  /** A store that others share, in a state of the test's. */
  const shared: Limiters = (options) => {
    const limiter = memoryLimiters()(options);
    const through = <T>(question: () => Promise<T>): Promise<T> => {
      asked += 1;
      if (state === 'there') return question();
      return state === 'failing' ? Promise.reject(new Error('away')) : new Promise(() => undefined);
    };
    return {
      spend: (key) => through(() => limiter.spend(key)),
      knows: (key) => through(() => limiter.knows(key)),
      giveBack: (key) => through(() => limiter.giveBack(key)),
      forget: (key) => through(() => limiter.forget(key)),
    };
  };

  const open = (): Limiter =>
    insured({ shared, local: memoryLimiters(), onError: (error) => errors.push(error), now: () => now, patienceMs: 5 })(HOUR);

  beforeEach(() => {
    [now, errors, asked, state] = [0, [], 0, 'there'];
  });

  it('are counted by the node itself, which neither fails nor asks again for a while', async () => {
    const limiter = open();
    state = 'failing';
    for (const allowed of [true, true, false]) expect(await limiter.spend('ann')).to.include({ allowed });
    expect(asked).to.equal(1);
    expect(errors).to.have.lengthOf(1);
  });

  it('are not waited for', async () => {
    const limiter = open();
    state = 'silent';
    expect(await limiter.spend('ann')).to.include({ allowed: true });
    expect(await limiter.knows('ann')).to.equal(true);
    await limiter.giveBack('ann');
    await limiter.forget('ann');
    expect(asked).to.equal(1);
  });

  it('are shared again as soon as it is back', async () => {
    const limiter = open();
    state = 'failing';
    await limiter.spend('ann');
    state = 'there';
    now = 4999;
    await limiter.spend('ann');
    expect(asked).to.equal(1);
    now = 5000;
    expect(await limiter.spend('ann')).to.include({ allowed: true, remaining: 1 });
    expect(asked).to.equal(2);
  });
});
