import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { lock, unlock } from './aead.ts';
import type { KeyEncryptionKey } from './keyEncryptionKey.ts';
import { makePrivateFile, makePrivateFolder } from './privateFiles.ts';
import { checkId, type Secrets, UnusableSecrets } from './secrets.ts';

const FORMAT = 1;

// No id contains a space, so no secret can stand in for the check value.
const CHECK = 'check value';

// A rollback journal, not a WAL: a deleted secret must not live on in a log file, and writes are rare. EXTRA is FULL and
// syncs the folder after the journal is gone, without which the last commit may be rolled back after a loss of power.
const SETTINGS = `
  PRAGMA journal_mode = DELETE;
  PRAGMA synchronous = EXTRA;
  PRAGMA secure_delete = ON;
`;

const TABLES = `
  CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, wrapped BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS secrets (id TEXT PRIMARY KEY, wrapped BLOB NOT NULL) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${FORMAT};
`;

/** How long another process may hold the file, in milliseconds. */
const PATIENCE = 5000;

/**
 * Secrets in a small SQLite file of their own (mode 0600), or in memory for `:memory:`.
 * @throws UnusableSecrets when `key` is not the one that the file was made with, or the file is damaged or newer
 */
export const sqliteSecrets = (file: string, key: KeyEncryptionKey): Secrets => {
  const database = open(file, key);
  const select = database.prepare('SELECT wrapped FROM secrets WHERE id = ?');
  const insert = database.prepare('INSERT INTO secrets (id, wrapped) VALUES (?, ?) ON CONFLICT DO NOTHING');
  const remove = database.prepare('DELETE FROM secrets WHERE id = ?');
  const idsBetween = database.prepare('SELECT id FROM secrets WHERE id >= ? AND id < ? ORDER BY id');

  const get = (id: string): Uint8Array | undefined => {
    const row = select.get(id);
    return row === undefined ? undefined : unwrap(key, id, row.wrapped as Uint8Array);
  };

  const putIfAbsent = (id: string, secret: Uint8Array): Uint8Array => {
    const stored = get(id);
    if (stored !== undefined) return stored;
    insert.run(id, lock(key, secret, id));
    return get(id) ?? putIfAbsent(id, secret); // deleted in between by another process
  };

  return {
    get: async (id) => get(id),
    getMany: async (ids) => ids.map(get),
    putIfAbsent: async (id, secret) => putIfAbsent(checkId(id), secret),
    delete: async (id) => {
      remove.run(id);
    },
    // DEL sorts after everything that an id may contain.
    list: async (prefix) => idsBetween.all(prefix, `${prefix}\x7f`).map(({ id }) => id as string),
    close: async () => {
      if (database.isOpen) database.close();
    },
  };
};

const open = (file: string, key: KeyEncryptionKey): DatabaseSync => {
  if (file !== ':memory:') {
    makePrivateFolder(dirname(file));
    makePrivateFile(file);
  }
  const database = new DatabaseSync(file, { timeout: PATIENCE });
  try {
    database.exec(SETTINGS);
    prepare(database, file, key);
    return database;
  } catch (error) {
    database.close();
    if (error instanceof UnusableSecrets) throw error;
    throw new UnusableSecrets(`The secrets in ${file} cannot be opened: ${(error as Error).message}`, { cause: error });
  }
};

const prepare = (database: DatabaseSync, file: string, key: KeyEncryptionKey): void => {
  const format = Number(database.prepare('PRAGMA user_version').get()?.user_version);
  if (format > FORMAT)
    throw new UnusableSecrets(`The secrets in ${file} were written by a newer release. Run at least that one.`);
  // IMMEDIATE: of two processes that open a new file at once, one makes the check value and the other is held to it.
  database.exec(`BEGIN IMMEDIATE; ${TABLES}`);
  const insert = database.prepare('INSERT INTO about (name, wrapped) VALUES (?, ?) ON CONFLICT DO NOTHING');
  insert.run(CHECK, lock(key, Buffer.alloc(0), CHECK));
  const check = database.prepare('SELECT wrapped FROM about WHERE name = ?').get(CHECK);
  if (unlock(key, check?.wrapped as Uint8Array, CHECK) === undefined) {
    throw new UnusableSecrets(
      `The key-encryption key does not fit the secrets in ${file}: they were wrapped with another. Start with that one (GHOSTDOCK_SECRET_KEY, or its file), or restore it from its backup.`,
    );
  }
  database.exec('COMMIT');
};

const unwrap = (key: KeyEncryptionKey, id: string, wrapped: Uint8Array): Uint8Array => {
  const secret = unlock(key, wrapped, id);
  if (secret === undefined) throw new UnusableSecrets(`The secret ${id} was altered at rest: it cannot be unwrapped.`);
  return secret;
};
