import { expect } from 'chai';
import fc from 'fast-check';
import { RegistryError } from '../../src/errors.ts';
import { ALGORITHMS, algorithmOf, digesting, digestOf, hexOf, isAlgorithm, isDigest, parseDigest } from '../../src/oci/digest.ts';

const SHA256 = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const SHA512 =
  'sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e';

describe('a digest', () => {
  it('is sha256 or sha512, in lower-case hex', () => {
    for (const text of [SHA256, SHA512]) {
      expect(isDigest(text)).to.equal(true);
      expect(parseDigest(text)).to.equal(text);
    }
  });

  it('tells its algorithm and its hex digits', () => {
    expect([algorithmOf(parseDigest(SHA256)), algorithmOf(parseDigest(SHA512))]).to.deep.equal(['sha256', 'sha512']);
    expect(hexOf(parseDigest(SHA256))).to.equal(SHA256.slice('sha256:'.length));
    expect(hexOf(parseDigest(SHA512))).to.equal(SHA512.slice('sha512:'.length));
  });

  const hex = SHA256.slice(7);
  const refused: readonly (readonly [why: string, text: string])[] = [
    ['empty', ''],
    ['without an algorithm', hex],
    ['with an empty algorithm', `:${hex}`],
    ['without hex digits', 'sha256:'],
    ['a digit short', SHA256.slice(0, -1)],
    ['a digit long', `${SHA256}0`],
    ['sha256 with the length of sha512', `sha256:${SHA512.slice(7)}`],
    ['sha512 with the length of sha256', `sha512:${hex}`],
    ['in capital letters', `sha256:${hex.toUpperCase()}`],
    ['of an algorithm in capital letters', `SHA256:${hex}`],
    ['with a letter that is no hex digit', `sha256:${hex.slice(0, -1)}g`],
    ['with a space before', ` ${SHA256}`],
    ['with a line break behind', `${SHA256}\n`],
    ['with a line break for its last digit', `${SHA256.slice(0, -1)}\n`],
    ['with a path in it', `sha256:../../${hex.slice(6)}`],
    ['with two colons', `sha256::${hex.slice(1)}`],
    ['of another algorithm', 'md5:d41d8cd98f00b204e9800998ecf8427e'],
    ['of sha384', `sha384:${'0'.repeat(96)}`],
    ['of an algorithm that is a property of every object', `constructor:${hex}`],
    ['of an algorithm that is the prototype of every object', `__proto__:${hex}`],
    ['with digits of another script', `sha256:${'٣'.repeat(64)}`],
    ['of a megabyte', `sha256:${'0'.repeat(1_000_000)}`],
  ];
  for (const [why, text] of refused) {
    it(`may not be one ${why}`, () => {
      expect(isDigest(text)).to.equal(false);
      expect(() => parseDigest(text))
        .to.throw(RegistryError)
        .that.deep.includes({ code: 'DIGEST_INVALID', detail: { digest: text.slice(0, 200) } });
    });
  }
});

describe('an algorithm', () => {
  it('is one of two', () => {
    expect(ALGORITHMS.every(isAlgorithm)).to.equal(true);
    for (const text of ['', 'sha1', 'sha384', 'SHA256', 'constructor']) expect(isAlgorithm(text)).to.equal(false);
  });
});

describe('digesting', () => {
  it('knows the digests of nothing', () => {
    expect([digestOf(''), digestOf(new Uint8Array(), 'sha512')]).to.deep.equal([SHA256, SHA512]);
  });

  it('comes to the same over the whole and over any pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), fc.constantFrom(...ALGORITHMS), (pieces, algorithm) => {
        const running = digesting(algorithm);
        for (const piece of pieces) running.update(piece);
        const digest = running.digest();
        expect(digest).to.equal(digestOf(Buffer.concat(pieces), algorithm));
        expect(isDigest(digest)).to.equal(true);
      }),
    );
  });
});
