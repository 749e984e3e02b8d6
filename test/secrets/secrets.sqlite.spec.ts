import { createSecretKey, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import type { Secrets } from '../../src/secrets/secrets.ts';
import { UnusableSecrets } from '../../src/secrets/secrets.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';
import { secretsContract } from '../contracts/secrets.contract.ts';

const newKey = () => createSecretKey(randomBytes(32));

describe('secrets in a SQLite file', () => {
  secretsContract(() => {
    const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
    const key = newKey();
    return {
      open: () => sqliteSecrets(join(folder, 'secrets.db'), key),
      dispose: () => rmSync(folder, { recursive: true }),
    };
  });
});

describe('secrets in memory', () => {
  secretsContract(() => {
    const secrets = sqliteSecrets(':memory:', newKey());
    return { open: () => secrets, dispose: () => undefined };
  });
});

describe('the SQLite file of secrets', () => {
  const key = newKey();
  let folder: string;
  let file: string;
  let open: Secrets[];

  const opened = (withKey = key): Secrets => {
    const secrets = sqliteSecrets(file, withKey);
    open.push(secrets);
    return secrets;
  };

  const altered = (sql: string): void => {
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'secrets-'));
    file = join(folder, 'secrets', 'secrets.db');
    open = [];
  });

  afterEach(async () => {
    for (const secrets of open) await secrets.close();
    rmSync(folder, { recursive: true });
  });

  it('keeps its secrets from one start to the next', async () => {
    const first = opened();
    await first.putIfAbsent('a', Buffer.from('kept'));
    await first.close();
    expect(Buffer.from((await opened().get('a')) ?? []).toString()).to.equal('kept');
  });

  it('is readable by its owner alone, and so is its folder', () => {
    opened();
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    expect(statSync(join(folder, 'secrets')).mode & 0o777).to.equal(0o700);
  });

  it('takes permissions away that it finds too wide', () => {
    file = join(folder, 'wide.db');
    writeFileSync(file, '', { mode: 0o644 });
    opened();
    expect(statSync(file).mode & 0o777).to.equal(0o600);
  });

  it('refuses a key that it was not made with, and says so', () => {
    opened();
    expect(() => opened(newKey())).to.throw(UnusableSecrets, /key-encryption key does not fit .*secrets\.db/);
  });

  it('refuses that key also while it is empty, and opens with its own afterwards', async () => {
    await opened().close();
    expect(() => opened(newKey())).to.throw(UnusableSecrets);
    expect(await opened().list('')).to.deep.equal([]);
  });

  it('refuses a file of a newer release', async () => {
    await opened().close();
    altered('PRAGMA user_version = 2');
    expect(() => opened()).to.throw(UnusableSecrets, /newer release/);
  });

  it('refuses a file that is no database', () => {
    file = join(folder, 'noise.db');
    writeFileSync(file, randomBytes(8192));
    expect(() => opened()).to.throw(UnusableSecrets, /noise\.db cannot be opened/);
  });

  it('notices a secret that was moved to another id', async () => {
    const secrets = opened();
    await secrets.putIfAbsent('a', Buffer.from('for a'));
    altered(`UPDATE secrets SET id = 'b'`);
    const error = await secrets.get('b').catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(UnusableSecrets).with.property('message').that.contains('The secret b was altered');
  });

  it('notices a secret whose bytes were altered or cut', async () => {
    const secrets = opened();
    await secrets.putIfAbsent('a', Buffer.from('secret'));
    for (const sql of [
      `UPDATE secrets SET wrapped = CAST(wrapped || X'00' AS BLOB)`,
      `UPDATE secrets SET wrapped = X'00'`,
      `UPDATE secrets SET wrapped = X''`,
    ]) {
      altered(sql);
      expect(await secrets.getMany(['a']).catch((reason: unknown) => reason)).to.be.instanceOf(UnusableSecrets);
    }
  });

  it('shows neither a secret in the clear nor, once deleted, its ciphertext', async () => {
    const secrets = opened();
    await secrets.putIfAbsent('gone', Buffer.from('a secret that nobody should find'));
    const wrapped = Buffer.from(
      new DatabaseSync(file, { readOnly: true }).prepare('SELECT wrapped FROM secrets').get()?.wrapped as Uint8Array,
    );
    expect(readFileSync(file).includes('nobody should find')).to.equal(false);
    expect(readFileSync(file).includes(wrapped.subarray(0, 16))).to.equal(true);
    await secrets.delete('gone');
    expect(readFileSync(file).includes(wrapped.subarray(0, 16))).to.equal(false);
    expect(readdirSync(join(folder, 'secrets'))).to.deep.equal(['secrets.db']);
  });

  it('leaves nothing open when it refuses', async () => {
    await opened().close();
    expect(() => opened(newKey())).to.throw(UnusableSecrets);
    altered('BEGIN EXCLUSIVE; COMMIT');
    expect(existsSync(`${file}-journal`)).to.equal(false);
  });
});
