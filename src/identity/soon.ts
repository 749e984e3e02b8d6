/** What is there at once where that takes no waiting: a promise costs a request several turns of the queue of microtasks. */
export type Soon<T> = T | Promise<T>;

/** Goes on at once with what is there, and later with what is promised. */
export const whenKnown = <T, U>(value: Soon<T>, use: (value: T) => Soon<U>): Soon<U> =>
  value instanceof Promise ? value.then(use) : use(value);

/** As `whenKnown`, of several that are waited for together. What is known of all of them is handed on as it is. */
export const whenAllKnown = <T, U>(values: readonly Soon<T>[], use: (values: readonly T[]) => Soon<U>): Soon<U> =>
  values.some((value) => value instanceof Promise) ? Promise.all(values).then(use) : use(values as readonly T[]);
