import type { DatabaseSync } from 'node:sqlite';
import { type Group, type Projection, versionOf } from '../projection.ts';

/** Raise it when the tables below change: files of another schema are built anew. */
const SCHEMA_VERSION = 1;

// Names of views and fields become parts of SQL. They come from code, never from a request; this keeps it so.
const NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
const FIELD = /^[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*$/;

/** What SQL has to know of a view. */
export type Shape = Pick<Projection, 'view' | 'indexes'>;

export const tableOf = ({ view }: Pick<Shape, 'view'>): string => {
  if (!NAME.test(view)) throw new Error(`"${view}" is no name for a view.`);
  return `"view_${view}"`;
};

/** What a field is called in SQL: the key, the column of an indexed field, or the JSON path of any other. */
export const columnOf = (projection: Shape, field: string): string => {
  if (field === 'key') return 'key';
  if (!FIELD.test(field)) throw new Error(`"${field}" is no name for a field.`);
  return projection.indexes.some((index) => index.includes(field)) ? `"f_${field}"` : `json_extract(doc, '$.${field}')`;
};

const indexedFields = ({ indexes }: Shape): readonly string[] => [...new Set(indexes.flat())].filter((field) => field !== 'key');

/**
 * One rowid table a view: it loads twice as fast as WITHOUT ROWID. An indexed field is a virtual column, that is its
 * `json_extract` under a name: nothing is stored twice, and unlike a bare expression a column can stand in a row value,
 * by which a page begins at its place in the index instead of reading up to it.
 */
const tableSql = (projection: Shape): string => {
  const fields = indexedFields(projection).map(
    (field) => `, "f_${field}" generated always as (json_extract(doc, '$.${field}')) virtual`,
  );
  return `create table ${tableOf(projection)} (key text not null, position text not null, doc text, written_at integer not null${fields.join('')})`;
};

/** The index of the keys, the declared ones, each ended by the key so that it gives the whole order, and one for `sweep`. */
const indexSql = (projection: Shape): readonly string[] => {
  const named = (name: string): string => `"${name}_${projection.view}"`;
  const declared = projection.indexes.map((fields) => {
    const columns = [...new Set([...fields, 'key'])].map((field) => columnOf(projection, field));
    return `create index ${named(`by_${fields.join('+')}`)} on ${tableOf(projection)} (${columns.join(', ')}) where doc is not null`;
  });
  const keys = `create unique index ${named('by_key')} on ${tableOf(projection)} (key)`;
  return [keys, ...declared, `create index ${named('tombstones')} on ${tableOf(projection)} (written_at) where doc is null`];
};

/** What a file must have been made for to be of use: the views' versions, and where their indexes are. */
export const formOf = (group: Group): string => {
  const indexes = group.views.map(
    ({ view, indexes: declared }) => `${view}(${declared.map((fields) => fields.join(' ')).join(', ')})`,
  );
  return `${SCHEMA_VERSION} ${group.name} ${versionOf(group)} ${indexes.sort().join(' ')}`;
};

/** `building`: of no use to readers yet, and to nobody after a crash. */
export type State = 'building' | 'ready';

export const createTables = (db: DatabaseSync, group: Group, state: State): void => {
  db.exec(`
    create table meta (name text primary key, value text not null) without rowid;
    create table totals (view text primary key, sums text not null, position text not null) without rowid;
    create table cursors (stream text primary key, revision integer not null, at text not null, position text not null) without rowid;
    create table faults (view text primary key, position text not null, type text not null, message text not null) without rowid;
  `);
  for (const projection of group.views) db.exec(tableSql(projection));
  const set = db.prepare('insert into meta (name, value) values (?, ?)');
  set.run('form', formOf(group));
  set.run('state', state);
  set.run('checkpoint', '');
  set.run('swept', '');
};

/** Building an index over what is there is several times cheaper than keeping it while a file is filled. */
export const createIndexes = (db: DatabaseSync, group: Group): void => {
  for (const projection of group.views) for (const sql of indexSql(projection)) db.exec(sql);
};

export const readMeta = (db: DatabaseSync, name: string): string | undefined => {
  const value = db.prepare('select value from meta where name = ?').get(name)?.value;
  return value === undefined ? undefined : String(value);
};

export const inTransaction = <T>(db: DatabaseSync, work: () => T): T => {
  db.exec('begin immediate');
  try {
    const result = work();
    db.exec('commit');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('rollback');
    throw error;
  }
};
