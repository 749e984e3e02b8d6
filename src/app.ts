import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { nanoid } from 'nanoid';
import type { Blobs } from './blobs/blobs.ts';
import { diskBlobs } from './blobs/disk.ts';
import { type Execute, executing } from './commands/execute.ts';
import type { Config } from './config.ts';
import { catalogue } from './events/catalogue.ts';
import type { Recorded } from './events/event.ts';
import type { EventLog } from './events/log/log.ts';
import { sqliteEventLog } from './events/log/sqlite.ts';
import { type Streams, streamsUnder } from './events/streams.ts';
import { ensureAdmin, recordSigningKey } from './firstStart.ts';
import { healthOf } from './health.ts';
import type { HttpDeps } from './http/deps.ts';
import { type HttpServer, httpServer, type Logger } from './http/server.ts';
import { accountsIn } from './identity/accounts.ts';
import { type Authentication, authenticate, authenticatePassword, authenticateRefresh } from './identity/authenticate.ts';
import type { Caller } from './identity/caller.ts';
import { type PasswordOptions, passwords as passwordsWith } from './identity/passwords.ts';
import { ensureSigningKey, signingKeys } from './identity/signingKeys.ts';
import { tokens as tokensWith } from './identity/tokens.ts';
import type { Generation } from './projections/generation.ts';
import { reporting, serving } from './projections/groups.ts';
import type { Group, Seen } from './projections/projection.ts';
import { sqliteGeneration } from './projections/views/sqliteGeneration.ts';
import { rebuildInThread } from './projections/views/sqliteRebuild.ts';
import type { Views } from './projections/views/views.ts';
import { embeddedKey, type KeyEncryptionKey, keyFromFile, keyFromText, SECRETS_FILE } from './secrets/keyEncryptionKey.ts';
import { type Sealing, sealing as sealingWith } from './secrets/sealing.ts';
import { sqliteSecrets } from './secrets/sqlite.ts';

/** How long a handler waits until the views show its own write, in ms. */
const READ_YOUR_WRITES_MS = 5000;
const EXPIRY_CHECK_MS = 10 * 60_000;
const SERVICE = 'ghostdock';

export type AppOptions = Readonly<{
  version: string;
  logger: Logger;
  /** Log, views and secrets in memory: for tests. Blobs are in the data folder all the same. */
  inMemory?: boolean;
  /** Told the random password of the first start, once. */
  announce: (password: string) => void;
  passwords?: PasswordOptions;
}>;

export type App = Readonly<{
  http: HttpServer;
  log: EventLog;
  views: Views;
  reporting: Views;
  blobs: Blobs;
  execute: Execute;
  streams: Streams;
  /** Builds all views anew from the log, beside those in use, and puts them in their place. */
  rebuild: () => Promise<void>;
  /** Whether this was the first start, which made the user `admin`. */
  firstStart: boolean;
  /** Finishes what is under way, writes everything out and lets go of the data folder. */
  close: () => Promise<void>;
}>;

const keyOf = ({ secretKey, secretKeyFile }: Config, folder: string): KeyEncryptionKey => {
  if (secretKey !== undefined) return keyFromText(secretKey);
  return secretKeyFile === undefined ? embeddedKey(folder) : keyFromFile(secretKeyFile);
};

/** Recorded events as deciders and reducers see them: protected fields revealed, then brought to this release's form. */
const preparing =
  ({ reveal }: Sealing) =>
  async (events: readonly Recorded[]): Promise<readonly Seen[]> =>
    (await reveal(events)).map((event) => catalogue.upcast(event) as Seen);

/** Everyone, where authentication is off. */
const OPERATOR: Caller = { kind: 'operator' };

type Identity = Pick<HttpDeps, 'authenticate' | 'login' | 'refresh' | 'tokens'>;

const identityOf = (config: Config, authentication: Authentication): Identity => {
  const anonymous: Caller = { kind: 'anonymous', pullsPublic: config.anonymousPull };
  return {
    authenticate: (header) => (config.auth ? (authenticate(header, authentication) ?? anonymous) : OPERATOR),
    login: (username, password) => authenticatePassword(username, password, authentication),
    refresh: (token) => authenticateRefresh(token, authentication),
    tokens: authentication.tokens,
  };
};

type Feeding = Readonly<{
  log: EventLog;
  logFile: string;
  secretsFile: string;
  key: KeyEncryptionKey;
  /** The folder of the views, or `:memory:`. */
  folder: string;
  prepare: (events: readonly Recorded[]) => Promise<readonly Seen[]>;
  logger: Logger;
}>;

/** Opens the views of a group, or builds them from the log on a thread of their own, and feeds them from then on. */
const feed = (group: Group, { log, logFile, secretsFile, key, folder, prepare, logger }: Feeding): Generation =>
  sqliteGeneration({
    folder,
    group,
    log,
    prepare,
    build: rebuildInThread(new URL('./rebuild.worker.ts', import.meta.url), { log: logFile, secrets: secretsFile, key }),
    onError: (err, retryInMs) => logger.error({ err, retryInMs }, `The ${group.name} views could not be fed.`),
    onProgress: ({ events, position, head }) =>
      logger.info({ events, position, head }, `Building the ${group.name} views from the log: ${events} events so far.`),
  });

/** Puts the registry together: opens its stores, brings the views up to date and makes what a first start needs. Listens on no port yet. */
export const openApp = async (config: Config, options: AppOptions): Promise<App> => {
  const { version, logger, announce, inMemory = false } = options;
  const folder = (name: string): string => join(config.dataDir, name);
  for (const name of ['log', 'views', 'secrets']) await mkdir(folder(name), { recursive: true, mode: 0o700 });

  const key = keyOf(config, folder('secrets'));
  const secretsFile = inMemory ? ':memory:' : join(folder('secrets'), SECRETS_FILE);
  const secrets = sqliteSecrets(secretsFile, key);
  const sealing = sealingWith(secrets, catalogue);
  const prepare = preparing(sealing);
  const logFile = inMemory ? ':memory:' : join(folder('log'), 'facts.db');
  const log = await sqliteEventLog(logFile);
  const feeding = { log, logFile, secretsFile, key, folder: inMemory ? ':memory:' : folder('views'), prepare, logger };
  const served = feed(serving, feeding);
  const reported = feed(reporting, feeding);
  const blobs = await diskBlobs(config.dataDir, { largestBlob: config.largestBlob });
  await served.ready;

  const { views } = served;
  const streams = streamsUnder(config.streamPrefix);
  const passwords = passwordsWith(options.passwords);
  const execute = executing({
    log,
    views,
    catalogue,
    prepare,
    seal: sealing.seal,
    clock: () => new Date(),
    pause: (ms) => pause(ms),
  });
  const { keyId } = await ensureSigningKey(secrets, nanoid());
  await recordSigningKey(execute, streams, keyId);
  const firstStart = await ensureAdmin({ execute, streams, views, passwords, adminPassword: config.adminPassword, announce });
  const tokens = tokensWith({ keys: await signingKeys(secrets), issuer: SERVICE, service: SERVICE, newId: nanoid });

  const http = await httpServer(
    {
      ...identityOf(config, { accounts: accountsIn(views), passwords, tokens, anonymousPull: config.anonymousPull }),
      version,
      settings: config,
      views,
      execute,
      streams,
      reached: (position) => served.reached(position, READ_YOUR_WRITES_MS),
      blobs,
      health: healthOf({
        version,
        log,
        generations: { serving: served, reporting: reported },
        dataDir: config.dataDir,
      }),
      newId: nanoid,
    },
    logger,
  );

  const expire = async (): Promise<void> => {
    const removed = await blobs.uploads.expire(config.uploadExpiryMs);
    if (removed > 0) logger.info({ removed }, `Removed ${removed} uploads that nobody went on with.`);
  };
  const expiry = setInterval(
    () => void expire().catch((err) => logger.error({ err }, 'Abandoned uploads could not be removed.')),
    EXPIRY_CHECK_MS,
  );

  const close = async (): Promise<void> => {
    clearInterval(expiry);
    await http.close();
    await served.stop();
    await reported.stop();
    await blobs.close();
    await log.close();
    await secrets.close();
  };

  const rebuild = async (): Promise<void> => {
    await served.rebuild();
    await reported.rebuild();
  };

  return { http, log, views, reporting: reported.views, rebuild, blobs, execute, streams, firstStart, close };
};
