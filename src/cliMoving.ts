import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { type Config, readConfig } from './config.ts';
import { catalogue } from './events/catalogue.ts';
import type { EventLog } from './events/log/log.ts';
import { numberOf } from './events/log/sqliteEncoding.ts';
import { refused } from './moving/cannotMove.ts';
import { copy } from './moving/copy.ts';
import { exportFile, writeLines } from './moving/exportFile.ts';
import { linesIn } from './moving/exportLog.ts';
import type { Fingerprint } from './moving/moved.ts';
import { type OnProgress, tellProgress } from './moving/progress.ts';
import { readExport } from './moving/readExport.ts';
import { exportSecrets, importSecrets } from './moving/secretsFile.ts';
import type { Secrets } from './secrets/secrets.ts';
import { lockFolder } from './sqliteLock.ts';
import { keyOf, logPlaceOf, openLog, openMongo, openSecrets, secretsPlaceOf } from './stores.ts';
import { UsageError } from './usageError.ts';
import { version } from './version.ts';

export const MOVING_USAGE = `  export FILE           Writes the event log to a file, or to standard output for "-". With --resume it goes on with a file that
                        broke off.
  import FILE           Appends an exported log to an empty log, or goes on where an earlier attempt stopped.
  export-secrets FILE   Writes the secrets, without which sealed events cannot be read, wrapped with the key-encryption key.
  import-secrets FILE   Puts them into the store of this registry, which has to have the same key.`;

/** How a verb is told to stop, and how it tells how far it is. */
export type Surroundings = Readonly<{ signal: AbortSignal; print: (text: string) => void }>;

export type Verb = (args: string[], surroundings: Surroundings) => Promise<string>;

export const counted = (count: number, noun: string): string =>
  `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;

export const sumOf = ({ events, sha256 }: Fingerprint): string => `${counted(events, 'event')}, SHA-256 ${sha256}`;

export const telling = (): OnProgress =>
  tellProgress({ write: (text) => void process.stderr.write(text), isTerminal: process.stderr.isTTY === true });

const fileOf = (args: string[], options: Readonly<Record<string, { type: 'boolean' }>> = {}) => {
  const { positionals, values } = parseArgs({ args, allowPositionals: true, options });
  const [file] = positionals;
  if (file === undefined || positionals.length > 1) throw new UsageError('Which file? Name one.');
  return { file, values };
};

/** Takes what is embedded for this process alone. What is on servers, other nodes may be using: nobody can lock them out. */
export const locked = async <T>(folders: readonly string[], work: () => Promise<T>): Promise<T> => {
  const locks: Readonly<{ release: () => void }>[] = [];
  try {
    for (const folder of new Set(folders)) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      locks.push(lockFolder(folder));
    }
    return await work();
  } finally {
    for (const { release } of locks) release();
  }
};

export const withClosing = async <S extends Readonly<{ close: () => Promise<void> }>, T>(
  opening: Promise<S>,
  use: (store: S) => Promise<T>,
): Promise<T> => {
  const store = await opening;
  try {
    return await use(store);
  } finally {
    await store.close();
  }
};

const withLog = async <T>(config: Config, use: (log: EventLog) => Promise<T>): Promise<T> => {
  const place = logPlaceOf(config);
  if ('url' in place) return withClosing(openLog(place), use);
  return locked([config.dataDir], async () => {
    await mkdir(dirname(place.file), { recursive: true, mode: 0o700 });
    return withClosing(openLog(place), use);
  });
};

export const mustHaveLog = (config: Config): void => {
  const place = logPlaceOf(config);
  if ('file' in place && !existsSync(place.file)) throw refused(`There is no event log in ${config.dataDir}.`);
};

/** The embedded log counts its positions; of another one nobody knows how many events it has. */
export const totalOf = async ({ eventLog }: Config, log: EventLog): Promise<number | undefined> =>
  eventLog === undefined ? numberOf(await log.head()) : undefined;

const toStandardOutput = (text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });

const exportVerb: Verb = async (args, { signal, print }) => {
  const { file, values } = fileOf(args, { resume: { type: 'boolean' } });
  const config = readConfig();
  mustHaveLog(config);
  return withLog(config, async (log) => {
    const total = await totalOf(config, log);
    const exporting = { log, total, release: version, streamPrefix: config.streamPrefix, onProgress: telling(), signal };
    if (file !== '-') return `${file} has ${sumOf(await exportFile(file, values.resume === true, exporting))}.`;
    if (values.resume === true) throw new UsageError('Standard output cannot be gone on with. Name a file.');
    const written = await writeLines(linesIn(exporting), toStandardOutput);
    print(`Standard output has ${sumOf(written)}.`);
    return '';
  });
};

const importVerb: Verb = async (args, { signal }) => {
  const { file } = fileOf(args);
  const config = readConfig();
  const { streamPrefix } = config;
  const onProgress = telling();
  const { footer, events } = await readExport(file, { streamPrefix, catalogue, onProgress, signal });
  const copied = await withLog(config, (target) =>
    copy({ events, total: footer.events, expected: footer, target, streamPrefix, onProgress, signal }),
  );
  const before = copied.alreadyThere === 0 ? '' : ` ${counted(copied.alreadyThere, 'event')} of them were there before.`;
  return `The log has ${sumOf(copied)}.${before} Import the secrets as well: without them sealed events cannot be read.`;
};

const withSecrets = async <T>(config: Config, use: (secrets: Secrets) => Promise<T>): Promise<T> => {
  const { views } = config;
  const key = keyOf(config);
  if (views === undefined) return locked([config.dataDir], () => withClosing(openSecrets(secretsPlaceOf(config), key), use));
  return withClosing(openMongo(views), async (mongo) => withClosing(mongo.openSecrets(key), use));
};

const exportSecretsVerb: Verb = async (args) => {
  const { file } = fileOf(args);
  const config = readConfig();
  const place = secretsPlaceOf(config);
  if ('file' in place && !existsSync(place.file)) throw refused(`There are no secrets in ${config.dataDir}.`);
  const count = await withSecrets(config, (secrets) => exportSecrets(file, secrets, keyOf(config), version));
  return `${file} has ${counted(count, 'secret')}, wrapped with the key-encryption key. Keep that key apart from it.`;
};

const importSecretsVerb: Verb = async (args) => {
  const { file } = fileOf(args);
  const config = readConfig();
  const { secrets, alreadyThere } = await withSecrets(config, (store) => importSecrets(file, store, keyOf(config)));
  return `All ${counted(secrets, 'secret')} of ${file} are in the store; ${alreadyThere} were there before.`;
};

export const movingVerbs: Readonly<Record<string, Verb>> = {
  export: exportVerb,
  import: importVerb,
  'export-secrets': exportSecretsVerb,
  'import-secrets': importSecretsVerb,
};
