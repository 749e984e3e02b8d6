import { expect } from 'chai';
import { isRefusal } from '../../src/errors.ts';
import { type FailedLoginRates, type FailedLogins, failedLogins } from '../../src/limits/failedLogins.ts';
import type { Limiter, Limiters } from '../../src/limits/limiter.ts';
import { memoryLimiters } from '../../src/limits/memory.ts';

const RATES: FailedLoginRates = { perUserAndAddress: 3, perAddress: 8, perUser: 8, minutes: 15 };
const RIGHT = 'right';
const HOME = '192.0.2.1';
const ELSEWHERE = '198.51.100.7';

type Outcome = 'right' | 'wrong' | 'refused';

/** Counts of several nodes: each has its own limiters, on the same counts. */
const sharedByNodes = (): Limiters => {
  const [make, byName] = [memoryLimiters(), new Map<string, Limiter>()];
  return (options) => {
    const limiter = byName.get(options.name) ?? make(options);
    byName.set(options.name, limiter);
    return limiter;
  };
};

describe('failed logins', () => {
  let logins: FailedLogins;
  let checked: string[];
  let now: number;

  const open = (rates: Partial<FailedLoginRates> = {}): void => {
    logins = failedLogins(memoryLimiters(), { ...RATES, ...rates }, () => now);
  };

  beforeEach(() => {
    [checked, now] = [[], 0];
    open();
  });

  /** A login as it goes: what is known to be locked, then the check. */
  const login = async (username: string, password: string, ip = HOME): Promise<Outcome> => {
    try {
      logins.refuseLocked({ username, ip });
      const matched = await logins.check({ username, ip, password }, async () => {
        checked.push(password);
        return password === RIGHT;
      });
      return matched ? 'right' : 'wrong';
    } catch (error) {
      if (isRefusal(error, 'TOO_MANY_REQUESTS')) return 'refused';
      throw error;
    }
  };

  const guess = async (times: number, username: string, ip = HOME): Promise<readonly Outcome[]> => {
    const outcomes: Outcome[] = [];
    for (let count = 0; count < times; count += 1) outcomes.push(await login(username, `guess ${count} ${ip}`, ip));
    return outcomes;
  };

  it('of a user from an address are refused after so many, without a check', async () => {
    expect(await guess(5, 'ann')).to.deep.equal(['wrong', 'wrong', 'wrong', 'refused', 'refused']);
    expect(checked).to.have.lengthOf(3);
  });

  it('refuse the right password as well then', async () => {
    await guess(3, 'ann');
    expect(await login('ann', RIGHT)).to.equal('refused');
    expect(checked).to.not.include(RIGHT);
  });

  it('tell how long to wait, the same of a user that there is not', async () => {
    const texts = [];
    for (const username of ['ann', 'nobody']) {
      await guess(3, username);
      const error = await logins
        .check({ username, ip: HOME, password: 'x' }, async () => false)
        .catch((thrown: unknown) => thrown);
      texts.push((error as Error).message);
      expect(isRefusal(error, 'TOO_MANY_REQUESTS') && error.detail.retryAfter).to.equal(900);
    }
    expect(texts[0]).to.equal('Too many failed logins. Try again in 900 seconds.').and.to.equal(texts[1]);
  });

  it('are refused at once while the lock is known, and no longer', async () => {
    await guess(4, 'ann');
    const locked = { username: 'ANN', ip: HOME };
    now = 15 * 60_000 - 1;
    expect(() => logins.refuseLocked(locked)).to.throw('Try again in 1 seconds');
    now += 1;
    expect(() => logins.refuseLocked(locked)).to.not.throw();
  });

  it('start from zero when the password was right', async () => {
    for (let round = 0; round < 3; round += 1) {
      expect(await guess(2, 'ann')).to.deep.equal(['wrong', 'wrong']);
      expect(await login('ann', RIGHT)).to.equal('right');
    }
  });

  it('lock nobody out elsewhere, nor others there', async () => {
    await guess(4, 'ann', ELSEWHERE);
    expect(await login('ann', RIGHT, HOME)).to.equal('right');
    expect(await login('bob', RIGHT, ELSEWHERE)).to.equal('right');
  });

  it('count as one however a username is written, and an IPv6 network as one address', async () => {
    await login('ann', 'a', '2001:db8::1');
    await login('Ann', 'b', '2001:db8::2');
    await login('ANN', 'c', '2001:db8::3');
    expect(await login('ann', RIGHT, '2001:db8::4')).to.equal('refused');
  });

  it('from an address are refused after so many, whoever they are of', async () => {
    for (let user = 0; user < 8; user += 1) expect(await login(`user-${user}`, 'wrong')).to.equal('wrong');
    expect(await login('ann', RIGHT)).to.equal('refused');
    expect(await login('ann', RIGHT, ELSEWHERE)).to.equal('right');
  });

  it('of others cannot be hidden behind logins of one’s own', async () => {
    for (let user = 0; user < 8; user += 1) {
      expect(await login('mallory', RIGHT)).to.equal('right');
      expect(await login(`user-${user}`, 'wrong')).to.equal('wrong');
    }
    expect(await login('ann', 'wrong')).to.equal('refused');
  });

  describe('of a user from many addresses', () => {
    const attack = async (): Promise<readonly Outcome[]> => {
      const outcomes: Outcome[] = [];
      for (let bot = 0; bot < 12; bot += 1) outcomes.push(await login('ann', `guess ${bot}`, `203.0.113.${bot}`));
      return outcomes;
    };

    it('are refused after so many', async () => {
      const outcomes = await attack();
      expect(outcomes.filter((one) => one === 'wrong')).to.have.lengthOf(8);
      expect(await login('ann', RIGHT, ELSEWHERE)).to.equal('refused');
    });

    it('do not lock the user out where he has logged in before', async () => {
      expect(await login('ann', RIGHT)).to.equal('right');
      await attack();
      expect(await login('ann', RIGHT)).to.equal('right');
      expect(await login('bob', RIGHT, ELSEWHERE)).to.equal('right');
    });

    it('need a count where the user is not known, be the password remembered or not', async () => {
      expect(await login('ann', RIGHT)).to.equal('right');
      await login('ann', 'wrong', ELSEWHERE);
      expect(logins.needsNoCount({ username: 'ANN', ip: HOME })).to.equal(true);
      for (const stranger of [
        { username: 'ann', ip: ELSEWHERE },
        { username: 'bob', ip: HOME },
      ])
        expect(logins.needsNoCount(stranger)).to.equal(false);
      now = 14 * 24 * 3600 * 1000;
      expect(logins.needsNoCount({ username: 'ann', ip: HOME }), 'after 14 days').to.equal(false);
      open({ perUser: 0 });
      expect(logins.needsNoCount({ username: 'ann', ip: ELSEWHERE }), 'without a limit').to.equal(true);
    });

    it('are refused by every node, also by one that has refused nothing yet', async () => {
      const limiters = sharedByNodes();
      const node = () => failedLogins(limiters, RATES, () => now);
      const [first, second] = [node(), node()];
      logins = second;
      expect(await login('ann', RIGHT)).to.equal('right');
      logins = first;
      await attack();
      logins = second;
      const newcomer = { username: 'ann', ip: ELSEWHERE };
      expect(() => second.refuseLocked(newcomer)).to.not.throw();
      expect(second.needsNoCount(newcomer)).to.equal(false);
      expect(await login('ann', RIGHT, ELSEWHERE)).to.equal('refused');
      expect(second.needsNoCount({ ...newcomer, ip: HOME })).to.equal(true);
    });

    it('lock for five minutes at most', async () => {
      await attack();
      const attempt = { username: 'ann', ip: ELSEWHERE, password: RIGHT };
      const error = await logins.check(attempt, async () => true).catch((thrown: unknown) => thrown);
      expect(isRefusal(error, 'TOO_MANY_REQUESTS') && error.detail.retryAfter).to.be.within(290, 300);
    });
  });

  describe('at the same time', () => {
    it('get no further than so many, too', async () => {
      const outcomes = await Promise.all(Array.from({ length: 50 }, (_, count) => login('ann', `guess ${count}`)));
      expect(outcomes.filter((one) => one === 'wrong')).to.have.lengthOf(3);
      expect(checked).to.have.lengthOf(3);
    });

    it('are one where they are the same: clients send a login for every layer', async () => {
      const outcomes = await Promise.all(Array.from({ length: 50 }, () => login('ann', RIGHT)));
      expect(outcomes.every((one) => one === 'right')).to.equal(true);
      expect(checked).to.have.lengthOf(1);
    });
  });

  it('are not counted where the password could not be checked', async () => {
    const busy = async (): Promise<boolean> => {
      throw new Error('busy');
    };
    for (let count = 0; count < 20; count += 1) {
      const attempt = { username: 'ann', ip: HOME, password: `p${count}` };
      expect(await logins.check(attempt, busy).catch((error: Error) => error.message)).to.equal('busy');
    }
    expect(await login('ann', RIGHT)).to.equal('right');
  });

  it('have no limit where that is 0', async () => {
    open({ perUserAndAddress: 0, perAddress: 0, perUser: 0 });
    expect(await guess(50, 'ann')).to.deep.equal(Array(50).fill('wrong'));
    expect(await login('ann', RIGHT)).to.equal('right');
    for (let count = 0; count < 50; count += 1) await logins.wrongToken(HOME);
  });

  it('with tokens that are none are refused after ten times as many, by their address', async () => {
    for (let count = 0; count < 80; count += 1) await logins.wrongToken(HOME);
    const error = await logins.wrongToken(HOME).catch((thrown: unknown) => thrown);
    expect(isRefusal(error, 'TOO_MANY_REQUESTS')).to.equal(true);
    await logins.wrongToken(ELSEWHERE);
    expect(await login('ann', RIGHT)).to.equal('right');
  });
});
