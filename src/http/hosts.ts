import { isIPv4 } from 'node:net';

/** The name or address in a `Host` header, without its port; undefined where it is none. */
export const hostOf = (header: string): string | undefined => {
  if (!/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(header) || !URL.canParse(`http://${header}`))
    return undefined;
  return new URL(`http://${header}`).hostname;
};

/** Names and addresses that lead nowhere but to this machine. */
export const isLoopbackHost = (host: string): boolean =>
  host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
