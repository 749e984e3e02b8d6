import { RegistryError } from '../errors.ts';

export type BoundedQueue = Readonly<{
  /** @throws RegistryError `UNAVAILABLE`, at once, when too many are waiting */
  run: <T>(work: () => Promise<T>) => Promise<T>;
  /** How many run and wait now, and how many may wait at most. */
  status: () => Readonly<{ running: number; waiting: number; longest: number }>;
}>;

/** Runs at most `width` works at a time and lets at most `longest` wait, first come first served. */
export const boundedQueue = (width: number, longest: number, refusal: string): BoundedQueue => {
  const waiting: (() => void)[] = [];
  let running = 0;

  const admit = async (): Promise<void> => {
    if (running < width) {
      running += 1;
      return;
    }
    if (waiting.length >= longest) throw new RegistryError('UNAVAILABLE', refusal);
    await new Promise<void>((resolve) => waiting.push(resolve));
  };

  // The place goes straight to the next in line: a newcomer cannot slip in between.
  const release = (): void => {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  };

  return {
    run: async (work) => {
      await admit();
      try {
        return await work();
      } finally {
        release();
      }
    },
    status: () => ({ running, waiting: waiting.length, longest }),
  };
};
