import { RegistryError } from '../../src/errors.ts';

/** The refusal that `work` ends in, whether thrown or rejected. Anything but a RegistryError is thrown on. */
export const refusalOf = async (work: () => unknown): Promise<RegistryError> => {
  try {
    await work();
  } catch (error) {
    if (error instanceof RegistryError) return error;
    throw error;
  }
  throw new Error('It was not refused.');
};

/** A clock that a test moves, in milliseconds. */
export const clock = (start: number): { now: () => number; pass: (ms: number) => void } => {
  let time = start;
  return {
    now: () => time,
    pass: (ms) => {
      time += ms;
    },
  };
};
