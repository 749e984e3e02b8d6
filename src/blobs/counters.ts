const NAMES = ['opens', 'fileSyncs', 'folderSyncs', 'writeBacks', 'copiedBytes'] as const;

/**
 * What the store has asked of the file system since it was opened: files and folders opened, `fsync`s of finished files
 * and of folders, early write-backs of large files in progress, and bytes copied from chunks into one file.
 */
export type BlobStats = Readonly<Record<(typeof NAMES)[number], number>>;

export type Counters = Readonly<{
  count: (name: keyof BlobStats, by?: number) => void;
  read: () => BlobStats;
  /** Lets a worker count into the same numbers. */
  memory: SharedArrayBuffer;
}>;

export const countersIn = (memory = new SharedArrayBuffer(NAMES.length * BigInt64Array.BYTES_PER_ELEMENT)): Counters => {
  const numbers = new BigInt64Array(memory);
  return {
    count: (name, by = 1) => {
      Atomics.add(numbers, NAMES.indexOf(name), BigInt(by));
    },
    read: () =>
      Object.fromEntries(NAMES.map((name, index) => [name, Number(Atomics.load(numbers, index))])) as Record<
        (typeof NAMES)[number],
        number
      >,
    memory,
  };
};
