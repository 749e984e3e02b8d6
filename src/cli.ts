#!/usr/bin/env node
import { mkdir } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { type App, openApp } from './app.ts';
import { usersDecider } from './commands/users.ts';
import { ConfigError, readConfig } from './config.ts';
import { RegistryError } from './errors.ts';
import { systemContext } from './firstStart.ts';
import { checkPassword, passwords, randomPassword } from './identity/passwords.ts';
import { usernameKey, usernames } from './projections/users.ts';
import { UnusableSecrets } from './secrets/secrets.ts';
import { FolderInUse, lockFolder } from './sqliteLock.ts';
import { version } from './version.ts';

const USAGE = `Usage: npm run ghostdock -- COMMAND

  reset-password USER   Gives a user a new password: a random one, or with --stdin the one on standard input.
                        Logins and tokens that the user has end.
  rebuild               Builds all views anew from the log. (A running registry does so on SIGUSR2.)
  help                  Shows this.

The registry must be stopped meanwhile. Settings come from the environment, as for the registry (docs/configuration.md).`;

/** What a person did wrong, told without a stack. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

const resetPassword = async (app: App, username: string | undefined, fromStdin: boolean): Promise<string> => {
  if (username === undefined) throw new UsageError('Whose password? reset-password USER');
  const named = await app.views.get(usernames, usernameKey(username));
  if (named === undefined) throw new UsageError(`There is no user ${username}.`);
  const password = fromStdin ? (await text(process.stdin)).replace(/\r?\n$/, '') : randomPassword();
  checkPassword(password);
  const passwordHash = await passwords().hash(password);
  await app.execute(
    app.streams.users,
    usersDecider,
    { type: 'ChangePassword', userId: named.userId, passwordHash },
    systemContext(),
  );
  return fromStdin
    ? `${username} has the new password.`
    : `${username} has the password\n\n    ${password}\n\nwhich is shown this once.`;
};

const run = async (): Promise<string> => {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { stdin: { type: 'boolean', default: false } } });
  const [command = 'help', argument] = positionals;
  if (command === 'help') return USAGE;
  if (command !== 'reset-password' && command !== 'rebuild') throw new UsageError(`There is no command ${command}.\n\n${USAGE}`);
  const config = readConfig();
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const folder = lockFolder(config.dataDir);
  const app = await openApp(config, { version, logger: pino({ level: 'silent' }), announce: () => undefined });
  try {
    if (command === 'reset-password') return await resetPassword(app, argument, values.stdin);
    await app.rebuild();
    return 'All views are built anew.';
  } finally {
    await app.close();
    folder.release();
  }
};

const isForPeople = (error: unknown): error is Error =>
  [UsageError, ConfigError, FolderInUse, UnusableSecrets, RegistryError].some((kind) => error instanceof kind) ||
  String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');

run().then(
  (answer) => process.stdout.write(`${answer}\n`),
  (error: unknown) => {
    process.stderr.write(`${isForPeople(error) ? error.message : ((error as Error).stack ?? error)}\n`);
    process.exitCode = isForPeople(error) ? 64 : 70;
  },
);
