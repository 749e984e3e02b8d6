import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import pino, { type Logger } from 'pino';
import { counted, locked, mustHaveLog, sumOf, telling, totalOf, type Verb, withClosing } from './cliMoving.ts';
import { type Config, readConfig } from './config.ts';
import { type Migrated, type Migration, migrate } from './moving/migrate.ts';
import { groups } from './projections/groups.ts';
import { KEY_FILE } from './secrets/keyEncryptionKey.ts';
import { isShared, openStores, viewsFolderOf } from './stores.ts';
import { UsageError } from './usageError.ts';

export const MIGRATE_USAGE = `  migrate               Moves the registry from the stores of the settings to others, and compares what comes out there:
                          --event-log embedded|esdb://…    --views embedded|mongodb://…    --data-dir FOLDER
                          --secret-key-file FILE           for a new key-encryption key on the other side
                        What is not named stays as it is. The blobs stay where they are.`;

const EMBEDDED = 'embedded';

const TARGET_OPTIONS = {
  'event-log': { type: 'string' },
  views: { type: 'string' },
  'data-dir': { type: 'string' },
  'secret-key-file': { type: 'string' },
} as const;

/** The key of the other side: the one that is named, or that of the settings. An embedded one goes along to secrets on a server. */
const keySettingOf = (named: string | undefined, source: Config, secretsOnServer: boolean): NodeJS.ProcessEnv => {
  if (named !== undefined) return { GHOSTDOCK_SECRET_KEY_FILE: resolve(named) };
  if (source.secretKey !== undefined) return { GHOSTDOCK_SECRET_KEY: source.secretKey };
  if (source.secretKeyFile !== undefined) return { GHOSTDOCK_SECRET_KEY_FILE: source.secretKeyFile };
  return secretsOnServer ? { GHOSTDOCK_SECRET_KEY_FILE: join(source.dataDir, 'secrets', KEY_FILE) } : {};
};

/** The settings of the other side: those of this one but for what is named. @throws ConfigError */
const targetOf = (args: string[], source: Config): Config => {
  const { values } = parseArgs({ args, options: TARGET_OPTIONS });
  const views = values.views ?? source.views ?? EMBEDDED;
  return readConfig({
    GHOSTDOCK_DATA_DIR: values['data-dir'] ?? source.dataDir,
    GHOSTDOCK_STREAM_PREFIX: source.streamPrefix,
    GHOSTDOCK_EVENT_LOG: values['event-log'] ?? source.eventLog,
    GHOSTDOCK_VIEWS: views,
    ...keySettingOf(values['secret-key-file'], source, views !== EMBEDDED),
  });
};

/** Hosts and database of a connection string: what it leads to, whoever asks and with whatever options. */
const whereabouts = (url: string): string => /^[^:]+:\/\/(?:[^@/]*@)?([^?]*?)\/*(?:\?|$)/.exec(url)?.[1] ?? url;

const placesOf = (config: Config) => ({
  log: config.eventLog === undefined ? config.dataDir : whereabouts(config.eventLog),
  secrets: config.views === undefined ? config.dataDir : whereabouts(config.views),
  views: config.views === undefined ? join(config.dataDir, viewsFolderOf(config)) : whereabouts(config.views),
});

/** What is in another place on the other side. @throws UsageError where that makes no sense */
const movesOf = (source: Config, target: Config): Migration['moves'] => {
  const [from, to] = [placesOf(source), placesOf(target)];
  const moves = { log: from.log !== to.log, secrets: from.secrets !== to.secrets };
  const sameViews = from.views === to.views;
  if (!moves.log && sameViews) throw new UsageError('There is nothing to move. Name --event-log, --views or --data-dir.');
  if (sameViews)
    throw new UsageError(
      'Views belong to one log. Name another database for those of the other side (--views), or another folder.',
    );
  return moves;
};

const CREDENTIALS = /\/\/[^@/]*@/;

const settingsOf = (source: Config, target: Config): readonly string[] => {
  const key = target.secretKeyFile === source.secretKeyFile ? undefined : target.secretKeyFile;
  return [
    `GHOSTDOCK_EVENT_LOG=${target.eventLog ?? EMBEDDED}`,
    `GHOSTDOCK_VIEWS=${target.views ?? EMBEDDED}`,
    `GHOSTDOCK_DATA_DIR=${target.dataDir}`,
    ...(key === undefined ? [] : [`GHOSTDOCK_SECRET_KEY_FILE=${key}`]),
  ].map((line) => `  ${line.replace(CREDENTIALS, '//USER:PASSWORD@')}`);
};

const blobsNote = (source: Config, target: Config): string =>
  source.dataDir === target.dataDir
    ? `The blobs stay in ${join(source.dataDir, 'blobs')}.`
    : `The blobs were not moved: copy ${join(source.dataDir, 'blobs')} to ${join(target.dataDir, 'blobs')} before you start the registry.`;

const reportOf = ({ log, secrets, views }: Migrated, source: Config, target: Config): string => {
  const there = (count: number): string => (count === 0 ? '' : ` (${count.toLocaleString('en-US')} were there before)`);
  const compared = [...views].map(
    ([group, { documents, cursors }]) =>
      `The ${group} views are the same: ${counted(documents, 'document')}, ${counted(cursors, 'cursor')}.`,
  );
  const done = [
    log === undefined ? 'The log stays where it is.' : `The log is on the other side: ${sumOf(log)}${there(log.alreadyThere)}.`,
    secrets === undefined
      ? 'The secrets stay where they are.'
      : `The secrets are on the other side: ${secrets.secrets.toLocaleString('en-US')}${there(secrets.alreadyThere)}.`,
    ...compared,
    blobsNote(source, target),
  ];
  const next = 'From now on the settings are these. With the old ones nothing may be started any more: it would be missing here.';
  return [...done, '', next, '', ...settingsOf(source, target)].join('\n');
};

const STOP_FIRST = 'Every node of the registry must be stopped, on this side and on the other, until this is done.';

/** Complaints of the stores, for a person. */
const complaints = (print: (text: string) => void): Logger =>
  pino({ level: 'warn' }, { write: (line: string) => print((JSON.parse(line) as { msg: string }).msg) });

const foldersToLock = (...configs: readonly Config[]): readonly string[] =>
  configs.filter((config) => !isShared(config)).map(({ dataDir }) => dataDir);

export const migrateVerb: Verb = async (args, { signal, print }) => {
  const source = readConfig();
  const target = targetOf(args, source);
  const moves = movesOf(source, target);
  mustHaveLog(source);
  print(STOP_FIRST);
  const options = { logger: complaints(print), node: randomUUID() };
  return locked(foldersToLock(source, target), () =>
    withClosing(openStores(source, options), (from) =>
      withClosing(openStores(target, options), async (to) => {
        const total = await totalOf(source, from.log);
        const { streamPrefix } = source;
        const onProgress = telling();
        const all = Object.values(groups);
        const moved = await migrate({ source: from, target: to, moves, groups: all, streamPrefix, total, onProgress, signal });
        return reportOf(moved, source, target);
      }),
    ),
  );
};
