import type { Collection, Db } from 'mongodb';

/** A command that is about to write. */
export type WriteCommand = Readonly<{
  /** Such as `toys.notes bulkWrite`. */
  what: string;
  /** How many writes it consists of. */
  writes: number;
  /** Sends it, or only the first so many of its writes, as a server does that dies over it. */
  send: (atMost?: number) => Promise<unknown>;
}>;

const WRITES = ['bulkWrite', 'deleteMany', 'findOneAndUpdate'];

type Method = (...args: unknown[]) => Promise<unknown>;

const commandOf = (collection: Collection, method: string, args: readonly unknown[]): WriteCommand => {
  const [first, ...rest] = args;
  const call = (...given: readonly unknown[]) => (Reflect.get(collection, method) as Method).apply(collection, [...given]);
  return {
    what: `${collection.collectionName} ${method}`,
    writes: Array.isArray(first) ? first.length : 1,
    send: (atMost) => (Array.isArray(first) && atMost !== undefined ? call(first.slice(0, atMost), ...rest) : call(...args)),
  };
};

/** A database whose writing commands go through `gate`, which sends them or does not, sooner or later. Making collections is free. */
export const gatedDb = (db: Db, gate: (command: WriteCommand) => Promise<unknown>): Db => {
  const gated = (collection: Collection): Collection =>
    new Proxy(collection, {
      get: (target, name) => {
        if (typeof name === 'string' && WRITES.includes(name))
          return (...args: readonly unknown[]) => gate(commandOf(target, name, args));
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  return new Proxy(db, {
    get: (target, name) => {
      if (name === 'collection') return (...args: Parameters<Db['collection']>) => gated(target.collection(...args));
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
};
