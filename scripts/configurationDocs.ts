import { readFileSync, writeFileSync } from 'node:fs';
import { SETTINGS } from '../src/settings.ts';

// Writes the table in docs/configuration.md from the settings: `node scripts/configurationDocs.ts`. A spec fails while it is out of date.

export const CONFIGURATION_DOCS = new URL('../docs/configuration.md', import.meta.url);

const BEGIN = '<!-- settings: begin (written by `node scripts/configurationDocs.ts`) -->';
const END = '<!-- settings: end -->';

type Name = keyof typeof SETTINGS;
type Shape = Readonly<{
  type?: string;
  enum?: readonly string[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
}>;

/** What a pattern allows, in words. */
const PATTERNS: Readonly<Partial<Record<Name, string>>> = {
  GHOSTDOCK_PUBLIC_URL: '`http://` or `https://`, a host, perhaps a port, perhaps a path without a slash at its end',
  GHOSTDOCK_EVENT_LOG: '`embedded`, or `esdb://` or `esdb+discover://` and what follows',
  GHOSTDOCK_VIEWS: '`embedded`, or `mongodb://` or `mongodb+srv://` and what follows',
  GHOSTDOCK_RETAIN_UNTAGGED: '0 to 99999, or `forever`',
  GHOSTDOCK_SECRET_KEY: '44 characters of base64',
  GHOSTDOCK_STREAM_PREFIX: '1 to 64 lower-case letters, digits, `_` or `-`, beginning with a letter or digit',
};

const MIB = 1024 * 1024;
const UNBOUNDED = Number.MAX_SAFE_INTEGER;

const bytes = (count: number): string => (count % MIB === 0 ? `${count / MIB} MiB` : `${count / 1024} KiB`);

/** Sizes beside their number in a unit that one can read. */
const shown = (name: Name, value: number): string =>
  name.startsWith('GHOSTDOCK_LARGEST_') && value > 0 ? `${value} (${bytes(value)})` : String(value);

const allowed = (name: Name, { enum: values, pattern, minimum, maximum, minLength, maxLength }: Shape): string => {
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(', ');
  if (minimum !== undefined && maximum !== undefined)
    return `${shown(name, minimum)} ${maximum === UNBOUNDED ? 'or more' : `to ${shown(name, maximum)}`}`;
  if (maxLength !== undefined) return `${minLength ?? 0} to ${maxLength} characters`;
  if (pattern === undefined) return 'any text';
  const words = PATTERNS[name];
  if (words === undefined) throw new Error(`${name} has a pattern, and no words for it.`);
  return words;
};

const fallbackOf = (name: Name): string => {
  const setting = SETTINGS[name];
  if (!('fallback' in setting) || setting.fallback === undefined) return '';
  return setting.kind === 'integer' ? shown(name, Number(setting.fallback)) : `\`${setting.fallback}\``;
};

const row = (name: Name): string =>
  `| \`${name}\` | ${fallbackOf(name)} | ${allowed(name, SETTINGS[name].schema)} | ${SETTINGS[name].meaning} |`;

/** The table of all settings. */
const tableOfSettings = (): string =>
  ['| name | default | allowed | meaning |', '| --- | --- | --- | --- |', ...(Object.keys(SETTINGS) as Name[]).map(row)].join(
    '\n',
  );

/** The page with the table as it must be. @throws when the page has lost its markers */
export const docsOfConfiguration = (page: string): string => {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) throw new Error('The page of the configuration has no markers for its table.');
  return `${page.slice(0, begin + BEGIN.length)}\n${tableOfSettings()}\n${page.slice(end)}`;
};

if (import.meta.main) writeFileSync(CONFIGURATION_DOCS, docsOfConfiguration(readFileSync(CONFIGURATION_DOCS, 'utf8')));
