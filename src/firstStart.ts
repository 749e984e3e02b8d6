import { randomUUID } from 'node:crypto';
import type { CommandContext, Execute } from './commands/execute.ts';
import { keysDecider } from './commands/keys.ts';
import { usersDecider } from './commands/users.ts';
import { isRefusal } from './errors.ts';
import type { EventLog } from './events/log/log.ts';
import type { Streams } from './events/streams.ts';
import type { Passwords } from './identity/passwords.ts';
import { randomPassword } from './identity/passwords.ts';
import { hasSigningKeys } from './identity/signingKeys.ts';
import { USER_IDS, userIds } from './projections/users.ts';
import type { Views } from './projections/views/views.ts';
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
  /** A configured password; a random one is made without it. */
  adminPassword: string | undefined;
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

/** Creates the user `admin` where there is no user yet. @returns whether it did */
export const ensureAdmin = async ({
  execute,
  streams,
  views,
  passwords,
  adminPassword,
  announce,
  retract,
}: FirstStart): Promise<boolean> => {
  if ((await views.get(userIds, USER_IDS)) !== undefined) return false;
  const password = adminPassword ?? randomPassword();
  if (adminPassword === undefined) announce(password);
  const passwordHash = await passwords.hash(password);
  const command = { type: 'RegisterUser', username: ADMIN, email: null, role: 'admin', passwordHash } as const;
  try {
    await execute(streams.users, usersDecider, command, systemContext());
    return true;
  } catch (error) {
    if (!isRefusal(error, 'CONFLICT')) throw error;
    if (adminPassword === undefined) retract();
    return false;
  }
};

/** Records which key signs. Done at every start, because a crash may have come between the key and its record; an old key records nothing. */
export const recordSigningKey = async (execute: Execute, streams: Streams, keyId: string): Promise<void> => {
  await execute(streams.keys, keysDecider, { type: 'RecordSigningKey', keyId, algorithm: 'HS256' }, systemContext());
};
