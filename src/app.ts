import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { nanoid } from 'nanoid';
import type { Blobs } from './blobs/blobs.ts';
import { diskBlobs } from './blobs/disk.ts';
import { type Execute, executing } from './commands/execute.ts';
import type { Config } from './config.ts';
import { catalogue } from './events/catalogue.ts';
import type { Position } from './events/event.ts';
import type { EventLog } from './events/log/log.ts';
import { type Streams, streamsUnder } from './events/streams.ts';
import { ensureAdmin, recordSigningKey, refuseLostSecrets } from './firstStart.ts';
import { healthOf } from './health.ts';
import type { HttpDeps } from './http/deps.ts';
import { type HttpServer, httpServer, type Logger } from './http/server.ts';
import { accountsIn } from './identity/accounts.ts';
import { type Authentication, authenticate, authenticatePassword, authenticateRefresh } from './identity/authenticate.ts';
import type { Caller } from './identity/caller.ts';
import { type PasswordOptions, passwords as passwordsWith } from './identity/passwords.ts';
import { ensureSigningKey, signingKeys } from './identity/signingKeys.ts';
import { tokens as tokensWith } from './identity/tokens.ts';
import { reporting, serving } from './projections/groups.ts';
import type { Views } from './projections/views/views.ts';
import { isShared, openStores } from './stores.ts';

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
  /** Whether readers, of all nodes, see everything up to a position; waited for as long as a request waits. */
  reached: (position: Position) => Promise<boolean>;
  /** Builds all views anew from the log, beside those in use, and puts them in their place. */
  rebuild: () => Promise<void>;
  /** Whether this was the first start, which made the user `admin`. */
  firstStart: boolean;
  /** Finishes what is under way, writes everything out and lets go of the data folder. */
  close: () => Promise<void>;
}>;

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

/** Puts the registry together: opens its stores, brings the views up to date and makes what a first start needs. Listens on no port yet. */
export const openApp = async (config: Config, options: AppOptions): Promise<App> => {
  const { version, logger, announce, inMemory = false } = options;
  // The id makes it unique; host and process are for people who look who has a lease.
  const node = `${hostname()}:${process.pid}:${nanoid()}`;
  const stores = await openStores(config, { logger, node, inMemory });
  const { log, secrets, sealing, prepare } = stores;
  const streams = streamsUnder(config.streamPrefix);
  try {
    await refuseLostSecrets(log, secrets, streams);
  } catch (error) {
    await stores.close();
    throw error;
  }
  const served = stores.generation(serving);
  const reported = stores.generation(reporting);
  const blobs = await diskBlobs(config.dataDir, { largestBlob: config.largestBlob, shared: isShared(config) });
  await served.ready;

  const { views } = served;
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
  const firstStart = await ensureAdmin({
    execute,
    streams,
    views,
    passwords,
    adminPassword: config.adminPassword,
    announce,
    retract: () => logger.warn('Another node made the user "admin" first: the password that was shown here is not in use.'),
  });
  // The first request may be a login of the user that was just made.
  await served.reached(await log.head(), READ_YOUR_WRITES_MS);
  const tokens = tokensWith({ keys: await signingKeys(secrets), issuer: SERVICE, service: SERVICE, newId: nanoid });

  const reached = (position: Position): Promise<boolean> => served.reached(position, READ_YOUR_WRITES_MS);

  const http = await httpServer(
    {
      ...identityOf(config, { accounts: accountsIn(views), passwords, tokens, anonymousPull: config.anonymousPull }),
      version,
      settings: config,
      views,
      execute,
      streams,
      reached,
      blobs,
      health: healthOf({
        version,
        log,
        views,
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
    await stores.close();
  };

  const rebuild = async (): Promise<void> => {
    await served.rebuild();
    await reported.rebuild();
  };

  return { http, log, views, reporting: reported.views, rebuild, blobs, execute, streams, reached, firstStart, close };
};
