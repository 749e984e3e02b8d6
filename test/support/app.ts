import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import pino from 'pino';
import { type App, type AppOptions, openApp } from '../../src/app.ts';
import { type UserCommand, usersDecider } from '../../src/commands/users.ts';
import { readConfig } from '../../src/config.ts';
import type { Position } from '../../src/events/event.ts';
import { NO_STREAM } from '../../src/events/log/log.ts';
import type { RepositoryEvents } from '../../src/events/repository.ts';
import type { Role } from '../../src/events/users.ts';
import { systemContext } from '../../src/firstStart.ts';
import { passwords } from '../../src/identity/passwords.ts';
import { type LogTap, logTap } from '../../src/live/logTap.ts';
import { usernames } from '../../src/projections/users.ts';
import { renewing } from '../../src/renewal.ts';
import { checkAnswers } from './answers.ts';
import { basic, bearer, type HttpClient, httpClient } from './http.ts';
import { type Environment, scratchFolder, waitUntil } from './processes.ts';
import { ADMIN, PASSWORD } from './registryProcess.ts';
import { stopSharedStores, storesForTests } from './stores.ts';

/** The least that argon2id takes: these passwords protect nothing. */
const QUICK_ARGON2 = { memoryCost: 8, timeCost: 1, parallelism: 1 };

/** The whole registry in this process, on a port of its own. */
export type TestApp = Readonly<{
  app: App;
  url: string;
  /** `127.0.0.1:<port>` */
  host: string;
  dataDir: string;
  port: number;
  /** The administrator, by Basic. */
  admin: HttpClient;
  anonymous: HttpClient;
  /** Makes a user with PASSWORD. @returns who sends it by Basic */
  register: (username: string, role?: Role) => Promise<HttpClient>;
  /** Ends what was issued to the user before. */
  changePassword: (username: string, password: string) => Promise<void>;
  /** The same connections with a token for these scopes, from the token service. */
  withToken: (username: string, scope: string) => Promise<HttpClient>;
  /** A repository that everybody may see, which nothing can make over HTTP yet. */
  createPublic: (repository: string) => Promise<void>;
  /** Without a port: for what no client would send. */
  inject: (options: InjectOptions) => Promise<LightMyRequestResponse>;
  /** The failures of its own that the registry has logged; whoever takes them has expected them. */
  takeFailures: () => readonly string[];
  /** The newest event: nothing was recorded between two calls that give the same. */
  head: () => Promise<Position>;
  /**
   * Stops it. @throws when it has logged failures that nobody took: no request may cause one; or has given an answer that is not as it
   * describes it
   */
  close: () => Promise<void>;
}>;

const ERROR = pino.levels.values.error ?? 50;

/** Failures are from `error` on. What is below goes to those who watch the log. */
const failuresInto = (lines: string[], tap: LogTap): pino.Logger => {
  const write = (line: string): void => {
    if ((JSON.parse(line) as { level: number }).level >= ERROR) lines.push(line);
  };
  return pino({ level: 'info' }, tap.into({ write }));
};

/** Tests ask more, and guess more, than people do. */
const NO_LIMITS: Environment = {
  GHOSTDOCK_API_REQUESTS_PER_HOUR: '0',
  GHOSTDOCK_API_REQUESTS_PER_MINUTE: '0',
  GHOSTDOCK_FAILED_LOGINS: '0',
  GHOSTDOCK_FAILED_LOGINS_PER_ADDRESS: '0',
  GHOSTDOCK_FAILED_LOGINS_PER_USER: '0',
};

type Options = Pick<AppOptions, 'live'>;

/** @param env `GHOSTDOCK_*` beyond port, folder and password */
export const openTestApp = async (env: Environment = {}, options: Options = {}): Promise<TestApp> => {
  const folder = scratchFolder();
  const failures: string[] = [];
  const stores = await storesForTests();
  const config = readConfig({
    GHOSTDOCK_PORT: '0',
    GHOSTDOCK_DATA_DIR: folder.path,
    GHOSTDOCK_ADMIN_PASSWORD: PASSWORD,
    ...NO_LIMITS,
    ...stores.env,
    ...env,
  });
  const tap = logTap();
  const logger = failuresInto(failures, tap);
  const tls = config.tls && (await renewing(config.tls, { logger, everyMs: 50 }));
  const app = await openApp(config, {
    version: '0.0.0-test',
    logger,
    logTap: tap,
    inMemory: true,
    announce: () => undefined,
    passwords: QUICK_ARGON2,
    ...(tls && { tls }),
    ...options,
  });
  const checked = checkAnswers(app.http);
  await app.http.listen({ host: config.host, port: config.port });
  const { port } = app.http.server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  const url = `http${tls ? 's' : ''}://${host}`;
  // Whoever's certificate it is: tests of TLS bring their authority in its file.
  const admin = httpClient(url, { authorization: basic(ADMIN, PASSWORD), ...(tls && { ca: tls.current().cert }) });

  const seen = async (position: Position): Promise<void> => {
    await waitUntil('the views show it', async () => (await app.views.checkpoint()) >= position);
  };

  const hashed = (password: string): Promise<string> => passwords(QUICK_ARGON2).hash(password);
  const changeUsers = async (command: UserCommand): Promise<void> => {
    await seen((await app.execute(app.streams.users, usersDecider, command, systemContext())).position);
  };

  const register = async (username: string, role: Role = 'user'): Promise<HttpClient> => {
    const fingerprint = app.fingerprints.username(username);
    const passwordHash = await hashed(PASSWORD);
    await changeUsers({ type: 'RegisterUser', username, fingerprint, email: null, role, passwordHash });
    return admin.as(basic(username, PASSWORD));
  };

  const changePassword = async (username: string, password: string): Promise<void> => {
    const named = await app.views.get(usernames, app.fingerprints.username(username));
    if (named === undefined) throw new Error(`There is no user ${username}.`);
    await changeUsers({ type: 'ChangePassword', userId: named.userId, passwordHash: await hashed(password) });
  };

  const createPublic = async (repository: string): Promise<void> => {
    const data: RepositoryEvents['RepositoryCreated'] = {
      repositoryId: randomUUID(),
      repository,
      ownerId: null,
      visibility: 'public',
    };
    const { actor, requestId, correlationId } = systemContext();
    const metadata = { actor, requestId, correlationId, at: new Date().toISOString(), version: 1 };
    const event = { id: randomUUID(), type: 'RepositoryCreated', data, metadata };
    await seen((await app.log.append(app.streams.repository(repository), NO_STREAM, [event])).position);
  };

  return {
    app,
    url,
    host,
    dataDir: folder.path,
    port,
    admin,
    anonymous: admin.as(undefined),
    register,
    changePassword,
    withToken: async (username, scope) => admin.as(await bearer(admin, basic(username, PASSWORD), scope)),
    createPublic,
    inject: (options) => app.http.inject(options),
    takeFailures: () => failures.splice(0),
    head: () => app.log.head(),
    close: async () => {
      admin.close();
      await app.close();
      await stores.drop();
      folder.remove();
      expect(failures, 'failures that the registry logged').to.deep.equal([]);
      expect([...checked.breaches], 'answers that are not as the registry describes them').to.deep.equal([]);
    },
  };
};

// Of the whole run, whichever suites it has.
after(stopSharedStores);

/** A registry for the suite whose `describe` callback calls it. @returns it, once the suite runs */
export const registryFor = (env: Environment = {}, options: Options = {}): (() => TestApp) => {
  let open: TestApp | undefined;
  before(async () => {
    open = await openTestApp(env, options);
  });
  after(() => open?.close());
  return () => {
    if (open === undefined) throw new Error('The registry runs while tests do.');
    return open;
  };
};
