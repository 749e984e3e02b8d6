import { setImmediate as turn } from 'node:timers/promises';

/** What failed during `work` with nobody waiting for it: in the registry's own process each such failure would be its end. */
export const unhandledIn = async (work: () => Promise<unknown>): Promise<readonly unknown[]> => {
  const failures: unknown[] = [];
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', (failure) => failures.push(failure));
  try {
    await work();
    // Told once all that is promised has been looked at.
    await turn();
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const listener of others) process.on('unhandledRejection', listener);
  }
  return failures;
};
