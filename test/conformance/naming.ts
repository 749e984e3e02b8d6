import { basic } from './login.ts';
import type { Names } from './row.ts';
import type { Target } from './runner.ts';

/** Names are at most 255 characters long. */
const padded = (repository: string, length: number): string => {
  const base = `${repository}/`;
  return base + 'x'.repeat(length - base.length);
};

let rowsRun = 0;

/** What every row may use: repositories of its own, and what is known of the registry. */
export const namesFor = ({ prefix, challenge, wire, account }: Target): Names => {
  rowsRun += 1;
  const repo = `${prefix}/r${String(rowsRun).padStart(4, '0')}`; // so that none is the beginning of another
  return {
    prefix,
    repo,
    other: `${repo}-other`,
    third: `${repo}-third`,
    name255: padded(repo, 255),
    name256: padded(repo, 256),
    base: wire.base.href,
    host: wire.base.host,
    ...(challenge.kind === 'bearer' && { realm: challenge.realm, service: challenge.service }),
    ...(account !== undefined && { username: account.username, password: account.password, basic: basic(account) }),
  };
};
