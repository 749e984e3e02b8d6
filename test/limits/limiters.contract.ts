import { expect } from 'chai';
import type { Limiters } from '../../src/limits/limiter.ts';
import { waitUntil } from '../support/processes.ts';

/** What every store of counts owes. @param open a store with counts of its own, or with those of an earlier one under its name */
export const limitersContract = (name: string, open: () => Limiters | Promise<Limiters>): void => {
  describe(`limits on ${name}`, () => {
    const HOUR = { windowSeconds: 3600 };

    it('allow as many as they say, and then none', async () => {
      const limiter = (await open())({ name: 'a', most: 3, ...HOUR });
      const spent = [];
      for (let count = 0; count < 5; count += 1) spent.push(await limiter.spend('ann'));
      expect(spent.map(({ allowed }) => allowed)).to.deep.equal([true, true, true, false, false]);
      expect(spent.map(({ remaining }) => remaining)).to.deep.equal([2, 1, 0, 0, 0]);
      for (const { endsInMs } of spent) expect(endsInMs).to.be.within(3_500_000, 3_600_000);
    });

    it('allow no more when all come at once', async () => {
      const limiter = (await open())({ name: 'b', most: 10, ...HOUR });
      const spent = await Promise.all(Array.from({ length: 40 }, () => limiter.spend('ann')));
      // A server that answers with what others have counted meanwhile (mongo-java-server) may refuse one too many, and never too few.
      expect(spent.filter(({ allowed }) => allowed).length).to.be.within(1, 10);
      expect((await limiter.spend('ann')).allowed).to.equal(false);
    });

    it('count each key, and each limit, by itself', async () => {
      const limiters = await open();
      const [one, other] = [limiters({ name: 'c', most: 1, ...HOUR }), limiters({ name: 'd', most: 1, ...HOUR })];
      await one.spend('ann');
      expect((await one.spend('ann')).allowed).to.equal(false);
      expect((await one.spend('bob')).allowed).to.equal(true);
      expect((await other.spend('ann')).allowed).to.equal(true);
    });

    it('lock a key for a time of its own, which further tries do not prolong', async () => {
      const limiter = (await open())({ name: 'e', most: 1, windowSeconds: 3600, lockSeconds: 60 });
      await limiter.spend('ann');
      for (const _ of [1, 2, 3]) {
        const { allowed, endsInMs } = await limiter.spend('ann');
        expect(allowed).to.equal(false);
        expect(endsInMs).to.be.within(50_000, 60_000);
      }
    });

    it('begin anew when the window is over', async () => {
      const limiter = (await open())({ name: 'f', most: 1, windowSeconds: 1 });
      expect((await limiter.spend('ann')).allowed).to.equal(true);
      expect((await limiter.spend('ann')).allowed).to.equal(false);
      await waitUntil('the window is over', async () => (await limiter.spend('ann')).allowed);
    });

    it('take a count back, and forget a key', async () => {
      const limiter = (await open())({ name: 'g', most: 2, ...HOUR });
      await limiter.spend('ann');
      await limiter.giveBack('ann');
      expect((await limiter.spend('ann')).remaining).to.equal(1);
      await limiter.forget('ann');
      expect((await limiter.spend('ann')).remaining).to.equal(1);
    });

    it('know whether anything is counted for a key', async () => {
      const limiter = (await open())({ name: 'h', most: 1, ...HOUR });
      expect(await limiter.knows('ann')).to.equal(false);
      await limiter.spend('ann');
      expect(await limiter.knows('ann')).to.equal(true);
      await limiter.forget('ann');
      expect(await limiter.knows('ann')).to.equal(false);
    });
  });
};
