import { readFileSync } from 'node:fs';

/** This release, from package.json. */
export const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Readonly<{
  version: string;
}>;
