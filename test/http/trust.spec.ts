import { expect } from 'chai';
import fc from 'fast-check';
import { trustIn } from '../../src/http/trust.ts';

describe('a trusted proxy', () => {
  const rows: readonly (readonly [proxies: readonly string[], yes: readonly string[], no: readonly string[]])[] = [
    [[], [], ['127.0.0.1', '::1', '10.0.0.1']],
    [['192.0.2.7'], ['192.0.2.7', '::ffff:192.0.2.7'], ['192.0.2.8', '192.0.2.70', '::192.0.2.7']],
    [['10.0.0.0/8'], ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3'], ['9.255.255.255', '11.0.0.0', '::a00:1']],
    [['10.1.2.3/8'], ['10.200.0.1'], ['11.1.2.3']],
    [['0.0.0.0/0'], ['192.0.2.7', '127.0.0.1'], ['2001:db8::1']],
    [
      ['2001:db8::/32', '::1'],
      ['2001:db8:ffff::1', '::1', '2001:DB8::1'],
      ['2001:db9::1', '::2', '192.0.2.7'],
    ],
    [['loopback'], ['127.0.0.1', '127.255.0.1', '::1', '::ffff:127.0.0.1'], ['128.0.0.1', '::2', '10.0.0.1']],
    [['linklocal'], ['169.254.1.1', 'fe80::1', 'fe80::1%eth0', 'febf::1'], ['169.255.0.1', 'fec0::1']],
    [
      ['uniquelocal'],
      ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.9.9', 'fc00::1', 'fd12::1'],
      ['172.15.0.1', '172.32.0.1', '192.169.0.1', 'fe00::1', '127.0.0.1'],
    ],
    [['loopback', '192.0.2.0/24'], ['127.0.0.1', '192.0.2.200'], ['192.0.3.1']],
  ];
  for (const [proxies, yes, no] of rows)
    it(`is one of ${proxies.join(', ') || 'none'}`, () => {
      const trusts = trustIn(proxies);
      for (const address of yes) expect(trusts(address), address).to.equal(true);
      for (const address of no) expect(trusts(address), address).to.equal(false);
    });

  it('is nobody whose address is none, whatever is trusted', () => {
    const trusts = trustIn(['0.0.0.0/0', '::/0']);
    for (const address of [
      undefined,
      '',
      'unknown',
      '_hidden',
      '127.0.0.1:80',
      '[::1]',
      '10.0.0.1, 10.0.0.2',
      ' 127.0.0.1',
      '%',
      '1%',
    ])
      expect(trusts(address), String(address)).to.equal(false);
    fc.assert(fc.property(fc.string(), (text) => void trusts(text)));
  });
});
