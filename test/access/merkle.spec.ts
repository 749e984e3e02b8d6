import { hash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { merkleTree } from '../../src/access/merkle.ts';

const sha256 = (...parts: readonly Uint8Array[]): Buffer => hash('sha256', Buffer.concat(parts), 'buffer');

/** RFC 9162, section 2.1.1, as it stands there. */
const rootOf = (entries: readonly Uint8Array[]): Buffer => {
  const [first] = entries;
  if (first === undefined) return sha256();
  if (entries.length === 1) return sha256(Buffer.of(0), first);
  let k = 1;
  while (2 * k < entries.length) k *= 2;
  return sha256(Buffer.of(1), rootOf(entries.slice(0, k)), rootOf(entries.slice(k)));
};

describe('The Merkle tree of a day', () => {
  it('of nothing has the hash of nothing', () => {
    expect(merkleTree().root()).to.equal('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it('has the root that RFC 9162 defines, however many entries there are', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 70 }), (entries) => {
        const tree = merkleTree();
        for (const entry of entries) tree.add(entry);
        expect(tree.root()).to.equal(rootOf(entries).toString('hex'));
      }),
    );
  });
});
