import { expect } from 'chai';
import fc from 'fast-check';
import { COMMON_PASSWORDS, isCommonPassword } from '../../src/identity/commonPasswords.ts';
import { randomPassword } from '../../src/identity/passwords.ts';
import { PASSWORD } from '../support/registryProcess.ts';

describe('a password that is guessed first', () => {
  it('is one of more than a thousand', () => {
    expect(COMMON_PASSWORDS).to.be.greaterThan(1000);
  });

  const COMMON: Readonly<Record<string, readonly string[]>> = {
    'a word of the list': ['password', 'sunshine', 'iloveyou', 'liverpool', 'administrator', 'correcthorsebatterystaple'],
    'a walk over the keyboard': ['qwertyuiop', '1qaz2wsx', 'asdfghjkl;', '!@#$%^&*', 'zaq12wsx', '147258369'],
    'a row of neighbours': ['12345678', '87654321', 'abcdefgh', 'zyxwvuts', '23456789'],
    'one piece again and again': ['aaaaaaaa', 'abababab', '12341234', 'monkeymonkey', 'passwordpassword'],
    'a word with a capital letter': ['Password', 'SUNSHINE', 'iLoveYou'],
    'a word with digits and signs around it': [
      'password1',
      'Summer2026!',
      '123dragon',
      '!!!football!!!',
      'max123456',
      'Welcome#1',
    ],
    'a word with digits that look like letters': ['p4ssw0rd', 'P@$$w0rd', 'f00tb4ll', 'adm1nistrat0r', 'p@55word!'],
  };
  for (const [what, passwords] of Object.entries(COMMON))
    it(`is ${what}`, () => {
      for (const password of passwords) expect(isCommonPassword(password), password).to.equal(true);
    });

  it('is not one of several words, nor one that nobody has thought of', () => {
    const good = [
      PASSWORD,
      'another correct horse',
      'blue cars sing loudly',
      'x7#kQ9!zLp',
      'dragonflywheel',
      'my dog ate 3 shoes',
      'ﬁördür23',
    ];
    for (const password of good) expect(isCommonPassword(password), password).to.equal(false);
  });

  it('is never one that the registry makes', () => {
    for (let n = 0; n < 200; n += 1) expect(isCommonPassword(randomPassword())).to.equal(false);
  });

  it('is told of any text, in no more time than its length takes', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 1024 }), (text) => typeof isCommonPassword(text) === 'boolean'));
    expect(isCommonPassword(`${'1!'.repeat(512)}x`)).to.be.a('boolean');
  });
});
