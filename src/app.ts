import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { nanoid } from 'nanoid';
import { lastSeenIn } from './access/lastSeen.ts';
import { openAccessLog } from './accessLog.ts';
import type { Blobs } from './blobs/blobs.ts';
import { diskBlobs } from './blobs/disk.ts';
import { startClearing } from './clearing.ts';
import { type Execute, executing } from './commands/execute.ts';
import type { Config } from './config.ts';
import { erasing, reserveUsernames } from './erasing.ts';
import { catalogue } from './events/catalogue.ts';
import type { Position } from './events/event.ts';
import { countedLog } from './events/log/counted.ts';
import type { EventLog } from './events/log/log.ts';
import { type Streams, streamsUnder } from './events/streams.ts';
import { configuredPassword, ensureAdmin, recordSigningKey, refuseLostSecrets } from './firstStart.ts';
import { healthOf } from './health.ts';
import type { HttpDeps } from './http/deps.ts';
import { requestStatistics } from './http/requestStatistics.ts';
import { type HttpServer, httpServer, type Logger } from './http/server.ts';
import { useCertificate } from './http/tls.ts';
import { accountsIn } from './identity/accounts.ts';
import { type PasswordOptions, passwords as passwordsWith } from './identity/passwords.ts';
import { ensureSigningKey, signingKeys } from './identity/signingKeys.ts';
import { tokens as tokensWith } from './identity/tokens.ts';
import { startKeyRotation } from './keyRotation.ts';
import { failedLogins } from './limits/failedLogins.ts';
import type { Limiters } from './limits/limiter.ts';
import { requestLimit } from './limits/requests.ts';
import { type LiveOptions, liveOf } from './live/live.ts';
import { type LogTap, logTap } from './live/logTap.ts';
import { loginsOf } from './logins.ts';
import { collectorsOf, tally } from './metrics.ts';
import { readProviders } from './oidcFile.ts';
import { reporting, serving } from './projections/groups.ts';
import type { Views } from './projections/views/views.ts';
import type { Renewal } from './renewal.ts';
import { cursorsOf } from './secrets/cursors.ts';
import { type Fingerprints, fingerprintsOf } from './secrets/fingerprints.ts';
import { isShared, openStores } from './stores.ts';
import { startUploadExpiry } from './uploadExpiry.ts';

/** How long a handler waits until the views show its own write, in ms. */
const READ_YOUR_WRITES_MS = 5000;
const SERVICE = 'ghostdock';

export type AppOptions = Readonly<{
  version: string;
  logger: Logger;
  /** Log, views and secrets in memory: for tests. Blobs are in the data folder all the same. */
  inMemory?: boolean;
  /** Told the random password of the first start, once. */
  announce: (password: string) => void;
  passwords?: PasswordOptions;
  /** What `logger` writes through; absent: nobody can watch the log. */
  logTap?: LogTap;
  /** Other limits of the streams of events, another clock of the throughput. */
  live?: LiveOptions;
  /** The certificate to speak TLS with; absent: plain HTTP. It is stopped with the app. */
  tls?: Renewal;
}>;

export type App = Readonly<{
  http: HttpServer;
  log: EventLog;
  views: Views;
  reporting: Views;
  accessLog: EventLog;
  /** The views of the access log. */
  access: Views;
  blobs: Blobs;
  execute: Execute;
  streams: Streams;
  /** Whether readers, of all nodes, see everything up to a position; waited for as long as a request waits. */
  reached: (position: Position) => Promise<boolean>;
  /** By which users are found by their names. */
  fingerprints: Fingerprints;
  /** Builds all views anew from the log, beside those in use, and puts them in their place. */
  rebuild: () => Promise<void>;
  /** Whether this was the first start, which made the user `admin`. */
  firstStart: boolean;
  /** Finishes what is under way, writes everything out and lets go of the data folder. */
  close: () => Promise<void>;
}>;

const requestLimits = ({ limits }: Config, limiters: Limiters): HttpDeps['limits'] => {
  const limited = (['api', 'monitoring', 'pulls', 'anonymousPulls'] as const).map((name) => [
    name,
    requestLimit(limiters, name, limits[name]),
  ]);
  return Object.fromEntries(limited.filter(([, limit]) => limit !== undefined));
};

/** Puts the registry together: opens its stores, brings the views up to date and makes what a first start needs. Listens on no port yet. */
export const openApp = async (config: Config, options: AppOptions): Promise<App> => {
  const { version, logger, announce, inMemory = false } = options;
  const providers = config.oidcFile === undefined ? [] : readProviders(config.oidcFile);
  // The id makes it unique; host and process are for people who look who has a lease.
  const node = `${hostname()}:${process.pid}:${nanoid()}`;
  const stores = await openStores(config, { logger, node, inMemory });
  const { secrets, sealing, prepare } = stores;
  const log = countedLog(stores.log);
  const waiting = tally();
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
  const limiters = stores.limiters();
  const passwords = passwordsWith(options.passwords);
  const execute = waiting.execute(
    executing({
      log,
      views,
      catalogue,
      prepare,
      seal: sealing.seal,
      clock: () => new Date(),
      pause: (ms) => pause(ms),
    }),
  );
  const reached = waiting.reached((position) => served.reached(position, READ_YOUR_WRITES_MS));
  const fingerprints = await fingerprintsOf(secrets);
  const erasure = erasing({ views, execute, streams, sealing, reached });
  await reserveUsernames({ views, execute, streams }, fingerprints);
  const { keyId } = await ensureSigningKey(secrets, nanoid());
  await recordSigningKey(execute, streams, keyId);
  const firstStart = await ensureAdmin({
    execute,
    streams,
    views,
    passwords,
    fingerprints,
    adminPassword: () => configuredPassword(config),
    announce,
    retract: () => logger.warn('Another node made the user "admin" first: the password that was shown here is not in use.'),
  });
  // The first request may be a login of the user that was just made.
  await reached(await log.head());
  const erased = await erasure.finish();
  if (erased > 0)
    logger.warn({ erased }, `Finished the erasure of ${erased} persons, which was broken off or undone by an older backup.`);
  const keys = await signingKeys(secrets);
  const tokens = tokensWith({ keys, issuer: SERVICE, service: SERVICE, newId: nanoid });
  const keyRotation = startKeyRotation({
    secrets,
    keys,
    record: (id, context) => recordSigningKey(execute, streams, id, context),
    days: config.signingKeyDays,
    onError: (err) => logger.error({ err }, 'The signing keys could not be looked after; it is tried again.'),
  });

  const clearing = startClearing({
    views,
    execute,
    streams,
    reached,
    shared: isShared(config),
    onError: (err) => logger.error({ err }, 'A deleted repository could not be cleared away; it is tried again.'),
  });

  const accessLog = openAccessLog({ config, stores: await stores.openAccess(), logger, views, execute, streams, reached });

  const live = liveOf({
    logs: options.logTap ?? logTap(),
    ...options.live,
    log,
    reached,
    onError: (err) => logger.warn({ err }, 'The log could not be followed for those who watch repositories; it is tried again.'),
  });

  const generations = { serving: served, reporting: reported, access: accessLog.generation };
  const { dataDir } = config;
  const certificate = options.tls !== undefined && { certificate: options.tls };
  const watched = { log, views, secrets, generations, accessLog, logins: passwords, dataDir, ...certificate };
  const health = healthOf({ version, ...watched });

  const http = await httpServer(
    {
      ...(await loginsOf({
        config,
        providers,
        secrets,
        accounts: accountsIn(views, fingerprints),
        passwords,
        tokens,
        failedLogins: failedLogins(limiters, config.limits.failedLogins),
      })),
      limits: waiting.limits(requestLimits(config, limiters)),
      version,
      settings: config,
      views,
      execute: clearing.execute,
      streams,
      reached,
      cleared: (life) => clearing.cleared(life, READ_YOUR_WRITES_MS),
      log,
      reporting: reported.views,
      reported: (position) => reported.reached(position, READ_YOUR_WRITES_MS),
      accessViews: accessLog.generation.views,
      blobs,
      lastSeen: lastSeenIn(accessLog.generation.views),
      access: waiting.access(accessLog),
      fingerprints,
      cursors: await cursorsOf(secrets),
      revealMetadata: sealing.revealMetadata,
      rotateSigningKey: keyRotation.rotate,
      erasePerson: erasure.erase,
      live,
      health,
      requests: requestStatistics(),
      collectors: collectorsOf({ ...watched, blobs, health, tally: waiting, throughput: live.throughput }),
      newId: nanoid,
    },
    logger,
    options.tls?.current(),
  );
  options.tls?.follow((certificate) => useCertificate(http, certificate));

  const uploadExpiry = startUploadExpiry({ uploads: blobs.uploads, afterMs: config.uploadExpiryMs, logger });

  const close = async (): Promise<void> => {
    options.tls?.stop();
    await http.close();
    await accessLog.close();
    await keyRotation.stop();
    await clearing.stop();
    await served.stop();
    await reported.stop();
    await uploadExpiry.stop();
    await blobs.close();
    await stores.close();
  };

  const rebuild = async (): Promise<void> => {
    await served.rebuild();
    await reported.rebuild();
  };

  return {
    http,
    log,
    views,
    reporting: reported.views,
    accessLog: accessLog.log,
    access: accessLog.generation.views,
    rebuild,
    blobs,
    execute,
    streams,
    reached,
    fingerprints,
    firstStart,
    close,
  };
};
