import type { DatabaseSync } from 'node:sqlite';
import type { Compiled } from '../../src/projections/views/sqliteQuery.ts';

/** What a query costs: how SQLite goes about it, the rows that it looks at and those that it gives. */
export type Cost = Readonly<{ plan: string; visited: number; rows: number }>;

/**
 * Counts the rows that SQLite looks at, which no plan tells: one that begins too early in an index looks the same. It puts a
 * temporary view before each table, whose condition is asked first of every row; the tables stay as they are.
 */
export const costsOn = (db: DatabaseSync, tables: readonly string[]): ((query: Compiled) => Cost) => {
  let visited = 0;
  // Not deterministic, so that no row is spared the question.
  db.function('visited', (_key) => {
    visited += 1;
    return 1;
  });
  for (const table of tables) db.exec(`create temp view "${table}" as select * from main."${table}" where visited(key)`);
  return ({ sql, parameters }) => {
    visited = 0;
    const rows = db.prepare(sql).all(...parameters).length;
    const cost = { visited, rows };
    const plan = db
      .prepare(`explain query plan ${sql}`)
      .all(...parameters)
      .map(({ detail }) => String(detail));
    return { ...cost, plan: plan.join('\n') };
  };
};
