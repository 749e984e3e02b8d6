import { expect } from 'chai';
import { addressKey } from '../../src/limits/address.ts';

const KEYS: readonly (readonly [ip: string, key: string, why: string])[] = [
  ['192.0.2.7', '192.0.2.7', 'IPv4 by itself'],
  ['::ffff:192.0.2.7', '192.0.2.7', 'IPv4 that came to an IPv6 socket'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', 'IPv6 by its network'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64', 'a network of zeros behind'],
  ['2001:0DB8:0001:0002:ffff::1', '2001:db8:1:2::/64', 'the same network, written otherwise'],
  ['2001:db8::1', '2001:db8:0:0::/64', 'zeros that are left out'],
  ['2001:db8::5:6:7:8:9', '2001:db8:0:5::/64', 'zeros left out in the middle'],
  ['::1', '0:0:0:0::/64', 'the loopback address'],
  ['64:ff9b::192.0.2.33', '64:ff9b:0:0::/64', 'an IPv4 address at the end'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64', 'an address with a zone'],
  ['', '', 'none'],
  ['unknown', 'unknown', 'what a proxy says that does not know'],
  ['x'.repeat(9000), 'x'.repeat(64), 'the beginning of any text'],
];

describe('what an address is counted under', () => {
  for (const [ip, key, why] of KEYS)
    it(`is ${key || 'nothing'} for ${ip || 'nothing'}: ${why}`, () => expect(addressKey(ip)).to.equal(key));
});
