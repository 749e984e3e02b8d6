#!/usr/bin/env node
import { mkdir } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { type App, openApp } from './app.ts';
import { ACCESS_USAGE, accessVerb, NotAsSealed } from './cliAccess.ts';
import { MIGRATE_USAGE, migrateVerb } from './cliMigrate.ts';
import { MOVING_USAGE, movingVerbs, type Verb } from './cliMoving.ts';
import { usersDecider } from './commands/users.ts';
import { ConfigError, readConfig } from './config.ts';
import { isRefusal, RegistryError } from './errors.ts';
import { systemContext } from './firstStart.ts';
import { checkPassword, passwords, randomPassword } from './identity/passwords.ts';
import { CannotMove } from './moving/cannotMove.ts';
import { usernames } from './projections/users.ts';
import { UnusableSecrets } from './secrets/secrets.ts';
import { FolderInUse, lockFolder } from './sqliteLock.ts';
import { isShared } from './stores.ts';
import { UsageError } from './usageError.ts';
import { version } from './version.ts';

const USAGE = `Usage: npm run ghostdock -- COMMAND

  reset-password USER   Gives a user a new password: a random one, or with --stdin the one on standard input.
                        Logins and tokens that the user has end.
  rebuild               Builds all views anew from the log. (A running registry does so on SIGUSR2.)
${MOVING_USAGE}
${MIGRATE_USAGE}
${ACCESS_USAGE}
  help                  Shows this.

Whatever is embedded in the data folder must not be in use: stop the registry first. Nodes whose log and views are both on servers
may run meanwhile, except where a command says otherwise. Settings come from the environment, as for the registry (docs/configuration.md).`;

const resetPassword = async (app: App, username: string | undefined, fromStdin: boolean): Promise<string> => {
  if (username === undefined) throw new UsageError('Whose password? reset-password USER');
  const named = await app.views.get(usernames, app.fingerprints.username(username));
  if (named === undefined) throw new UsageError(`There is no user ${username}.`);
  const password = fromStdin ? (await text(process.stdin)).replace(/\r?\n$/, '') : randomPassword();
  checkPassword(password);
  const passwordHash = await passwords().hash(password);
  const command = { type: 'ChangePassword', userId: named.userId, passwordHash } as const;
  const { position } = await app.execute(app.streams.users, usersDecider, command, systemContext());
  // Nodes that run meanwhile take the old one until the views have the new one.
  if (!(await app.reached(position))) throw new RegistryError('UNAVAILABLE', 'The password is set, and in use in a moment.');
  return fromStdin
    ? `${username} has the new password.`
    : `${username} has the password\n\n    ${password}\n\nwhich is shown this once.`;
};

/** Exit codes (sysexits.h): the command or the settings; what was to be moved; stopped before the end, to be repeated; a failure. */
const EX_USAGE = 64;
const EX_DATAERR = 65;
const EX_SOFTWARE = 70;
const EX_TEMPFAIL = 75;

const print = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** Aborted by the first signal, so that what is under way is finished; the second one ends the process. */
const stopSignal = (): AbortSignal => {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  return stopping.signal;
};

const onViews = async (command: string, args: string[]): Promise<string> => {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { stdin: { type: 'boolean', default: false } },
  });
  const config = readConfig();
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const folder = isShared(config) ? undefined : lockFolder(config.dataDir);
  const app = await openApp(config, { version, logger: pino({ level: 'silent' }), announce: () => undefined });
  try {
    if (command === 'reset-password') return await resetPassword(app, positionals[0], values.stdin);
    await app.rebuild();
    return 'All views are built anew.';
  } finally {
    await app.close();
    folder?.release();
  }
};

const VERBS: ReadonlyMap<string, Verb> = new Map([
  ...Object.entries(movingVerbs),
  ['migrate', migrateVerb],
  ['access', accessVerb],
]);

const run = async (): Promise<string> => {
  const [command = 'help', ...args] = process.argv.slice(2);
  if (command === 'help') return USAGE;
  if (command === 'reset-password' || command === 'rebuild') return onViews(command, args);
  const verb = VERBS.get(command);
  if (verb === undefined) throw new UsageError(`There is no command ${command}.\n\n${USAGE}`);
  return verb(args, { signal: stopSignal(), print });
};

const isForPeople = (error: unknown): error is Error => {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (String(code).startsWith('ERR_PARSE_ARGS') || (syscall !== undefined && syscall !== 'connect')) return true;
  return [UsageError, ConfigError, FolderInUse, UnusableSecrets, RegistryError].some((kind) => error instanceof kind);
};

const exitCodeOf = (error: unknown): number => {
  if (error instanceof CannotMove) return error.reason === 'stopped' ? EX_TEMPFAIL : EX_DATAERR;
  if (error instanceof NotAsSealed) return EX_DATAERR;
  if (isRefusal(error, 'UNAVAILABLE')) return EX_TEMPFAIL;
  return isForPeople(error) ? EX_USAGE : EX_SOFTWARE;
};

run().then(
  (answer) => process.stdout.write(answer === '' ? '' : `${answer}\n`),
  (error: unknown) => {
    const exitCode = exitCodeOf(error);
    print(exitCode === EX_SOFTWARE ? ((error as Error).stack ?? String(error)) : (error as Error).message);
    process.exit(exitCode); // whatever a store that could not be opened has left open
  },
);
