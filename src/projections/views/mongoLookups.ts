/** What a query for some keys finds, by key. */
export type Find<T> = (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>;

type Waiting<T> = Readonly<{ key: string; resolve: (found: T | undefined) => void; reject: (error: unknown) => void }>;

/** Queries under way at the same time, for each collection. What is asked for meanwhile waits for the next, in company. */
const MOST_AT_ONCE = 4;
/** Keys of one query. */
const MOST_KEYS = 500;

/**
 * Single documents by their keys, of which those that are asked for in the same turn, or while queries are under way, come by one
 * query: the command is what costs, in the driver as in the server, not the document. A key never joins a query that was sent
 * before it was asked for, so each sees what was written by then.
 */
export const lookupsBy = <T>(find: Find<T>): ((key: string) => Promise<T | undefined>) => {
  let waiting: Waiting<T>[] = [];
  let underWay = 0;
  let scheduled = false;

  const ask = async (all: readonly Waiting<T>[]): Promise<void> => {
    underWay += 1;
    try {
      const found = await find([...new Set(all.map(({ key }) => key))]);
      for (const { key, resolve } of all) resolve(found.get(key));
    } catch (error) {
      for (const { reject } of all) reject(error);
    }
    underWay -= 1;
    flush();
  };

  const flush = (): void => {
    scheduled = false;
    while (waiting.length > 0 && underWay < MOST_AT_ONCE) {
      const next = waiting.slice(0, MOST_KEYS);
      waiting = waiting.slice(MOST_KEYS);
      void ask(next);
    }
  };

  return (key) =>
    new Promise((resolve, reject) => {
      waiting.push({ key, resolve, reject });
      if (scheduled || underWay >= MOST_AT_ONCE) return;
      scheduled = true;
      setImmediate(flush);
    });
};
