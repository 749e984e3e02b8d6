import { hash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { isAccessTokenValue, newAccessTokenValue } from '../../src/identity/accessTokenValue.ts';

// Made by another program (Python's zlib.crc32): the form is a promise to whoever scans for leaked tokens.
const KNOWN = 'ghd_0Az9kQ4mX7bR2nV8cT1yL6wJ3sH5dF0gPqZxCvBn4YUBZ2';

describe('the value of an access token', () => {
  it('is ghd_ and 46 letters and digits, another one each time', () => {
    const values = Array.from({ length: 200 }, () => newAccessTokenValue().value);
    for (const value of values) expect(value).to.match(/^ghd_[0-9A-Za-z]{46}$/);
    expect(new Set(values).size).to.equal(200);
    const used = new Set(values.flatMap((value) => [...value.slice(4, 44)]));
    expect(used.size, 'all 62 letters and digits come up').to.equal(62);
  });

  it('is known by its form alone', () => {
    expect(isAccessTokenValue(newAccessTokenValue().value)).to.equal(true);
    expect(isAccessTokenValue(KNOWN)).to.equal(true);
  });

  it('is kept as its SHA-256 and its first eight characters', () => {
    const { value, hash: kept, prefix } = newAccessTokenValue();
    expect(kept).to.equal(hash('sha256', value));
    expect(prefix).to.equal(value.slice(0, 8));
  });

  it('is not known any more with a character changed, lost or swapped', () => {
    const characters = fc.constantFrom(...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz');
    fc.assert(
      fc.property(fc.integer({ min: 4, max: KNOWN.length - 1 }), characters, (place, character) => {
        const changed = KNOWN.slice(0, place) + character + KNOWN.slice(place + 1);
        expect(isAccessTokenValue(changed)).to.equal(changed === KNOWN);
        expect(isAccessTokenValue(KNOWN.slice(0, place) + KNOWN.slice(place + 1))).to.equal(false);
        const [one = '', other = ''] = [KNOWN[place - 1], KNOWN[place]];
        const swapped = KNOWN.slice(0, place - 1) + other + one + KNOWN.slice(place + 1);
        expect(isAccessTokenValue(swapped)).to.equal(swapped === KNOWN);
      }),
    );
  });

  for (const text of ['', 'ghd_', 'password', `${KNOWN}\n`, ` ${KNOWN}`, KNOWN.toUpperCase(), `x${KNOWN.slice(1)}`, `${KNOWN}0`])
    it(`is not ${JSON.stringify(text.slice(0, 12))} of ${text.length} characters`, () => {
      expect(isAccessTokenValue(text)).to.equal(false);
    });
});
