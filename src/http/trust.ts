import { BlockList, isIP } from 'node:net';

type Network = readonly [address: string, bits: number];

/** Names for what never comes over the internet. */
const NAMED: Readonly<Record<string, readonly Network[]>> = {
  loopback: [
    ['127.0.0.0', 8],
    ['::1', 128],
  ],
  linklocal: [
    ['169.254.0.0', 16],
    ['fe80::', 10],
  ],
  uniquelocal: [
    ['10.0.0.0', 8],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16],
    ['fc00::', 7],
  ],
};

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 4 ? 'ipv4' : 'ipv6');

const networksOf = (entry: string): readonly Network[] => {
  const [address = '', bits] = entry.split('/');
  return NAMED[entry] ?? [[address, bits === undefined ? (familyOf(address) === 'ipv4' ? 32 : 128) : Number(bits)]];
};

/** Whether an address is that of a trusted proxy. */
export type Trust = (address: string | undefined) => boolean;

/** @param proxies addresses, networks and names of some, as the configuration has checked them */
export const trustIn = (proxies: readonly string[]): Trust => {
  const list = new BlockList();
  for (const [address, bits] of proxies.flatMap(networksOf)) list.addSubnet(address, bits, familyOf(address));
  return (address) => {
    // What other proxies say of addresses before them may be any text, and of link-local ones have a zone.
    const plain = (address ?? '').replace(/%.*$/, '');
    return isIP(plain) !== 0 && list.check(plain, familyOf(plain));
  };
};
