import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigError, readConfig } from '../src/config.ts';
import { configuredPassword } from '../src/firstStart.ts';

const GOOD = 'blue cars sing loudly';

describe('the password of the first administrator', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'first-start-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  const fileOf = (text: string): string => {
    const file = join(folder, 'password');
    writeFileSync(file, text);
    return file;
  };
  const passwordOf = (env: Readonly<Record<string, string>>) => configuredPassword(readConfig(env));
  const problemOf = (env: Readonly<Record<string, string>>): string => {
    try {
      passwordOf(env);
    } catch (error) {
      expect(error).to.be.instanceOf(ConfigError);
      return (error as Error).message;
    }
    throw new Error('It was not refused.');
  };

  it('is none where none is set', () => expect(passwordOf({})).to.equal(undefined));

  it('is the one that is set', () => expect(passwordOf({ GHOSTDOCK_ADMIN_PASSWORD: GOOD })).to.equal(GOOD));

  for (const end of ['', '\n', '\r\n'])
    it(`is what its file holds, ending in ${JSON.stringify(end)}`, () =>
      expect(passwordOf({ GHOSTDOCK_ADMIN_PASSWORD_FILE: fileOf(` ${GOOD} ${end}`) })).to.equal(` ${GOOD} `));

  for (const [why, password, message] of [
    ['that is guessed first', 'Password123!', 'one of those that are guessed first'],
    ['that is short', 'x7#kQ9!', 'at least 8 characters'],
    ['of two lines', `${GOOD}\n${GOOD}`, 'no control characters'],
  ] as const)
    it(`is not one ${why}, and is not told then`, () => {
      const told = problemOf({ GHOSTDOCK_ADMIN_PASSWORD_FILE: fileOf(password) });
      expect(told).to.match(/^The password in GHOSTDOCK_ADMIN_PASSWORD_FILE cannot be that of the first administrator\./);
      expect(told).to.contain(message).and.not.to.contain(password);
    });

  it('is not one that is guessed first in the setting either', () =>
    expect(problemOf({ GHOSTDOCK_ADMIN_PASSWORD: 'changeme123' })).to.match(
      /^GHOSTDOCK_ADMIN_PASSWORD cannot be that of the first administrator\. This password is one of those/,
    ));

  it('is not looked for in vain', () =>
    expect(problemOf({ GHOSTDOCK_ADMIN_PASSWORD_FILE: join(folder, 'nowhere') })).to.contain('cannot be read: ENOENT'));
});
