import { parseOptions } from '@node-rs/argon2';
import { expect } from 'chai';
import fc from 'fast-check';
import { newAccessTokenValue } from '../../src/identity/accessTokenValue.ts';
import {
  checkPassword,
  type PasswordHolder,
  type PasswordOptions,
  passwords,
  randomPassword,
  unmatchedHash,
} from '../../src/identity/passwords.ts';
import { clock, refusalOf } from './refusals.ts';

const SMALL: PasswordOptions = { memoryCost: 8, timeCost: 1 };
const PASSWORD = 'correct horse';
const HASH = await passwords(SMALL).hash(PASSWORD);

describe('passwords', () => {
  const holder = async (password = PASSWORD, options = SMALL): Promise<PasswordHolder> => ({
    userId: 1,
    securityVersion: 1,
    passwordHash: await passwords(options).hash(password),
  });

  it('are hashed with argon2id as OWASP asks for, salted', async () => {
    const [one, two] = await Promise.all([passwords().hash(PASSWORD), passwords().hash(PASSWORD)]);
    expect(one).to.match(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(one).to.not.equal(two);
  });

  it('are told from all others', async () => {
    const checks = passwords(SMALL);
    expect(await checks.verify(await holder(), PASSWORD)).to.equal(true);
    for (const wrong of ['', 'correct hors', 'Correct horse', `${PASSWORD} `, `${PASSWORD}\0`]) {
      expect(await checks.verify(await holder(), wrong), wrong).to.equal(false);
    }
  });

  it('of any characters work, however they were composed', async () => {
    const checks = passwords(SMALL);
    const composed = await holder('caf\u00e9 \u{1f511} geheim');
    expect(await checks.verify(composed, 'cafe\u0301 \u{1f511} geheim')).to.equal(true);
  });

  it('that were hashed with other parameters are still known', async () => {
    const old = await holder(PASSWORD, { memoryCost: 16, timeCost: 2 });
    expect(await passwords(SMALL).verify(old, PASSWORD)).to.equal(true);
  });

  describe('that cannot match', () => {
    it('of an unknown user are compared with a hash of the same parameters', () => {
      const unmatched = unmatchedHash({ memoryCost: 8, timeCost: 1, parallelism: 1 });
      expect(parseOptions(unmatched)).to.deep.equal(parseOptions(HASH));
    });

    it('of an unknown user take their place in the queue like others', async () => {
      const checks = passwords({ ...SMALL, width: 1, longestQueue: 0 });
      const underWay = checks.verify(undefined, PASSWORD);
      expect((await refusalOf(() => checks.verify(undefined, PASSWORD))).code).to.equal('UNAVAILABLE');
      expect(await underWay).to.equal(false);
    });

    it('of an erased user are nobody’s, not even the word itself', async () => {
      const erased = { ...(await holder()), passwordHash: 'erased' };
      const checks = passwords({ ...SMALL, width: 1, longestQueue: 0 });
      const underWay = checks.verify(erased, 'erased');
      expect((await refusalOf(() => checks.verify(erased, 'erased'))).code).to.equal('UNAVAILABLE');
      expect(await underWay).to.equal(false);
      expect(checks.rememberedFor(erased, 'erased')).to.equal(0);
    });

    it('because the hash is damaged are a failure of the registry', async () => {
      const damaged = { ...(await holder()), passwordHash: '$argon2id$v=19$damaged' };
      const error = await refusalOf(() => passwords(SMALL).verify(damaged, PASSWORD));
      expect(error.code).to.equal('INTERNAL');
      expect(JSON.stringify([error.message, error.detail])).to.not.contain(PASSWORD);
    });

    it('because they are too long are refused without hashing them', async () => {
      const busy = passwords({ ...SMALL, width: 1, longestQueue: 0 });
      const underWay = busy.verify(undefined, PASSWORD);
      expect(await busy.verify(undefined, 'x'.repeat(1025))).to.equal(false);
      await underWay;
    });
  });

  describe('checked by many at once', () => {
    it('are refused beyond the queue, and the others get their answer', async () => {
      const checks = passwords({ ...SMALL, width: 1, longestQueue: 2 });
      const one = await holder();
      const outcomes = await Promise.all(
        Array.from({ length: 6 }, () => checks.verify(one, PASSWORD).catch((error: { code: string }) => error.code)),
      );
      expect(outcomes).to.deep.equal([true, true, true, 'UNAVAILABLE', 'UNAVAILABLE', 'UNAVAILABLE']);
      expect(await checks.verify(one, PASSWORD)).to.equal(true);
    });

    it('take no more of the queue than new ones that are hashed', async () => {
      const checks = passwords({ ...SMALL, width: 1, longestQueue: 0 });
      const hashing = checks.hash(PASSWORD);
      expect((await refusalOf(() => checks.verify(undefined, PASSWORD))).code).to.equal('UNAVAILABLE');
      await hashing;
    });
  });

  describe('that were checked', () => {
    it('are remembered for five minutes at most, counted from the check', async () => {
      const time = clock(0);
      const checks = passwords({ ...SMALL, now: time.now, rememberedMs: 3_600_000 });
      const one = await holder();
      expect(checks.rememberedFor(one, PASSWORD)).to.equal(0);
      await checks.verify(one, PASSWORD);
      time.pass(299_999);
      expect(checks.rememberedFor(one, PASSWORD)).to.equal(1);
      time.pass(1);
      expect(checks.rememberedFor(one, PASSWORD)).to.equal(0);
    });

    it('are remembered for that user, that password and that security version alone', async () => {
      const checks = passwords(SMALL);
      const one = await holder();
      await checks.verify(one, PASSWORD);
      expect(checks.rememberedFor(one, `${PASSWORD}!`)).to.equal(0);
      expect(checks.rememberedFor({ ...one, userId: 2 }, PASSWORD)).to.equal(0);
      expect(checks.rememberedFor({ ...one, securityVersion: 2 }, PASSWORD)).to.equal(0);
      expect(passwords(SMALL).rememberedFor(one, PASSWORD)).to.equal(0);
    });

    it('are not remembered when they were wrong', async () => {
      const checks = passwords(SMALL);
      const one = await holder();
      await checks.verify(one, 'wrong password');
      expect(checks.rememberedFor(one, 'wrong password')).to.equal(0);
      expect(checks.rememberedFor(one, PASSWORD)).to.equal(0);
    });

    it('are forgotten, the oldest first, beyond a number', async () => {
      const checks = passwords({ ...SMALL, remembered: 2 });
      const one = await holder();
      const holders = [1, 2, 3].map((userId) => ({ ...one, userId }));
      for (const each of holders) await checks.verify(each, PASSWORD);
      expect(holders.map((each) => checks.rememberedFor(each, PASSWORD) > 0)).to.deep.equal([false, true, true]);
    });
  });

  describe('that are chosen', () => {
    for (const [what, password] of [
      ['of 8 characters', 'x7#kQ9!z'],
      ['of 8 characters outside the basic plane', '🔑🚪🏠🌍🔥🌊🌪️🌈'],
      ['of 1024 bytes', `x7#kQ9${'y'.repeat(1018)}`],
      ['with spaces and colons', 'a b: c d :'],
    ] as const) {
      it(`may be ${what}`, () => checkPassword(password));
    }

    const owner = { username: 'ada.lovelace', email: 'Ada.L@example.com' };
    for (const [what, password, message] of [
      ['of 7 characters', 'x7#kQ9!', 'at least 8 characters'],
      ['of 7 characters that take more code units', '🔑'.repeat(7), 'at least 8 characters'],
      ['of 1025 bytes', `x7#kQ9${'y'.repeat(1019)}`, 'at most 1024 bytes'],
      ['of fewer characters but more bytes', '€'.repeat(342), 'at most 1024 bytes'],
      ['with a line break', 'x7#kQ9!zLp\n', 'no control characters'],
      ['with a null', 'x7#kQ9!zLp\0', 'no control characters'],
      ['with half a character', 'x7#kQ9!zLp\ud800', 'no control characters'],
      ['that is guessed first', 'Password1!', 'guessed first'],
      ['that is the username', 'ada.lovelace', 'username or the e-mail address'],
      ['that is the username in capitals', 'Ada.Lovelace', 'username or the e-mail address'],
      ['that is the e-mail address', 'ada.l@EXAMPLE.com', 'username or the e-mail address'],
      ['in the form of an access token', newAccessTokenValue().value, 'form of an access token'],
    ] as const) {
      it(`may not be ${what}, and the answer says what they may be`, async () => {
        const error = await refusalOf(() => checkPassword(password, owner));
        expect(error.code).to.equal('REQUEST_INVALID');
        expect(error.detail).to.deep.equal({ field: 'password' });
        expect(error.message).to.contain(message);
        expect(error.message).not.to.contain(password);
      });
    }

    it('may not be the part of the address before the @', async () => {
      const error = await refusalOf(() => checkPassword('lovelace.ada', { username: 'ada', email: 'lovelace.ada@example.com' }));
      expect(error.message).to.contain('e-mail address');
    });

    it('may have the name in them, and anything where nobody is known', () => {
      checkPassword('ada.lovelace and the engine', owner);
      checkPassword('x7#kQ9!zLp', { username: 'ada', email: null });
      checkPassword('x7#kQ9!zLp');
    });

    it('are refused under the name that the field has', async () => {
      const error = await refusalOf(() => checkPassword('short', undefined, 'new_password'));
      expect(error.detail).to.deep.equal({ field: 'new_password' });
    });
  });

  describe('made at random', () => {
    it('are ones that may be chosen, of 22 characters that nobody mistakes', () => {
      fc.assert(
        fc.property(fc.nat(), () => {
          const password = randomPassword();
          checkPassword(password);
          expect(password).to.match(/^[2-9A-HJKMNP-Za-hjkmnp-z]{22}$/);
        }),
      );
    });

    it('use the whole alphabet, and are never the same', () => {
      const made = Array.from({ length: 500 }, randomPassword);
      expect(new Set(made).size).to.equal(500);
      expect(new Set(made.join('')).size).to.equal(54);
    });
  });
});
