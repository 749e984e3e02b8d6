import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { RegistryError } from '../../errors.ts';
import type { Document, Group, Placed, Projection } from '../projection.ts';
import { faulted } from './faulted.ts';
import { ledgerOn } from './sqliteCommit.ts';
import { isDamage, openFile } from './sqliteFile.ts';
import { type Compiled, compileCount, compileFind } from './sqliteQuery.ts';
import { inTransaction } from './sqliteSchema.ts';
import { type Counters, counters, type Table, tablesOn, type ViewsStats } from './sqliteTables.ts';
import type { Page, Query, Views } from './views.ts';

export type SqliteViewsOptions = Readonly<{
  /** About how many bytes of documents are kept in memory. 64 MiB unless told; 0 for none. */
  cacheBytes?: number;
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Told once when the file turns out to be broken: its readers get UNAVAILABLE until it is built anew. */
  onDamage?: (error: unknown) => void;
}>;

export type SqliteViews = Views & Readonly<{ stats: () => ViewsStats }>;

/** A file that holds no views of this form or of this log; `outcome` says why. `setAside` is where it stands now, if it was moved. */
export class ViewsUnusable extends Error {
  override readonly name = 'ViewsUnusable';
  readonly outcome: 'unfinished' | 'otherForm' | 'damaged' | 'foreign';
  readonly setAside: string | undefined;

  constructor(path: string, outcome: ViewsUnusable['outcome'], setAside?: string, cause?: unknown) {
    super(`The views in ${path} are of no use (${outcome}): they have to be built from the log.`, { cause });
    this.outcome = outcome;
    this.setAside = setAside;
  }
}

const CACHE_BYTES = 64 * 1024 * 1024;
/** Prepared statements kept for `find` and `count`: one a shape of query, and those come from code. */
const STATEMENTS = 200;

const damaged = (cause: unknown): RegistryError =>
  new RegistryError('UNAVAILABLE', 'The stored views are damaged. A rebuild brings them back.', {}, { cause });

/** Runs `find` and `count`: each shape of query is prepared once. */
const querying = (db: DatabaseSync, count: Counters): ((query: Compiled) => readonly (readonly SQLInputValue[])[]) => {
  const statements = new LRUCache<string, StatementSync>({ max: STATEMENTS });
  return ({ sql, parameters }) => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = db.prepare(sql);
      statement.setReturnArrays(true);
      statements.set(sql, statement);
    }
    count.queries += 1;
    const rows = statement.all(...parameters) as unknown as readonly (readonly SQLInputValue[])[];
    count.rowsRead += rows.length;
    return rows;
  };
};

const sweeping = (tables: Iterable<Table>, step: (table: Table) => number) => async (): Promise<number> => {
  let all = 0;
  for (const table of tables) {
    for (let some = step(table); some > 0; some = step(table)) {
      all += some;
      await setImmediate();
    }
  }
  return all;
};

/**
 * The `Views` port on one SQLite file, whose only writer it is. Everything happens within the call: the promises are the port's.
 *
 * @param path of the file, which is made where there is none, or `:memory:`
 * @throws ViewsUnusable
 */
export const sqliteViews = (path: string, group: Group, options: SqliteViewsOptions = {}): SqliteViews => {
  const opened = openFile(path, group);
  if (opened.outcome === 'ready') return viewsOn(opened.db, group, options);
  if (opened.outcome === 'damaged') throw new ViewsUnusable(path, 'damaged', opened.setAside, opened.cause);
  throw new ViewsUnusable(path, opened.outcome);
};

const viewsOn = (
  db: DatabaseSync,
  group: Group,
  { cacheBytes = CACHE_BYTES, now = Date.now, onDamage = () => undefined }: SqliteViewsOptions,
): SqliteViews => {
  const count = counters();
  const tables = tablesOn(db, group, cacheBytes, count);
  const ledger = ledgerOn(db, tables, now, count);
  const run = querying(db, count);
  let broken = false;

  /** Broken pages show when they are read: then the file is of no use any more, and whoever can build it anew is told. */
  const sound = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (!broken) onDamage(error);
      broken = true;
      throw damaged(error);
    }
  };

  const tableFor = ({ view }: Pick<Projection, 'view'>): Table => {
    const fault = ledger.faults()[view];
    if (fault !== undefined) throw faulted(view, fault);
    const table = tables.get(view);
    if (table === undefined) throw new Error(`No view "${view}" in this file.`);
    return table;
  };

  const read = <D extends Document>(projection: Projection<D>, key: string): Placed<D> => {
    const table = tableFor(projection);
    return sound(() => table.read(key) as Placed<D>);
  };

  const readAll = <D extends Document>(projection: Projection<D>, keys: readonly string[]): readonly Placed<D>[] => {
    const table = tableFor(projection);
    return sound(() => keys.map((key) => table.read(key) as Placed<D>));
  };

  const find = <D extends Document>(projection: Projection<D>, query: Query): Page<D> => {
    tableFor(projection);
    const compiled = compileFind(projection, query);
    if (compiled === undefined) return { items: [], more: false };
    const rows = sound(() => run(compiled));
    const items = rows.slice(0, query.limit).map(([key, doc]) => {
      count.charactersRead += String(doc).length;
      return { key: String(key), value: JSON.parse(String(doc)) as D };
    });
    return { items, more: rows.length > query.limit };
  };

  const removeSome =
    (remove: (table: Table) => ReturnType<Table['sweep']>) =>
    (table: Table): number =>
      sound(() =>
        inTransaction(db, () => {
          const removed = remove(table);
          for (const { position } of removed) ledger.swept(position);
          return removed.length;
        }),
      );

  return {
    get: async (projection, key) => read(projection, key).value,
    getAtOnce: (projection, key) => read(projection, key).value,
    getMany: async (projection, keys) => readAll(projection, keys).map(({ value }) => value),
    getPlaced: async (projection, keys) => readAll(projection, keys),
    find: async (projection, query) => find(projection, query),
    count: async (projection, where = {}, atMost) => {
      tableFor(projection);
      return Number(sound(() => run(compileCount(projection, where, atMost)))[0]?.[0]);
    },
    totals: async (projection) => {
      tableFor(projection);
      return sound(() => ledger.totals(projection.view));
    },
    cursor: async (stream) => sound(() => ledger.cursor(stream)),
    checkpoint: async () => ledger.checkpoint(),
    faults: async () => ledger.faults(),
    commit: async (step) => sound(() => ledger.commit(step)),
    sweep: async (olderThanMs) => {
      const before = now() - olderThanMs;
      return sweeping(
        tables.values(),
        removeSome((table) => table.sweep(before)),
      )();
    },
    forget: async (projection, before) =>
      sweeping(
        [tableFor(projection)],
        removeSome((table) => table.forget(before)),
      )(),
    close: async () => db.close(),
    stats: () => ({ ...count }),
  };
};
