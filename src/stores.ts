import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';
import { accessCatalogue, catalogue } from './events/catalogue.ts';
import type { Recorded } from './events/event.ts';
import type { EventLog, TransientLog } from './events/log/log.ts';
import { sqliteEventLog } from './events/log/sqlite.ts';
import { accessStreamsUnder } from './events/streams.ts';
import type { Logger } from './http/server.ts';
import { insured } from './limits/insured.ts';
import type { Limiters } from './limits/limiter.ts';
import { memoryLimiters } from './limits/memory.ts';
import type { Generation } from './projections/generation.ts';
import type { Group, Seen } from './projections/projection.ts';
import { sqliteGeneration } from './projections/views/sqliteGeneration.ts';
import { rebuildInThread } from './projections/views/sqliteRebuild.ts';
import { embeddedKey, type KeyEncryptionKey, keyFromFile, keyFromText, SECRETS_FILE } from './secrets/keyEncryptionKey.ts';
import { type Sealing, sealing as sealingWith } from './secrets/sealing.ts';
import type { Secrets } from './secrets/secrets.ts';
import { sqliteSecrets } from './secrets/sqlite.ts';
import type { MongoStores } from './storesOnMongo.ts';

/** Where the log is: a file (or `:memory:`), or the streams of one prefix in an EventStoreDB. */
export type LogPlace = Readonly<{ file: string }> | Readonly<{ url: string; prefix: string }>;
/** Where the secrets are: a file (or `:memory:`), or the database beside that of the views in a MongoDB. */
export type SecretsPlace = Readonly<{ file: string }> | Readonly<{ url: string }>;

export type StoresOptions = Readonly<{
  logger: Logger;
  /** This process, by a name that no other one ever has. */
  node: string;
  /** What is embedded is in memory: for tests. */
  inMemory?: boolean;
}>;

/** The access log and what is computed from it, wherever the facts and their views are. */
export type AccessStores = Readonly<{
  log: TransientLog;
  /** As `Stores.generation`, fed from the access log. */
  generation: (group: Group) => Generation;
  close: () => Promise<void>;
}>;

/** The registry's state, whatever it is kept in. */
export type Stores = Readonly<{
  log: EventLog;
  secrets: Secrets;
  sealing: Sealing;
  /** Recorded events as deciders and reducers see them: protected fields revealed, then brought to this release's form. */
  prepare: (events: readonly Recorded[]) => Promise<readonly Seen[]>;
  /** Opens the views of a group and has them fed; stopped by the caller before `close`. */
  generation: (group: Group) => Generation;
  /** Opens the access log; closed by the caller before these. */
  openAccess: () => Promise<AccessStores>;
  /** Counts for limits, shared by the nodes where their views are. */
  limiters: () => Limiters;
  close: () => Promise<void>;
}>;

/** Whether several processes may run on the same data folder: everything but the blobs is on servers. */
export const isShared = ({ eventLog, views }: Config): boolean => eventLog !== undefined && views !== undefined;

/** The key that wraps the secrets. @throws UnusableSecrets */
export const keyOf = ({ secretKey, secretKeyFile, dataDir }: Config): KeyEncryptionKey => {
  if (secretKey !== undefined) return keyFromText(secretKey);
  return secretKeyFile === undefined ? embeddedKey(join(dataDir, 'secrets')) : keyFromFile(secretKeyFile);
};

export const logPlaceOf = ({ eventLog, dataDir, streamPrefix }: Config): LogPlace =>
  eventLog === undefined ? { file: join(dataDir, 'log', 'facts.db') } : { url: eventLog, prefix: streamPrefix };

/** Beside the facts, and never among them: another file, other streams. */
export const accessLogPlaceOf = ({ eventLog, dataDir, streamPrefix }: Config): LogPlace =>
  eventLog === undefined
    ? { file: join(dataDir, 'access', 'access.db') }
    : { url: eventLog, prefix: accessStreamsUnder(streamPrefix).prefix };

export const secretsPlaceOf = ({ views, dataDir }: Config): SecretsPlace =>
  views === undefined ? { file: join(dataDir, 'secrets', SECRETS_FILE) } : { url: views };

/** Positions belong to one log: embedded views of a log on a server are not those of the embedded log, and stand beside them. */
export const viewsFolderOf = ({ eventLog }: Config): string => (eventLog === undefined ? 'views' : 'views-esdb');

/** Of facts: nothing of them may be dropped. */
export const openLog = (place: LogPlace, onError?: (error: unknown, what: string) => void): Promise<EventLog> =>
  openTransientLog(place, onError);

export const openTransientLog = async (
  place: LogPlace,
  onError: (error: unknown, what: string) => void = () => undefined,
): Promise<TransientLog> => {
  if ('file' in place) return sqliteEventLog(place.file);
  // Loaded on demand, as is MongoDB's driver: embedded stores do without the time and the memory that it takes.
  const { eventstoreEventLog } = await import('./events/log/eventstore.ts');
  return eventstoreEventLog(place.url, { prefix: place.prefix, onError });
};

export const openMongo = async (url: string): Promise<MongoStores> => {
  const { storesOnMongo } = await import('./storesOnMongo.ts');
  return storesOnMongo(url);
};

/** The secrets of a place, on a connection of their own that stays open: for threads. */
export const openSecrets = async (place: SecretsPlace, key: KeyEncryptionKey): Promise<Secrets> =>
  'file' in place ? sqliteSecrets(place.file, key) : (await openMongo(place.url)).openSecrets(key);

export const preparing =
  ({ reveal }: Pick<Sealing, 'reveal'>): Stores['prepare'] =>
  async (events) =>
    (await reveal(events)).map((event) => catalogue.upcast(event) as Seen);

/** The access log has nothing sealed in it. */
export const preparingAccess: Stores['prepare'] = async (events) => events.map((event) => accessCatalogue.upcast(event) as Seen);

type Source = Readonly<{ log: EventLog; place: LogPlace; prepare: Stores['prepare'] }>;

/** Opens what the configuration names. @throws UnusableSecrets, RegistryError `UNAVAILABLE` where a server does not answer */
export const openStores = async (config: Config, { logger, node, inMemory = false }: StoresOptions): Promise<Stores> => {
  const folder = (name: string): string => join(config.dataDir, name);
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  for (const [name, server] of [
    ['log', config.eventLog],
    [viewsFolderOf(config), config.views],
    ['secrets', config.views],
  ] as const)
    if (server === undefined) await mkdir(folder(name), { recursive: true, mode: 0o700 });

  const key = keyOf(config);
  const logPlace: LogPlace = inMemory && config.eventLog === undefined ? { file: ':memory:' } : logPlaceOf(config);
  const secretsPlace: SecretsPlace = inMemory && config.views === undefined ? { file: ':memory:' } : secretsPlaceOf(config);

  const mongo = config.views === undefined ? undefined : await openMongo(config.views);
  const secrets = mongo === undefined ? await openSecrets(secretsPlace, key) : await mongo.openSecrets(key);
  const sealing = sealingWith(secrets, catalogue);
  const prepare = preparing(sealing);
  const log = await openLog(logPlace, (err, what) => logger.warn({ err }, `The event log: ${what}`));
  const close = async (): Promise<void> => {
    await log.close();
    await secrets.close();
    await mongo?.close();
  };
  // A log on a server is opened without asking it: a start in vain is to end, and not to wait for it for ever.
  await log.head().catch(async (error: unknown) => {
    await close();
    throw error;
  });

  const told = ({ log, prepare }: Source, group: Group) => ({
    group,
    log,
    prepare,
    onError: (err: unknown, retryInMs: number | undefined) =>
      logger.error({ err, retryInMs }, `The ${group.name} views could not be fed.`),
    onProgress: (progress: Readonly<{ events: number; position: string; head: string }>) =>
      logger.info(progress, `Building the ${group.name} views from the log: ${progress.events} events so far.`),
  });
  const embedded = (source: Source, group: Group): Generation =>
    sqliteGeneration({
      ...told(source, group),
      folder: inMemory ? ':memory:' : folder(viewsFolderOf(config)),
      build: rebuildInThread(new URL('./rebuild.worker.ts', import.meta.url), { log: source.place, secrets: secretsPlace, key }),
    });
  const generationFrom = (source: Source) => (group: Group) =>
    mongo === undefined ? embedded(source, group) : mongo.generation({ ...told(source, group), node });

  const limiters = (): Limiters => {
    if (mongo === undefined) return memoryLimiters();
    const onError = (err: unknown): void =>
      logger.warn({ err }, 'The counts of limits cannot be shared: this node counts by itself.');
    return insured({ shared: mongo.limiters(), local: memoryLimiters(), onError });
  };

  const openAccess = async (): Promise<AccessStores> => {
    const place: LogPlace = inMemory && config.eventLog === undefined ? { file: ':memory:' } : accessLogPlaceOf(config);
    if (config.eventLog === undefined) await mkdir(folder('access'), { recursive: true, mode: 0o700 });
    const accessLog = await openTransientLog(place, (err, what) => logger.warn({ err }, `The access log: ${what}`));
    const generation = generationFrom({ log: accessLog, place, prepare: preparingAccess });
    return { log: accessLog, generation, close: accessLog.close };
  };

  return {
    log,
    secrets,
    sealing,
    prepare,
    generation: generationFrom({ log, place: logPlace, prepare }),
    openAccess,
    limiters,
    close,
  };
};
