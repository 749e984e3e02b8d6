import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { embeddedKey, KEY_FILE, keyFromFile, keyFromText, SECRETS_FILE } from '../../src/secrets/keyEncryptionKey.ts';
import { UnusableSecrets } from '../../src/secrets/secrets.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';

// Each makes the keys of all folders, and waits before each for the others, so that they collide.
const STARTERS = 3;
const STARTER = `
  const { parentPort, workerData: { folders, barrier } } = require('node:worker_threads');
  const arrived = new Int32Array(barrier);
  const meet = (round) => {
    if (Atomics.add(arrived, 0, 1) + 1 === ${STARTERS} * (round + 1)) Atomics.notify(arrived, 0);
    for (let count; (count = Atomics.load(arrived, 0)) < ${STARTERS} * (round + 1); ) Atomics.wait(arrived, 0, count);
  };
  import(${JSON.stringify(new URL('../../src/secrets/keyEncryptionKey.ts', import.meta.url))}).then(({ embeddedKey }) => {
    const made = folders.map((folder, round) => (meet(round), embeddedKey(folder).export().toString('hex')));
    parentPort.postMessage(made);
  });
`;

describe('the key-encryption key', () => {
  let folder: string;

  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'kek-')), 'secrets');
  });

  afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

  describe('from a setting', () => {
    it('is the base64 of 32 bytes, with or without space around it', () => {
      const bytes = randomBytes(32);
      expect(
        keyFromText(` ${bytes.toString('base64')}\n`)
          .export()
          .equals(bytes),
      ).to.equal(true);
    });

    for (const [what, text] of [
      ['nothing', ''],
      ['31 bytes', randomBytes(31).toString('base64')],
      ['33 bytes', randomBytes(33).toString('base64')],
      ['hex', randomBytes(32).toString('hex')],
      ['characters outside base64', `${'A'.repeat(42)}*=`],
    ] as const) {
      it(`is refused when it is ${what}, without showing it`, () => {
        expect(() => keyFromText(text))
          .to.throw(UnusableSecrets, /^GHOSTDOCK_SECRET_KEY must hold the base64 of exactly 32 bytes/)
          .with.property('message')
          .that.does.not.include(text || '\0');
      });
    }
  });

  describe('from a file of the operator', () => {
    it('is read whatever its permissions are', () => {
      const bytes = randomBytes(32);
      const file = join(folder, '..', 'mounted');
      writeFileSync(file, bytes.toString('base64'), { mode: 0o444 });
      expect(keyFromFile(file).export().equals(bytes)).to.equal(true);
    });

    it('is refused with the name of a file that is missing or wrong', () => {
      const file = join(folder, '..', 'wrong');
      expect(() => keyFromFile(file)).to.throw(UnusableSecrets, /wrong cannot be read: ENOENT/);
      writeFileSync(file, 'no key');
      expect(() => keyFromFile(file)).to.throw(UnusableSecrets, /wrong must hold the base64/);
    });
  });

  describe('embedded', () => {
    it('is made at the first start, for its owner alone, and stays', () => {
      const made = embeddedKey(folder);
      expect(made.symmetricKeySize).to.equal(32);
      expect(statSync(join(folder, KEY_FILE)).mode & 0o777).to.equal(0o600);
      expect(embeddedKey(folder).equals(made)).to.equal(true);
      expect(readdirSync(folder)).to.deep.equal([KEY_FILE]);
    });

    it('is one key for several who start at the same moment', async () => {
      const folders = Array.from({ length: 20 }, (_, round) => join(folder, String(round)));
      const barrier = new SharedArrayBuffer(4);
      const starters = Array.from(
        { length: STARTERS },
        () => new Worker(STARTER, { eval: true, workerData: { folders, barrier } }),
      );
      const keys = (await Promise.all(starters.map((starter) => once(starter, 'message')))) as unknown as string[][][];
      folders.forEach((made, round) => {
        expect(new Set(keys.map(([of]) => of?.[round]))).to.deep.equal(new Set([embeddedKey(made).export().toString('hex')]));
        expect(readdirSync(made)).to.deep.equal([KEY_FILE]);
      });
    });

    for (const mode of [0o640, 0o604, 0o660]) {
      it(`is refused with a remedy when its mode is ${mode.toString(8)}`, () => {
        embeddedKey(folder);
        chmodSync(join(folder, KEY_FILE), mode);
        expect(() => embeddedKey(folder)).to.throw(UnusableSecrets, /others than its owner.*chmod 600 .*key$/);
      });
    }

    it('is not made anew beside secrets whose key was lost', async () => {
      await sqliteSecrets(join(folder, SECRETS_FILE), embeddedKey(folder)).close();
      rmSync(join(folder, KEY_FILE));
      expect(() => embeddedKey(folder)).to.throw(UnusableSecrets, /key is missing.*Restore it/);
      expect(existsSync(join(folder, KEY_FILE))).to.equal(false);
    });
  });
});
