import { isIPv6 } from 'node:net';

/** What a proxy says of an address may be any text. */
export const LONGEST_ADDRESS = 64;

/** The groups of an IPv6 address up to its half: what stands before `::`, filled up with zeros. */
const network = (address: string): string => {
  const [head = '', tail] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const behind = tail === undefined || tail === '' ? [] : tail.split(':');
  // An IPv4 address at the end stands for two groups.
  const length = behind.length + (behind.at(-1)?.includes('.') ? 1 : 0);
  const zeros = tail === undefined ? 0 : Math.max(8 - before.length - length, 0);
  const groups = [...before, ...Array<string>(zeros).fill('0'), ...behind];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
};

/**
 * Under what an address is counted: itself, or the /64 that an IPv6 address is in, because whoever has one address has all of those.
 * IPv4 in IPv6's clothes is counted as what it is.
 */
export const addressKey = (ip: string): string => {
  const plain = ip.replace(/%.*$/, '');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1];
  if (mapped !== undefined) return mapped;
  return isIPv6(plain) ? `${network(plain)}::/64` : plain.slice(0, LONGEST_ADDRESS);
};
