import { spawnSync } from 'node:child_process';

/** The first of them, because `requests` may have been installed for only one: that of the system's packages. */
const PYTHONS = ['python3', '/usr/bin/python3'];

const hasRequests = (python: string): boolean => spawnSync(python, ['-c', 'import requests'], { timeout: 20_000 }).status === 0;

let found: string | undefined | null = null;

/** A Python with the `requests` library. Undefined where there is none. */
export const pythonWithRequests = (): string | undefined => {
  if (found === null) found = PYTHONS.find(hasRequests);
  return found;
};
