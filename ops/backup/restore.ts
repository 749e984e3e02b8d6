import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { KEY_FILE, keyFromFile, keyFromText, SECRETS_FILE } from '../../src/secrets/keyEncryptionKey.ts';
import { UnusableSecrets } from '../../src/secrets/secrets.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';
import { FolderInUse, lockFolder } from '../../src/sqliteLock.ts';
import { overlap } from './bytes.ts';
import { EXPORT } from './log.ts';
import { type AboutKeys, type AboutRegistry, copyChecked, type Entry, readManifest, Unusable } from './manifest.ts';

export type Restoring = Readonly<{
  backup: string;
  /** Undefined: the log and the secrets are on servers, and only bytes come into the folder. */
  keys: string | undefined;
  /** The data folder to be: new, or empty. */
  target: string;
  /** Also a backup that lacked bytes when it was taken. */
  acceptMissing: boolean;
  /** Also keys that were taken before the log. */
  olderKeys: boolean;
  say: (text: string) => void;
}>;

/** What a freshly made file system may have in it. */
const IGNORED = ['lost+found'];
const FILLED = ['secrets', 'blobs', 'log'];
/** What the lock leaves behind. */
const LOCK = ['registry.lock', 'registry.pid'];

const mustBeEmpty = (target: string): void => {
  mkdirSync(target, { recursive: true, mode: 0o700 });
  if (readdirSync(target).some((name) => !IGNORED.includes(name) && !LOCK.includes(name)))
    throw new Unusable(`${target} is not empty. A restore only goes into a new folder: move the old one away first.`);
};

const mustBeWhole = ({ missing }: AboutRegistry, { acceptMissing, backup }: Restoring): void => {
  if (missing.length > 0 && !acceptMissing)
    throw new Unusable(`${backup} lacks ${missing.length} blobs that its log links. --accept-missing restores the rest.`);
};

const mustBeYounger = (keys: AboutKeys, log: AboutRegistry, { olderKeys }: Restoring): void => {
  if (keys.takenAt < log.takenAt && !olderKeys)
    throw new Unusable(
      `The keys were taken at ${keys.takenAt}, before the log (${log.takenAt}): who came in between could not log in any more. Take a younger backup of the keys; --older-keys goes on without.`,
    );
};

const mustHoldSigningKey = (secrets: string, signingKey: string | null): void => {
  if (signingKey === null) return;
  const database = new DatabaseSync(secrets, { readOnly: true });
  try {
    const found = database.prepare('SELECT 1 FROM secrets WHERE id = ?').get(`signing:${signingKey}`);
    if (found === undefined)
      throw new Unusable('The keys are those of another registry: they lack the signing key that the log names.');
  } finally {
    database.close();
  }
};

/** With the key of the backup, or the one that the environment gives as it gives it to the registry. */
const mustFit = async (
  folder: string,
  { keyIncluded }: AboutKeys,
  env: NodeJS.ProcessEnv,
  say: Restoring['say'],
): Promise<void> => {
  const { GHOSTDOCK_SECRET_KEY: text, GHOSTDOCK_SECRET_KEY_FILE: file } = env;
  if (!keyIncluded && !text && !file) {
    say(
      'The key is not in the backup. Start the registry with the GHOSTDOCK_SECRET_KEY or GHOSTDOCK_SECRET_KEY_FILE that it had: any other is refused.',
    );
    return;
  }
  try {
    const fromOutside = text ? () => keyFromText(text) : () => keyFromFile(file ?? '');
    const key = keyIncluded ? keyFromFile(join(folder, KEY_FILE)) : fromOutside();
    await sqliteSecrets(join(folder, SECRETS_FILE), key).close();
  } catch (cause) {
    if (cause instanceof UnusableSecrets) throw new Unusable(cause.message, { cause });
    throw cause;
  }
};

const copyAll = async (from: string, to: string, entries: readonly Entry[]): Promise<void> => {
  for (const entry of entries) {
    mkdirSync(dirname(join(to, entry.path)), { recursive: true, mode: 0o700 });
    await copyChecked(from, join(to, entry.path), entry);
  }
};

const isLog = ({ path }: Entry): boolean => path.startsWith('log/');

/** Holds the lock of the folder meanwhile, so that no registry can start on half of it. */
const locked = async (target: string, work: () => Promise<void>): Promise<void> => {
  try {
    const lock = lockFolder(target);
    await work().finally(lock.release);
  } catch (cause) {
    if (cause instanceof FolderInUse) throw new Unusable(cause.message, { cause });
    throw cause;
  }
};

const restoreKeys = async (restoring: Restoring, keys: string, log: AboutRegistry): Promise<void> => {
  const { about, entries } = readManifest(keys, 'keys');
  mustBeYounger(about, log, restoring);
  const secrets = join(restoring.target, 'secrets');
  await copyAll(keys, secrets, entries);
  mustHoldSigningKey(join(secrets, SECRETS_FILE), log.signingKey);
  await mustFit(secrets, about, process.env, restoring.say);
};

/**
 * Puts log, bytes and keys into a new folder, every byte compared with what was taken. Views are not restored: the next start computes
 * them from the log. The log comes last, so that a folder with a log is whole. A failure leaves the folder as empty as it was.
 */
export const restore = async (restoring: Restoring): Promise<void> => {
  const { backup, keys, target, say } = restoring;
  const { about, entries } = readManifest(backup, 'registry');
  const exported = entries.some(({ path }) => path === EXPORT);
  mustBeWhole(about, restoring);
  if (keys === undefined && !exported)
    throw new Unusable(`${backup} holds an embedded log, which is of no use without its keys.`);
  if (overlap(backup, target) || (keys !== undefined && overlap(keys, target)))
    throw new Unusable(`${target} and the backups must be apart from each other.`);
  mustBeEmpty(target);
  const fill = async (): Promise<void> => {
    if (keys !== undefined) await restoreKeys(restoring, keys, about);
    const bytes = entries.filter((entry) => !isLog(entry));
    await copyAll(backup, target, bytes);
    await copyAll(backup, target, entries.filter(isLog));
    say(`Restored into ${target}: ${about.events} events${keys === undefined ? '' : ', the keys'} and ${bytes.length} blobs.`);
  };
  await locked(target, () =>
    fill().catch((error: unknown) => {
      for (const folder of FILLED) rmSync(join(target, folder), { recursive: true, force: true });
      throw error;
    }),
  );
  say(
    exported
      ? `Now import the log, where it belongs: ghostdock import ${join(target, EXPORT)}`
      : 'The next start builds the views.',
  );
};
