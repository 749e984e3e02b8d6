/** Which row a key may be in. It holds hashes and no keys, 11 to 23 bytes a key: whoever asks compares. */
export type KeyIndex = Readonly<{
  /** The first row under this hash that `matches`, or NO_ROW. */
  find: (hash: number, matches: (row: number) => boolean) => number;
  add: (hash: number, row: number) => void;
}>;

/** Rows count from 1. */
export const NO_ROW = 0;

/** FNV-1a, 32 bits, with the last step of MurmurHash3, so that all bits of a key count in all bits of its hash. */
export const hashOf = (key: string): number => {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
};

const LEAST_SLOTS = 2 ** 10;
const FULL = 0.7;

/** An open hash table with linear probing, from which nothing is ever removed. */
export const keyIndex = (): KeyIndex => {
  let mask = LEAST_SLOTS - 1;
  // Hash and row side by side: a look at a slot misses the processor's cache once.
  let slots = new Int32Array(2 * LEAST_SLOTS);
  let size = 0;

  const put = (hash: number, row: number): void => {
    let slot = hash & mask;
    while (slots[2 * slot + 1] !== NO_ROW) slot = (slot + 1) & mask;
    slots[2 * slot] = hash;
    slots[2 * slot + 1] = row;
  };

  const grow = (): void => {
    const old = slots;
    slots = new Int32Array(2 * old.length);
    mask = 2 * mask + 1;
    for (let at = 0; at < old.length; at += 2) {
      const row = old[at + 1] ?? NO_ROW;
      if (row !== NO_ROW) put(old[at] ?? 0, row);
    }
  };

  return {
    find: (hash, matches) => {
      for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
        const row = slots[2 * slot + 1] ?? NO_ROW;
        if (row === NO_ROW || (slots[2 * slot] === hash && matches(row))) return row;
      }
    },
    add: (hash, row) => {
      size += 1;
      if (size > (mask + 1) * FULL) grow();
      put(hash, row);
    },
  };
};
