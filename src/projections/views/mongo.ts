import { type Collection, type Db, type Filter, type IndexDescription, MongoServerError } from 'mongodb';
import { ORIGIN, type Position } from '../../events/event.ts';
import type { Document, Group, Placed, Projection } from '../projection.ts';
import { faulted } from './faulted.ts';
import { reaching } from './mongoConnection.ts';
import { type Stored, storedFrom, valueIn } from './mongoDocuments.ts';
import { type Ledger, openLedger } from './mongoLedger.ts';
import { lookupsBy } from './mongoLookups.ts';
import { collectionOf, compileCount, compileFind, indexesOf, META } from './mongoQuery.ts';
import { writeGuarded } from './mongoWrites.ts';
import { checkedMost } from './sqliteQuery.ts';
import type { Commit, Fault, Page, Query, Views } from './views.ts';

export type MongoViewsOptions = Readonly<{
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Called before every command that writes; throws where this process may not write any more. Opening is not guarded. */
  guard?: () => void;
}>;

/**
 * Several processes have the same views open. What `faults` and the refusals of faulted views say is as of the last `state`,
 * `checkpoint`, commit or sweep of this one: whoever only reads asks for the state now and then.
 */
export type MongoViews = Views &
  Readonly<{ state: () => Promise<Readonly<{ checkpoint: Position; faults: Readonly<Record<string, Fault>> }>> }>;

/** Documents that one query asks for by their keys. */
const KEYS_AT_ONCE = 500;
/** Tombstones that one command removes. */
const SWEPT_AT_ONCE = 500;

type Collections = ReadonlyMap<string, Collection<Stored>>;

const openCollections = async (db: Db, name: string, group: Group): Promise<Collections> => {
  const collections = new Map(
    group.views.map(({ view }) => [view, db.collection<Stored>(collectionOf(name, view), { ignoreUndefined: true })] as const),
  );
  await Promise.all(
    group.views.map((projection) =>
      collections.get(projection.view)?.createIndexes([...indexesOf(projection)] as IndexDescription[]),
    ),
  );
  return collections;
};

const collectionIn = (collections: Collections, view: string): Collection<Stored> => {
  const collection = collections.get(view);
  if (collection === undefined) throw new Error(`No view "${view}" in this group.`);
  return collection;
};

const chunksOf = <T>(all: readonly T[], length: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(all.length / length) }, (_, n) => all.slice(n * length, (n + 1) * length));

const fetch = async (collection: Collection<Stored>, keys: readonly string[]): Promise<ReadonlyMap<string, Stored>> => {
  const found = await collection.find({ _id: { $in: [...keys] } }, { batchSize: keys.length + 1 }).toArray();
  return new Map(found.map((one) => [one._id, one]));
};

/** All of them, whatever becomes of one: nothing is under way any more when this rejects. */
const together = async (work: readonly Promise<unknown>[]): Promise<void> => {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
};

/**
 * The documents of one step, of all views at once. What is not newer than a tombstone that was swept is only written over an older
 * document: where there is none it may have been deleted since. A process that is late by more than the life of a tombstone is
 * kept from writing by its guard, so that nothing swept after `swept` was read can matter.
 */
const writeDocuments = async (
  collections: Collections,
  documents: Commit['documents'],
  { swept, at, guard }: Readonly<{ swept: Position; at: number; guard: () => void }>,
): Promise<void> => {
  const work = documents.map(async ({ view, documents: placed }) => {
    const writes = placed.map((one) => ({ ...storedFrom(one, at), replaceOnly: one.position <= swept }));
    await writeGuarded(collectionIn(collections, view), writes, guard);
  });
  await together(work);
};

/** Removes some of what meets a filter and the checkpoint has passed. @returns how many, undefined once there is nothing */
const removeSome = async (
  collection: Collection<Stored>,
  ledger: Ledger,
  filter: Filter<Stored>,
  guard: () => void,
): Promise<number | undefined> => {
  const old = { ...filter, p: { $lte: ledger.known().checkpoint } };
  const found = await collection.find(old, { projection: { p: 1 }, limit: SWEPT_AT_ONCE, batchSize: SWEPT_AT_ONCE }).toArray();
  if (found.length === 0) return undefined;
  // Told before anything is gone: whoever finds no document knows then why.
  const positions = found.map(({ p }) => p).sort((a, b) => (a < b ? -1 : 1));
  await ledger.sweeping(positions.at(-1) ?? ORIGIN);
  guard();
  const { deletedCount } = await collection.deleteMany({ $and: [old, { _id: { $in: found.map(({ _id }) => _id) } }] });
  return deletedCount;
};

/**
 * The `Views` port on MongoDB, in the collections `<name>.<view>`, `<name>.cursors` and `<name>.meta`. There are no transactions:
 * a commit is a sequence of writes, each of them safe to repeat, to lose and to come late (see `Commit`).
 *
 * @throws RegistryError UNAVAILABLE where the server does not answer
 */
export const mongoViews = (db: Db, name: string, group: Group, options: MongoViewsOptions = {}): Promise<MongoViews> =>
  reaching(async () => {
    const { guard = () => undefined } = options;
    const collections = await openCollections(db, name, group);
    return viewsOn(collections, await openLedger(db, name, guard), { now: Date.now, ...options, guard });
  });

const viewsOn = (collections: Collections, ledger: Ledger, { now, guard }: Required<MongoViewsOptions>): MongoViews => {
  const readable = ({ view }: Pick<Projection, 'view'>): Collection<Stored> => {
    const fault = ledger.known().faults[view];
    if (fault !== undefined) throw faulted(view, fault);
    return collectionIn(collections, view);
  };

  const lookups = new Map([...collections].map(([view, collection]) => [view, lookupsBy((keys) => fetch(collection, keys))]));

  const get = async <D extends Document>(projection: Projection<D>, key: string): Promise<D | undefined> => {
    readable(projection);
    const found = await lookups.get(projection.view)?.(key);
    return found === undefined ? undefined : valueIn<D>(found);
  };

  const readAll = async <D extends Document>(
    projection: Projection<D>,
    keys: readonly string[],
  ): Promise<readonly Placed<D>[]> => {
    const collection = readable(projection);
    const stored = new Map<string, Stored>();
    for (const chunk of chunksOf([...new Set(keys)], KEYS_AT_ONCE)) {
      for (const [key, one] of await fetch(collection, chunk)) stored.set(key, one);
    }
    return keys.map((key) => {
      const one = stored.get(key);
      return { key, position: one?.p ?? ORIGIN, value: one && valueIn<D>(one) };
    });
  };

  const find = async <D extends Document>(projection: Projection<D>, query: Query): Promise<Page<D>> => {
    const collection = readable(projection);
    const { filter, ...options } = compileFind(query);
    const found = await collection.find(filter, { ...options, batchSize: options.limit + 1 }).toArray();
    const items = found.slice(0, query.limit).map((one) => ({ key: one._id, value: valueIn<D>(one) as D }));
    return { items, more: found.length > query.limit };
  };

  const commit = async ({ totals, documents, cursors, faults = {}, checkpoint }: Commit): Promise<void> => {
    for (const { view } of documents) collectionIn(collections, view);
    await ledger.writeTotals(totals, checkpoint);
    const { swept } = await ledger.refresh();
    await writeDocuments(collections, documents, { swept, at: now(), guard });
    await ledger.writeCursors(cursors);
    await ledger.writeFaults(faults);
    await ledger.advance(checkpoint);
  };

  const remove = async (from: Iterable<Collection<Stored>>, filter: Filter<Stored>): Promise<number> => {
    await ledger.refresh();
    let all = 0;
    for (const collection of from) {
      const step = () => removeSome(collection, ledger, filter, guard);
      for (let some = await step(); some !== undefined; some = await step()) all += some;
    }
    return all;
  };

  return {
    get: (projection, key) => reaching(() => get(projection, key)),
    getAtOnce: (projection, key) => reaching(() => get(projection, key)),
    getMany: (projection, keys) => reaching(async () => (await readAll(projection, keys)).map(({ value }) => value)),
    getPlaced: (projection, keys) => reaching(() => readAll(projection, keys)),
    find: (projection, query) => reaching(() => find(projection, query)),
    count: (projection, where = {}, atMost) =>
      reaching(async () =>
        readable(projection).countDocuments(compileCount(where), atMost === undefined ? {} : { limit: checkedMost(atMost) }),
      ),
    totals: (projection) =>
      reaching(async () => {
        readable(projection);
        return await ledger.totals(projection.view);
      }),
    cursor: (stream) => reaching(() => ledger.cursor(stream)),
    checkpoint: () => reaching(async () => (await ledger.refresh()).checkpoint),
    faults: async () => ledger.known().faults,
    state: () =>
      reaching(async () => {
        const { checkpoint, faults } = await ledger.refresh();
        return { checkpoint, faults };
      }),
    commit: (step) => reaching(() => commit(step)),
    sweep: (olderThanMs) => reaching(() => remove(collections.values(), { w: { $lt: now() - olderThanMs } })),
    forget: (projection, before) => reaching(() => remove([readable(projection)], { _id: { $lt: before } })),
    close: async () => undefined,
  };
};

/** Removes views for good, those that are there. The state goes first: whoever still writes them is told at the next commit. */
export const dropViews = (db: Db, name: string): Promise<void> =>
  reaching(async () => {
    const meta = `${name}.${META}`;
    const all = (await db.listCollections({}, { nameOnly: true }).toArray()).map((one) => one.name);
    const ours = all.filter((one) => one.startsWith(`${name}.`) && one !== meta);
    for (const one of all.includes(meta) ? [meta, ...ours] : ours) await drop(db, one);
  });

const NAMESPACE_NOT_FOUND = 26;

const drop = async (db: Db, collection: string): Promise<void> => {
  try {
    await db.collection(collection).drop();
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.code !== NAMESPACE_NOT_FOUND) throw error; // not there any more
  }
};
