// A password that a node remembers costs no check. It must not be let in from a new address for that while the user is locked for new
// addresses: a guesser with many would be told the right guess (200) from the wrong ones (429).
import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { ADMIN, PASSWORD } from '../../support/registryProcess.ts';
import { DOORS } from './given.ts';

describe('whoever guesses one password from many places, while its owner is active', () => {
  const registry = registryFor({
    GHOSTDOCK_TRUSTED_PROXIES: 'loopback',
    GHOSTDOCK_FAILED_LOGINS: '3',
    GHOSTDOCK_FAILED_LOGINS_PER_ADDRESS: '20',
    GHOSTDOCK_FAILED_LOGINS_PER_USER: '10',
  });

  it('is locked out for the right guess as for the wrong ones', async () => {
    const [door] = DOORS as [(typeof DOORS)[number]];
    const knock = async (password: string, ip: string): Promise<number> =>
      (await door.knock(registry(), ADMIN, password, { 'x-forwarded-for': ip })).status;
    expect(await knock(PASSWORD, '192.0.2.1')).to.equal(200);
    for (let count = 0; count < 30; count += 1) await knock(`wrong ${count}`, `198.18.${count}.1`);
    expect(await knock('wrong again', '198.51.100.7')).to.equal(429);
    expect(await knock(PASSWORD, '198.51.100.8')).to.equal(429);
  });
});
