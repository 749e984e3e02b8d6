import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CannotMove } from '../../src/moving/cannotMove.ts';
import { copySecrets, putSecrets } from '../../src/moving/copySecrets.ts';
import { exportSecrets, importSecrets } from '../../src/moving/secretsFile.ts';
import type { KeyEncryptionKey } from '../../src/secrets/keyEncryptionKey.ts';
import { type Secrets, UnusableSecrets } from '../../src/secrets/secrets.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';
import { rejectionOf } from '../contracts/eventLog/given.ts';

const newKey = (): KeyEncryptionKey => createSecretKey(randomBytes(32));
const key = newKey();

type Contents = Readonly<Record<string, string>>;

const storeOf = async (contents: Contents, wrappedBy: KeyEncryptionKey = newKey()): Promise<Secrets> => {
  const secrets = sqliteSecrets(':memory:', wrappedBy);
  for (const [id, secret] of Object.entries(contents)) await secrets.putIfAbsent(id, Buffer.from(secret));
  return secrets;
};

const contentsOf = async (secrets: Secrets): Promise<Contents> => {
  const ids = await secrets.list('');
  const found = await secrets.getMany(ids);
  return Object.fromEntries(ids.map((id, index) => [id, Buffer.from(found[index] ?? '').toString()]));
};

const SECRETS = { 'signing:1': 'one', 'subject:user-1': 'two', 'subject:user-2': 'ü💙' };

/** More than are read at a time. */
const many = (count: number): Contents =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`subject:${n}`, `secret ${n}`]));

describe('Secrets that move from store to store', () => {
  it('are the same on the other side, under the key of the other side', async () => {
    const target = await storeOf({});
    expect(await copySecrets(await storeOf(SECRETS), target)).to.deep.equal({ secrets: 3, alreadyThere: 0 });
    expect(await contentsOf(target)).to.deep.equal(SECRETS);
  });

  it('are all carried over, however many they are', async () => {
    const target = await storeOf({});
    await copySecrets(await storeOf(many(1203)), target);
    expect(await contentsOf(target)).to.deep.equal(many(1203));
  });

  it('may be there already, from an attempt that was broken off', async () => {
    const target = await storeOf({ 'subject:user-1': 'two' });
    expect(await copySecrets(await storeOf(SECRETS), target)).to.deep.equal({ secrets: 3, alreadyThere: 1 });
    expect(await contentsOf(target)).to.deep.equal(SECRETS);
  });

  it('are refused where one is there with another content, before any is written', async () => {
    const target = await storeOf({ 'subject:user-2': 'other' });
    const error = await rejectionOf(copySecrets(await storeOf(SECRETS), target), CannotMove);
    expect(error.message).to.contain('another secret under the id subject:user-2');
    expect(await contentsOf(target)).to.deep.equal({ 'subject:user-2': 'other' });
  });

  it('are refused where the target has some that the source has not: they may be those of somebody who was erased', async () => {
    const target = await storeOf({ 'subject:user-9': 'erased here' });
    const error = await rejectionOf(copySecrets(await storeOf(SECRETS), target), CannotMove);
    expect(error.message).to.contain('1 secrets that the source has not, such as subject:user-9');
    expect(await contentsOf(target)).to.deep.equal({ 'subject:user-9': 'erased here' });
  });
});

describe('Secrets of somebody who was erased', () => {
  const erasedIn = async (): Promise<Secrets> => storeOf({ 'signing:1': 'one', 'erased:user-1': '', 'subject:user-2': 'ü💙' });

  it('are not brought back by those that were exported before', async () => {
    const target = await erasedIn();
    expect(
      await putSecrets(() => Object.entries(SECRETS).map(([id, secret]) => ({ id, secret: Buffer.from(secret) })), target),
    ).to.deep.equal({ secrets: 2, alreadyThere: 2 });
    expect(await contentsOf(target)).to.deep.equal({ 'erased:user-1': '', 'signing:1': 'one', 'subject:user-2': 'ü💙' });
  });

  it('are on record as erased on the other side, too', async () => {
    const target = await storeOf({});
    await copySecrets(await erasedIn(), target);
    expect(await contentsOf(target)).to.deep.equal(await contentsOf(await erasedIn()));
  });
});

describe('Secrets in a file', () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'moving-'));
    file = join(folder, 'secrets.ndjson');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const exported = async (contents: Contents): Promise<number> => exportSecrets(file, await storeOf(contents), key, '1.0.0');
  const lines = (): string[] => readFileSync(file, 'utf8').split(/(?<=\n)/);
  const rewrite = (changed: readonly string[]): void => writeFileSync(file, changed.join(''));

  it('come back as they were, into a store with any key', async () => {
    expect(await exported(SECRETS)).to.equal(3);
    const target = await storeOf({});
    expect(await importSecrets(file, target, key)).to.deep.equal({ secrets: 3, alreadyThere: 0 });
    expect(await contentsOf(target)).to.deep.equal(SECRETS);
  });

  it('are for the owner alone, and cannot be read without the key', async () => {
    await exported({ 'subject:user-1': 'a secret that can be found' });
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    const text = readFileSync(file, 'utf8');
    for (const encoding of ['utf8', 'base64', 'hex'] as const)
      expect(text).to.not.contain(Buffer.from('a secret that can be found').toString(encoding));
  });

  it('are wrapped otherwise each time', async () => {
    await exported(SECRETS);
    const first = lines();
    rmSync(file);
    await exported(SECRETS);
    expect(lines()[1]).to.not.equal(first[1]);
  });

  it('are refused where the key does not fit, even when there are none', async () => {
    await exported({});
    const error = await rejectionOf(importSecrets(file, await storeOf({}), newKey()), UnusableSecrets);
    expect(error.message).to.contain('key-encryption key does not fit').and.to.contain('GHOSTDOCK_SECRET_KEY');
  });

  it('are refused where one is there with another content, before any is written', async () => {
    await exported(SECRETS);
    const target = await storeOf({ 'subject:user-2': 'other' });
    await rejectionOf(importSecrets(file, target, key), CannotMove);
    expect(await contentsOf(target)).to.deep.equal({ 'subject:user-2': 'other' });
  });

  it('may come to others that are there', async () => {
    await exported(SECRETS);
    const target = await storeOf({ 'subject:user-1': 'two', 'subject:user-9': 'more' });
    expect(await importSecrets(file, target, key)).to.deep.equal({ secrets: 3, alreadyThere: 1 });
    expect(await contentsOf(target)).to.deep.equal({ ...SECRETS, 'subject:user-9': 'more' });
  });

  it('are never written over a file', async () => {
    writeFileSync(file, 'precious');
    expect((await rejectionOf(exported(SECRETS), CannotMove)).message).to.contain('exists already');
    expect(readFileSync(file, 'utf8')).to.equal('precious');
  });

  const swapped = ([header = '', one = '', two = '', ...rest]: readonly string[]): readonly string[] => {
    const [first, second] = [JSON.parse(one), JSON.parse(two)];
    return [
      header,
      `${JSON.stringify({ ...first, wrapped: second.wrapped })}\n`,
      `${JSON.stringify({ ...second, wrapped: first.wrapped })}\n`,
      ...rest,
    ];
  };

  const cases: readonly (readonly [string, (lines: readonly string[]) => readonly string[], RegExp])[] = [
    ['broke off', (all) => all.slice(0, -1), /broke off/],
    ['broke off within a line', (all) => [...all.slice(0, -1), (all.at(-1) ?? '').slice(0, 20)], /broke off/],
    ['has lost a line', (all) => all.toSpliced(2, 1), /was altered/],
    ['has one twice', (all) => all.toSpliced(2, 0, all[2] ?? ''), /was altered/],
    ['has two under the ids of each other', swapped, /The secret signing:1 .* was altered/],
    ['goes on after its end', (all) => [...all, all[1] ?? ''], /goes on after its last line/],
    ['is something else', () => ['{}\n'], /no export of a registry's secrets/],
    ['is empty', () => [], /broke off/],
    ['is of a newer format', (all) => all.map((line) => line.replace('"version":1', '"version":2')), /newer release 1\.0\.0/],
  ];
  for (const [what, change, message] of cases) {
    it(`are refused where the file ${what}`, async () => {
      await exported(SECRETS);
      rewrite(change(lines()));
      const target = await storeOf({});
      expect((await rejectionOf(importSecrets(file, target, key), CannotMove)).message).to.match(message);
      expect(await contentsOf(target)).to.deep.equal({});
    });
  }
});
