import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { type Answer, basic, bearer, expectStatus } from '../../support/http.ts';
import { ADMIN, PASSWORD } from '../../support/registryProcess.ts';
import { DOORS, hashesDuring, json } from './given.ts';

const ALLOWED = 3;
const [HOME, ELSEWHERE] = ['192.0.2.1', '198.51.100.7'];
const PROXIED = { GHOSTDOCK_TRUSTED_PROXIES: 'loopback' };
const STRICT = { GHOSTDOCK_FAILED_LOGINS: String(ALLOWED), GHOSTDOCK_FAILED_LOGINS_PER_ADDRESS: '20' };

const guess = (count: number): string => `a wrong guess, number ${count}`;
const from = (ip: string) => ({ 'x-forwarded-for': ip });

describe('whoever guesses passwords', () => {
  const registry = registryFor({ ...PROXIED, ...STRICT });
  let address = 0;
  let ip: string;
  beforeEach(() => {
    address += 1;
    ip = `203.0.113.${address}`;
  });
  const [first] = DOORS;
  const knock = (username: string, password: string, at = ip, door = first): Promise<Answer> =>
    (door as (typeof DOORS)[number]).knock(registry(), username, password, from(at));
  const guesses = async (count: number, username: string, at = ip): Promise<void> => {
    for (let tried = 0; tried < count; tried += 1) await knock(username, guess(tried), at);
  };

  it('gets no further by the way in which the name is written', async () => {
    const ways = [ADMIN, 'ADMIN', 'aDmIn'];
    for (const [count, name] of ways.entries()) expect((await knock(name, guess(count))).status, name).to.equal(401);
    for (const name of [...ways, 'Admin']) expect((await knock(name, PASSWORD)).status, name).to.equal(429);
  });

  it('finds nobody under names that only look alike', async () => {
    for (const name of [
      ` ${ADMIN}`,
      `${ADMIN} `,
      `${ADMIN}\u200b`,
      '\uff41\uff44\uff4d\uff49\uff4e',
      'adm\u0131n',
      '\u0430dmin',
      `${ADMIN}/`,
      `${ADMIN}%00`,
    ])
      for (const door of DOORS) expect((await knock(name, PASSWORD, '203.0.113.200', door)).status, name).to.be.oneOf([401, 429]);
    for (const door of DOORS.slice(3, 5))
      for (const name of [`${ADMIN}\u0000`, `${ADMIN}\n`, '\u0000'])
        expect((await knock(name, PASSWORD, '203.0.113.201', door)).status, name).to.be.oneOf([401, 429]);
  });

  it('is counted once for a letter that only becomes one of the name’s in lower case', async () => {
    await registry().register('kate');
    const [plain, kelvin] = ['kate', '\u212aate'];
    for (const [count, name] of [plain, kelvin, kelvin].entries()) expect((await knock(name, guess(count))).status).to.equal(401);
    for (const name of [plain, kelvin]) expect((await knock(name, PASSWORD)).status, name).to.equal(429);
  });

  it('has no more guesses at once than one after the other', async () => {
    let statuses: readonly number[] = [];
    const hashes = await hashesDuring(async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, (_, count) => knock(ADMIN, guess(count))));
      statuses = answers.map(({ status }) => status);
    });
    expect(hashes).to.equal(ALLOWED);
    expect(statuses.filter((status) => status === 401)).to.have.length(ALLOWED);
    expect(statuses.filter((status) => status === 429)).to.have.length(40 - ALLOWED);
  });

  it('costs no hash while locked out, be the password right or wrong', async () => {
    await guesses(ALLOWED, ADMIN);
    expect(
      await hashesDuring(async () => {
        for (const door of DOORS) for (const word of [PASSWORD, 'wrong']) await knock(ADMIN, word, ip, door);
      }),
    ).to.equal(0);
  });

  it('cannot tell the right password while locked out, not by a word', async () => {
    await guesses(ALLOWED, ADMIN);
    const told = async (password: string) => {
      const { status, body, headers } = await knock(ADMIN, password);
      return [status, body.toString().replace(/\d+/g, 'N'), Object.keys(headers)];
    };
    expect(await told(PASSWORD)).to.deep.equal(await told('wrong'));
  });

  it('has as few guesses with a session at the change of the password', async () => {
    await registry().register('ann');
    const session = registry().admin.as(await bearer(registry().admin, basic('ann', PASSWORD), ''));
    const login = await registry().anonymous.send('POST', '/auth', json({ username: 'ann', password: PASSWORD }, from(ip)));
    const ann = session.as(`Bearer ${JSON.parse(expectStatus('login', login, 200).body.toString()).token}`);
    const change = (current: string): Promise<Answer> =>
      ann.send(
        'POST',
        '/api/v1/users/me/password',
        json({ current_password: current, new_password: 'quite another passphrase' }, from(ip)),
      );
    for (let count = 0; count < ALLOWED; count += 1) expect((await change(guess(count))).status).to.equal(403);
    expect((await change(PASSWORD)).status).to.equal(429);
    expect((await knock('ann', PASSWORD)).status, 'the same limit').to.equal(429);
  });

  it('has all addresses of an IPv6 network for one', async () => {
    for (const [count, host] of ['2001:db8:1:1::1', '2001:db8:1:1::2', '2001:db8:1:1:ffff::3'].entries())
      expect((await knock(ADMIN, guess(count), host)).status).to.equal(401);
    expect((await knock(ADMIN, PASSWORD, '2001:db8:1:1:1:2:3:4')).status).to.equal(429);
    expect((await knock(ADMIN, PASSWORD, '2001:db8:1:2::1')).status, 'the next network').to.equal(200);
    for (const [count, host] of ['198.51.100.9', '::ffff:198.51.100.9', '::ffff:198.51.100.9'].entries())
      expect((await knock(ADMIN, guess(count), host)).status).to.equal(401);
    expect((await knock(ADMIN, PASSWORD, '198.51.100.9')).status, 'IPv4 in two dresses').to.equal(429);
  });

  it('tries no more users than an address may, one guess each', async () => {
    const statuses = [];
    for (let count = 0; count < 25; count += 1) statuses.push((await knock(`user-${count}`, guess(0))).status);
    expect(statuses.indexOf(429)).to.equal(20);
    expect((await knock(ADMIN, PASSWORD)).status).to.equal(429);
  });
});

describe('whoever guesses one password from many places', () => {
  const registry = registryFor({ ...PROXIED, ...STRICT, GHOSTDOCK_FAILED_LOGINS_PER_USER: '10' });

  it('locks the user out of new places alone, and for no longer than minutes', async () => {
    const [door] = DOORS as [(typeof DOORS)[number]];
    const knock = (password: string, ip: string): Promise<Answer> => door.knock(registry(), 'ann', password, from(ip));
    await registry().register('ann');
    expect((await knock(PASSWORD, HOME)).status).to.equal(200);
    // One that no node remembers.
    const changed = 'quite another passphrase';
    await registry().changePassword('ann', changed);
    for (let count = 0; count < 30; count += 1) await knock(guess(0), `198.18.${count}.1`);
    const elsewhere = await knock(changed, ELSEWHERE);
    expect(elsewhere.status).to.equal(429);
    expect(Number(elsewhere.headers['retry-after'])).to.be.within(1, 300);
    expect((await knock(changed, HOME)).status).to.equal(200);
  });
});

describe('whoever guesses passwords from one place', () => {
  // Nobody is trusted: what a client says of its address is its own affair.
  const registry = registryFor(STRICT);

  it('cannot say that it comes from another', async () => {
    const [door] = DOORS as [(typeof DOORS)[number]];
    for (const [count, headers] of [
      { 'x-forwarded-for': HOME },
      { 'x-forwarded-for': `${ELSEWHERE}, 127.0.0.1`, forwarded: 'for=192.0.2.60' },
      { 'x-real-ip': ELSEWHERE, 'x-client-ip': ELSEWHERE, 'cf-connecting-ip': ELSEWHERE, 'true-client-ip': ELSEWHERE },
    ].entries())
      expect((await door.knock(registry(), ADMIN, guess(count), headers)).status).to.equal(401);
    expect((await door.knock(registry(), ADMIN, PASSWORD, { 'x-forwarded-for': '203.0.113.77' })).status).to.equal(429);
  });
});

describe('whoever guesses passwords through a proxy', () => {
  const registry = registryFor({ ...PROXIED, ...STRICT });

  it('is known by the last address that no proxy of ours has', async () => {
    const [door] = DOORS as [(typeof DOORS)[number]];
    for (let count = 0; count < ALLOWED; count += 1)
      await door.knock(registry(), ADMIN, guess(count), from(`192.0.2.${count}, ${ELSEWHERE}`));
    expect((await door.knock(registry(), ADMIN, PASSWORD, from(`192.0.2.99, ${ELSEWHERE}`))).status).to.equal(429);
    expect((await door.knock(registry(), ADMIN, PASSWORD, from(`${ELSEWHERE}, ${HOME}`))).status).to.equal(200);
  });
});
