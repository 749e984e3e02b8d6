import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEY_LENGTH } from './aead.ts';
import { makePrivateFolder, permissionsForOthers, writePrivateFileOnce } from './privateFiles.ts';
import { UnusableSecrets } from './secrets.ts';

/** Wraps every other secret. Lives outside the stores that it guards, and is backed up apart from them. */
export type KeyEncryptionKey = KeyObject;

/** The embedded secrets: both files stand in one folder. */
export const KEY_FILE = 'key';
export const SECRETS_FILE = 'secrets.db';

const BASE64_OF_KEY = /^[A-Za-z0-9+/]{43}=?$/;

/** @param source what the text came from, for the message. @throws UnusableSecrets */
export const keyFromText = (text: string, source = 'GHOSTDOCK_SECRET_KEY'): KeyEncryptionKey => {
  const trimmed = text.trim();
  if (!BASE64_OF_KEY.test(trimmed)) {
    throw new UnusableSecrets(
      `${source} must hold the base64 of exactly ${KEY_LENGTH} bytes, such as \`openssl rand -base64 ${KEY_LENGTH}\` prints.`,
    );
  }
  return createSecretKey(trimmed, 'base64');
};

/**
 * A key that the operator keeps in a file. Its permissions are the operator's: containers' mounted secrets are often
 * readable by everyone inside. @throws UnusableSecrets
 */
export const keyFromFile = (file: string): KeyEncryptionKey => {
  try {
    return keyFromText(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if (error instanceof UnusableSecrets) throw error;
    throw new UnusableSecrets(`The key-encryption key in ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
};

/**
 * The embedded key `<folder>/key`, made at the first start; of several processes that start at once, all get the same.
 * @throws UnusableSecrets when others may read it, or when it is missing beside secrets that it wrapped
 */
export const embeddedKey = (folder: string): KeyEncryptionKey => {
  const file = join(folder, KEY_FILE);
  if (!existsSync(file)) makeKey(folder, file);
  const others = permissionsForOthers(file);
  if (others !== 0) {
    throw new UnusableSecrets(`${file} may be used by others than its owner. Take that away first: chmod 600 ${file}`);
  }
  return keyFromFile(file);
};

// The store is only ever opened with a key in hand, so a store without a key is one whose key was lost: a new key would
// not fit it, and would stand where the old one must be put back.
const makeKey = (folder: string, file: string): void => {
  const secrets = join(folder, SECRETS_FILE);
  if (existsSync(secrets) && !existsSync(file)) {
    throw new UnusableSecrets(`${file} is missing, and ${secrets} cannot be read without it. Restore it from its backup.`);
  }
  makePrivateFolder(folder);
  const temporary = `${file}.${randomBytes(8).toString('hex')}`;
  writePrivateFileOnce(file, `${randomBytes(KEY_LENGTH).toString('base64')}\n`, temporary);
};
