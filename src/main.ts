import { mkdir } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import { type App, openApp } from './app.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { isRefusal } from './errors.ts';
import { ADMIN } from './firstStart.ts';
import { prefixIn } from './http/origin.ts';
import { type LogTap, logTap } from './live/logTap.ts';
import { renewing } from './renewal.ts';
import { UnusableSecrets } from './secrets/secrets.ts';
import { FolderInUse, lockFolder } from './sqliteLock.ts';
import { isShared } from './stores.ts';
import { version } from './version.ts';

/** Exit codes (sysexits.h): the configuration is at fault, or something that it needs is not to be had. */
const EX_CONFIG = 78;
const EX_UNAVAILABLE = 69;
const EX_SOFTWARE = 70;

/** Lines for a person where one is looking, JSON otherwise. Written in the background, in batches; `flush` writes what is left. */
const logTo = (level: string, tap: LogTap): Readonly<{ logger: Logger; flush: () => void }> => {
  if (process.stdout.isTTY) {
    const stream = pretty({ sync: true, ignore: 'pid,hostname,reqId', translateTime: 'SYS:HH:MM:ss' });
    return { logger: pino({ level }, tap.into(stream)), flush: () => stream.end() };
  }
  const destination = pino.destination({ sync: false });
  return { logger: pino({ level }, tap.into(destination)), flush: () => destination.flushSync() };
};

const print = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** SQLITE_FULL: the stores cannot even be opened. */
const isFull = (cause: unknown): boolean => (cause as { errcode?: number } | undefined)?.errcode === 13;

/** Says what is wrong and ends. Problems of the surroundings are told in a sentence, anything else with its stack. */
const fail = (error: unknown): never => {
  if (error instanceof ConfigError) {
    print(`The registry cannot start:\n${error.problems.map((problem) => `  - ${problem}`).join('\n')}`);
    process.exit(EX_CONFIG);
  }
  if (error instanceof FolderInUse || error instanceof UnusableSecrets) {
    print(`The registry cannot start: ${error.message}`);
    process.exit(error instanceof FolderInUse || isFull(error.cause) ? EX_UNAVAILABLE : EX_CONFIG);
  }
  if (isRefusal(error, 'UNAVAILABLE')) {
    print(`The registry cannot start: ${error.message}`);
    process.exit(EX_UNAVAILABLE);
  }
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'listen' && code === 'EADDRINUSE') {
    print('The registry cannot start: the port is taken. Set GHOSTDOCK_PORT to another one.');
    process.exit(EX_UNAVAILABLE);
  }
  print(`The registry failed: ${error instanceof Error ? error.stack : String(error)}`);
  process.exit(EX_SOFTWARE);
};

const reachableAt = ({ publicUrl, host, tls }: Config, { port }: AddressInfo): Readonly<{ url: string; name: string }> => {
  if (publicUrl !== undefined) return { url: publicUrl, name: new URL(publicUrl).host };
  const shown = host === '0.0.0.0' || host === '::' || host === '127.0.0.1' || host === '::1' ? 'localhost' : host;
  return { url: `http${tls ? 's' : ''}://${host.includes(':') ? `[${host}]` : host}:${port}`, name: `${shown}:${port}` };
};

const passwordNote = (password: string): string => `
  This is the first start. The user "${ADMIN}" has the password

      ${password}

  which is shown this once. (npm run ghostdock -- reset-password ${ADMIN} sets another.)`;

const welcome = (name: string, auth: boolean): string => `
  GhostDock Registry ${version} is ready. Push an image:
${auth ? `\n      docker login ${name} -u ${ADMIN}` : ''}
      docker tag  IMAGE:TAG ${name}/IMAGE:TAG
      docker push ${name}/IMAGE:TAG
`;

/** Docker's clients put nothing before `/v2`: they need a host, or that path of one, for themselves. */
const welcomeBehind = (url: string): string => `
  GhostDock Registry ${version} is ready at ${url}/v2/
`;

const OPEN_WARNING =
  'AUTHENTICATION IS OFF: everyone who reaches this address may read, push and delete everything. Set GHOSTDOCK_AUTH=on.';

/** Ends on the first signal when everything is finished and written out, on the second at once. */
const stopOnSignals = (app: App, { stopMs }: Config, logger: Logger, end: (code: number) => void): void => {
  let stopping = false;
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (stopping) return end(1);
    stopping = true;
    logger.info({ signal }, `Stopping: finishing requests under way, for at most ${stopMs / 1000} s.`);
    const late = setTimeout(() => {
      logger.warn('Some requests did not finish in time.');
      app.http.server.closeAllConnections();
    }, stopMs);
    await app.close();
    clearTimeout(late);
    logger.info('Stopped.');
    end(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, (name) => void stop(name).catch(fail));
};

/** `kill -USR2`: builds the views anew while the old ones serve. */
const rebuildOnSignal = (app: App, logger: Logger): void => {
  process.on('SIGUSR2', () => {
    logger.info('Building all views anew, beside those in use.');
    app.rebuild().then(
      () => logger.info('All views are built anew and in use.'),
      (err) => logger.error({ err }, 'The views could not be built anew. The old ones stay in use.'),
    );
  });
};

const start = async (): Promise<void> => {
  const config = readConfig();
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const folder = isShared(config) ? undefined : lockFolder(config.dataDir);
  const tap = logTap();
  const { logger, flush } = logTo(config.logLevel, tap);
  process.on('exit', flush);
  if (!config.auth) logger.warn(OPEN_WARNING);

  const tls = config.tls && (await renewing(config.tls, { logger }));
  // Without TLS there is nothing to read again, and the signal says that the terminal is gone.
  if (tls !== undefined) process.on('SIGHUP', () => void tls.look());
  const app = await openApp(config, {
    version,
    logger,
    logTap: tap,
    announce: (password) => print(passwordNote(password)),
    ...(tls && { tls }),
  });
  await app.http.listen({ host: config.host, port: config.port });
  const { url, name } = reachableAt(config, app.http.server.address() as AddressInfo);
  print(prefixIn(config.publicUrl) === '' ? welcome(name, config.auth) : welcomeBehind(url));
  logger.info({ url, version, dataDir: config.dataDir, firstStart: app.firstStart }, `GhostDock Registry is ready at ${url}`);
  rebuildOnSignal(app, logger);
  stopOnSignals(app, config, logger, (code) => {
    folder?.release();
    process.exit(code);
  });
};

start().catch(fail);
