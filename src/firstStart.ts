import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CommandContext, Execute } from './commands/execute.ts';
import { keysDecider } from './commands/keys.ts';
import { usersDecider } from './commands/users.ts';
import { type Config, ConfigError } from './config.ts';
import { isRefusal } from './errors.ts';
import type { EventLog } from './events/log/log.ts';
import type { Streams } from './events/streams.ts';
import type { Passwords } from './identity/passwords.ts';
import { checkPassword, randomPassword } from './identity/passwords.ts';
import { hasSigningKeys } from './identity/signingKeys.ts';
import { USER_IDS, userIds } from './projections/users.ts';
import type { Views } from './projections/views/views.ts';
import type { Fingerprints } from './secrets/fingerprints.ts';
import { type Secrets, UnusableSecrets } from './secrets/secrets.ts';

export const ADMIN = 'admin';

/** What the registry does of its own accord. */
export const systemContext = (): CommandContext => {
  const commandId = randomUUID();
  return { commandId, actor: { kind: 'system', id: 'registry' }, requestId: commandId, correlationId: commandId };
};

export type FirstStart = Readonly<{
  execute: Execute;
  streams: Streams;
  /** The serving views, up to date. */
  views: Views;
  passwords: Passwords;
  fingerprints: Pick<Fingerprints, 'username'>;
  /** A configured password, asked for where it is needed; a random one is made without it. @throws ConfigError */
  adminPassword: () => string | undefined;
  /** Told the random password before it is needed, so that a crash cannot keep it from everyone. */
  announce: (password: string) => void;
  /** Told when another node made the user meanwhile: what was announced is nobody's password. */
  retract: () => void;
}>;

/**
 * A log that tells of signing keys, with a store of secrets that has none: the store was lost, or is another one. Without this, new keys
 * would be made, and everything that is sealed in the log would read as erased.
 * @throws UnusableSecrets
 */
export const refuseLostSecrets = async (log: Pick<EventLog, 'readStream'>, secrets: Secrets, streams: Streams): Promise<void> => {
  if (await hasSigningKeys(secrets)) return;
  if ((await log.readStream(streams.keys, { limit: 1 })).length === 0) return;
  throw new UnusableSecrets(
    'The event log has a history, but its secrets are not here. Restore them, with their key, from their backup (or with `ghostdock import-secrets`): without them, all that is sealed in the log would be lost.',
  );
};

const readPassword = (file: string): string => {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new ConfigError([`GHOSTDOCK_ADMIN_PASSWORD_FILE cannot be read: ${(error as Error).message}.`]);
  }
};

/** The password that the settings have for the first administrator. @throws ConfigError when it is none that a user could choose */
export const configuredPassword = ({ adminPassword, adminPasswordFile }: Config): string | undefined => {
  const password = adminPasswordFile === undefined ? adminPassword : readPassword(adminPasswordFile);
  if (password === undefined) return undefined;
  try {
    checkPassword(password, { username: ADMIN });
  } catch (error) {
    const setting =
      adminPasswordFile === undefined ? 'GHOSTDOCK_ADMIN_PASSWORD' : 'The password in GHOSTDOCK_ADMIN_PASSWORD_FILE';
    throw new ConfigError([`${setting} cannot be that of the first administrator. ${(error as Error).message}`]);
  }
  return password;
};

/** Creates the user `admin` where there is no user yet. @returns whether it did */
export const ensureAdmin = async ({
  execute,
  streams,
  views,
  passwords,
  fingerprints,
  adminPassword,
  announce,
  retract,
}: FirstStart): Promise<boolean> => {
  if ((await views.get(userIds, USER_IDS)) !== undefined) return false;
  const configured = adminPassword();
  const password = configured ?? randomPassword();
  if (configured === undefined) announce(password);
  const passwordHash = await passwords.hash(password);
  const fingerprint = fingerprints.username(ADMIN);
  const command = { type: 'RegisterUser', username: ADMIN, fingerprint, email: null, role: 'admin', passwordHash } as const;
  try {
    await execute(streams.users, usersDecider, command, systemContext());
    return true;
  } catch (error) {
    if (!isRefusal(error, 'CONFLICT')) throw error;
    if (configured === undefined) retract();
    return false;
  }
};

/** Records which key signs. Done at every start, because a crash may have come between the key and its record; an old key records nothing. */
export const recordSigningKey = async (
  execute: Execute,
  streams: Streams,
  keyId: string,
  context: CommandContext = systemContext(),
): Promise<void> => {
  await execute(streams.keys, keysDecider, { type: 'RecordSigningKey', keyId, algorithm: 'HS256' }, context);
};
