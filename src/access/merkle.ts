import { createHash, hash } from 'node:crypto';

// RFC 9162, section 2.1.1: leaves and nodes are told apart by the byte before them.
const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part);
  return sum.digest();
};

export type MerkleTree = Readonly<{
  add: (entry: Uint8Array) => void;
  /** In hex. Of no entries: the hash of nothing. */
  root: () => string;
}>;

/** The Merkle tree hash of entries that come one by one. Holds one hash for each bit of their number. */
export const merkleTree = (): MerkleTree => {
  // Roots of the perfect trees that the entries so far make up, the largest first.
  const trees: { size: number; root: Buffer }[] = [];
  return {
    add: (entry) => {
      let tree = { size: 1, root: sha256(LEAF, entry) };
      for (let last = trees.at(-1); last?.size === tree.size; last = trees.at(-1)) {
        trees.pop();
        tree = { size: 2 * tree.size, root: sha256(NODE, last.root, tree.root) };
      }
      trees.push(tree);
    },
    root: () => {
      const [last, ...before] = trees.map(({ root }) => root).reverse();
      if (last === undefined) return hash('sha256', '', 'hex');
      return before.reduce((right, left) => sha256(NODE, left, right), last).toString('hex');
    },
  };
};
