import { expect } from 'chai';
import { hashOf, keyIndex, NO_ROW } from '../../src/projections/views/keyIndex.ts';

describe('the index of keys during a build', () => {
  it('finds every key again, and none that was not added', () => {
    const index = keyIndex();
    const keys = Array.from({ length: 20_000 }, (_, n) => `repository-${n % 100}/sha256:${n}`);
    const rowOf = (key: string): number => index.find(hashOf(key), (row) => keys[row - 1] === key);
    keys.forEach((key, n) => {
      expect(rowOf(key)).to.equal(NO_ROW);
      index.add(hashOf(key), n + 1);
    });
    keys.forEach((key, n) => {
      expect(rowOf(key)).to.equal(n + 1);
    });
    expect(rowOf('repository-1/sha256:x')).to.equal(NO_ROW);
  });

  it('keeps keys apart that share a hash', () => {
    const index = keyIndex();
    for (const hash of [7, 7 + 1024, -1, 0]) for (let row = 1; row <= 3; row++) index.add(hash, 10 * hash + row);
    for (const hash of [7, 7 + 1024, -1, 0]) {
      for (let row = 1; row <= 3; row++) expect(index.find(hash, (found) => found === 10 * hash + row)).to.equal(10 * hash + row);
      const offered: number[] = [];
      expect(index.find(hash, (found) => offered.push(found) < 0)).to.equal(NO_ROW);
      expect(offered).to.have.members([1, 2, 3].map((row) => 10 * hash + row));
    }
  });
});
