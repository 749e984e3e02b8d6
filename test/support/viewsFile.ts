import { DatabaseSync } from 'node:sqlite';

/** Everything that a file of views holds, but for tombstones and the times of writing: two files of the same views are equal here. */
export const contentOf = (file: string): Readonly<Record<string, unknown>> => {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = (sql: string): unknown =>
      db
        .prepare(sql)
        .all()
        .map((row) => Object.values(row));
    const tables = db
      .prepare(`select name from sqlite_schema where type = 'table' and name like 'view\\_%' escape '\\' order by name`)
      .all();
    return {
      ...Object.fromEntries(
        tables.map(({ name }) => [
          String(name),
          rows(`select key, position, doc from "${name}" where doc is not null order by key`),
        ]),
      ),
      totals: rows(`select view, sums from totals where sums <> '{}' order by view`),
      cursors: rows('select stream, revision, at, position from cursors order by stream'),
      faults: rows('select view, position, type, message from faults order by view'),
      meta: rows(`select name, value from meta where name <> 'swept' order by name`),
      indexes: rows(`select name, sql from sqlite_schema where type = 'index' order by name`),
    };
  } finally {
    db.close();
  }
};
