/** Something did not answer within its time. */
export class TookTooLong extends Error {
  override readonly name = 'TookTooLong';
}

/** What is promised, but no later than `ms` from now. What comes of it after that is nobody's business. @throws TookTooLong */
export const inTime = async <T>(ms: number, promised: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TookTooLong(`There was no answer for ${ms} ms.`)), ms);
  });
  try {
    return await Promise.race([promised, late]);
  } finally {
    clearTimeout(timer);
  }
};

/**
 * Asks once for all who want to know at the same time, and lets none of them wait for longer than `ms`. What hangs is not asked again
 * until it has answered: however often somebody looks, it costs one question.
 * @throws (rejects with) TookTooLong, or what asking threw
 */
export const patiently = <T>(ms: number, ask: () => Promise<T>): (() => Promise<T>) => {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= ask().finally(() => {
      asked = undefined;
    });
    return inTime(ms, asked);
  };
};
