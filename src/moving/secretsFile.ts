import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { lock, unlock } from '../secrets/aead.ts';
import type { KeyEncryptionKey } from '../secrets/keyEncryptionKey.ts';
import { syncFolder } from '../secrets/privateFiles.ts';
import { checkId, type Secrets, UnusableSecrets } from '../secrets/secrets.ts';
import { refused } from './cannotMove.ts';
import { putSecrets, type Secret, secretsIn } from './copySecrets.ts';
import { linesOf } from './lines.ts';

// A file of lines: the first one tells whether a key fits, the last one whether the file is whole; between them a secret a line,
// wrapped with the key-encryption key and bound to its id, as the stores hold them.

const FORMAT = 'ghostdock-secrets';
const VERSION = 1;
// No id contains a space, so no secret can stand in for it.
const CHECK = 'check value';

const inBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/**
 * Writes all secrets to a new file for its owner alone, wrapped with `key`: the file is worth nothing without it.
 * @returns how many there are
 * @throws CannotMove when the file exists
 */
export const exportSecrets = async (file: string, secrets: Secrets, key: KeyEncryptionKey, release: string): Promise<number> => {
  const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? refused(`${file} exists already. Export to another file.`) : error;
  });
  const hash = createHash('sha256');
  let count = 0;
  const write = async (value: object): Promise<void> => {
    const line = `${JSON.stringify(value)}\n`;
    hash.update(line);
    await handle.appendFile(line);
  };
  try {
    await write({ format: FORMAT, version: VERSION, release, check: inBase64(lock(key, Buffer.alloc(0), CHECK)) });
    for await (const { id, secret } of secretsIn(secrets)) {
      await write({ id, wrapped: inBase64(lock(key, secret, id)) });
      count += 1;
    }
    await write({ secrets: count, sha256: hash.copy().digest('hex') });
    await handle.sync();
  } finally {
    await handle.close();
  }
  syncFolder(dirname(file));
  return count;
};

type Fields = Readonly<Record<string, unknown>>;

const parsed = (file: string, line: string, number: number): Fields => {
  try {
    return JSON.parse(line) as Fields;
  } catch (cause) {
    throw refused(`Line ${number} of ${file} was altered: it cannot be read.`, cause);
  }
};

const mustFit = (file: string, header: Fields, key: KeyEncryptionKey): void => {
  if (header.format !== FORMAT) throw refused(`${file} is no export of a registry's secrets.`);
  if (Number(header.version) > VERSION)
    throw refused(`${file} was written by the newer release ${String(header.release)}. Run at least that release here.`);
  if (unlock(key, Buffer.from(String(header.check), 'base64'), CHECK) === undefined) {
    throw new UnusableSecrets(
      `The key-encryption key does not fit the secrets in ${file}: they were wrapped with another. Set that one (GHOSTDOCK_SECRET_KEY, or its file).`,
    );
  }
};

const secretOf = (file: string, { id, wrapped }: Fields, key: KeyEncryptionKey): Secret => {
  const name = checkId(String(id));
  const secret = unlock(key, Buffer.from(String(wrapped), 'base64'), name);
  if (secret === undefined) throw refused(`The secret ${name} in ${file} was altered: it cannot be unwrapped.`);
  return { id: name, secret };
};

/** @throws CannotMove when the file is not whole or was altered, UnusableSecrets when the key does not fit */
const readSecrets = async (file: string, key: KeyEncryptionKey): Promise<readonly Secret[]> => {
  const secrets: Secret[] = [];
  const hash = createHash('sha256');
  let number = 0;
  let footer: Fields | undefined;
  for await (const { text } of linesOf(file)) {
    number += 1;
    const fields = parsed(file, text, number);
    if (footer !== undefined) throw refused(`${file} was altered: it goes on after its last line.`);
    if (number === 1) mustFit(file, fields, key);
    else if (fields.id === undefined) footer = { ...fields, found: hash.copy().digest('hex') };
    else secrets.push(secretOf(file, fields, key));
    hash.update(text);
  }
  if (footer === undefined) throw refused(`${file} broke off before its end. Export the secrets again.`);
  if (footer.secrets !== secrets.length || footer.sha256 !== footer.found) throw refused(`${file} was altered.`);
  return secrets;
};

/**
 * Puts the secrets of a file into a store, once all of them were unwrapped.
 * @throws CannotMove; UnusableSecrets when the key does not fit
 */
export const importSecrets = async (
  file: string,
  secrets: Secrets,
  key: KeyEncryptionKey,
): Promise<Readonly<{ secrets: number; alreadyThere: number }>> => {
  const found = await readSecrets(file, key);
  return putSecrets(() => found, secrets);
};
