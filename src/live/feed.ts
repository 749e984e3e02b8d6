/** Something that happens again and again, for those who watch. */
export type Feed<T> = Readonly<{
  /** Counts as a watcher from now on. @throws what keeps it from beginning to happen */
  join: () => Promise<Joined<T>>;
  watchers: () => number;
}>;

export type Joined<T> = Readonly<{
  /** Told of everything from now on. It must not throw. */
  listen: (listener: (value: T) => void) => void;
  /** Calling it again does nothing. */
  leave: () => void;
}>;

/** Begins with the first watcher. @returns what ends it, with the last */
export type Begin<T> = (tell: (value: T) => void) => (() => void) | Promise<() => void>;

/** One source for any number of watchers, which costs nothing without them. */
export const feedOf = <T>(begin: Begin<T>): Feed<T> => {
  const listeners = new Set<(value: T) => void>();
  let watchers = 0;
  let running: Promise<() => void> | undefined;

  const tell = (value: T): void => {
    for (const listener of listeners) listener(value);
  };

  const leave = (): void => {
    watchers -= 1;
    if (watchers > 0) return;
    running?.then(
      (end) => end(),
      () => undefined,
    );
    running = undefined;
  };

  const joined = (): Joined<T> => {
    let own: ((value: T) => void) | undefined;
    let left = false;
    return {
      listen: (listener) => {
        if (left) return;
        own = (value) => listener(value);
        listeners.add(own);
      },
      leave: () => {
        if (left) return;
        left = true;
        if (own !== undefined) listeners.delete(own);
        leave();
      },
    };
  };

  return {
    join: async () => {
      watchers += 1;
      running ??= Promise.resolve(tell).then(begin);
      try {
        await running;
      } catch (error) {
        leave();
        throw error;
      }
      return joined();
    },
    watchers: () => watchers,
  };
};
