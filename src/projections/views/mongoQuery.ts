import type { CreateIndexesOptions, Filter, IndexDescription, Sort } from 'mongodb';
import type { Projection } from '../projection.ts';
import type { Stored } from './mongoDocuments.ts';
import { endOfPrefix } from './sqliteQuery.ts';
import { type Condition, LARGEST_PAGE, type Query, type Where } from './views.ts';

type Value = string | number;
type Clause = Readonly<Record<string, unknown>>;

/** What the driver needs to find a page and the first document of the next. */
export type Found = Readonly<{ filter: Filter<Stored>; sort: Sort; limit: number }>;

// Names come from code, never from a request; this keeps it so.
const VIEW = /^[A-Za-z][A-Za-z0-9_]*$/;
const FIELD = /^[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*$/;

/** The collections that stand beside those of the views. */
export const CURSORS = 'cursors';
export const META = 'meta';

export const collectionOf = (name: string, view: string): string => {
  if (!VIEW.test(view) || view === CURSORS || view === META) throw new Error(`"${view}" is no name for a view.`);
  return `${name}.${view}`;
};

const pathOf = (field: string): string => {
  if (field === 'key') return '_id';
  if (!FIELD.test(field)) throw new Error(`"${field}" is no name for a field.`);
  return `d.${field}`;
};

/** The declared indexes, each ended by the key so that it gives the whole order, and one for `sweep`: tombstones alone have a `w`. */
export const indexesOf = ({ indexes }: Pick<Projection, 'indexes'>): readonly (IndexDescription & CreateIndexesOptions)[] => [
  ...indexes.map((fields) => ({
    name: `by_${fields.join('+')}`,
    key: Object.fromEntries([...new Set([...fields, 'key'])].map((field) => [pathOf(field), 1] as const)),
  })),
  { name: 'tombstones', key: { w: 1 }, sparse: true },
];

const EXISTS: Clause = { d: { $exists: true } };

const conditionOn = (condition: Condition): unknown => {
  if (typeof condition !== 'object' || condition === null) return { $eq: condition };
  if (!('$prefix' in condition)) return condition;
  const end = endOfPrefix(condition.$prefix);
  return { $gte: condition.$prefix, ...(end !== undefined && { $lt: end }) };
};

/** Whether only a document with a value can meet it. No tombstone has a field, but one has a key, and its fields are all absent. */
const needsValue = ([field, condition]: readonly [string, Condition]): boolean => field !== 'key' && condition !== null;

const clausesOf = (where: Where): readonly Clause[] => {
  const conditions = Object.entries(where);
  const clauses = conditions.map(([field, condition]) => ({ [pathOf(field)]: conditionOn(condition) }));
  return conditions.some(needsValue) ? clauses : [...clauses, EXISTS];
};

type Term = Readonly<{ path: string; descending: boolean }>;

/** The terms of an order, which always end with the key. */
const termsOf = (sort: readonly string[]): readonly Term[] => {
  const terms = sort.map((name) => ({ path: pathOf(name.replace(/^-/, '')), descending: name.startsWith('-') }));
  return terms.at(-1)?.path === '_id' ? terms : [...terms, { path: '_id', descending: terms.at(-1)?.descending ?? false }];
};

/** Strictly after a document. The first term's bound stands by itself too, so that a page begins at its place in the index. */
const afterClauses = (terms: readonly Term[], after: readonly Value[]): readonly Clause[] => {
  if (after.length !== terms.length) throw new Error(`A page after a document needs its ${terms.length} values of the order.`);
  const [first] = terms;
  const steps = terms.map(({ path, descending }, last) => ({
    ...Object.fromEntries(terms.slice(0, last).map((term, n) => [term.path, after[n]])),
    [path]: { [descending ? '$lt' : '$gt']: after[last] },
  }));
  if (first === undefined || steps.length === 1) return steps;
  return [{ [first.path]: { [first.descending ? '$lte' : '$gte']: after[0] } }, { $or: steps }];
};

const joined = (clauses: readonly Clause[]): Filter<Stored> =>
  (clauses.length === 1 ? clauses[0] : { $and: clauses }) as Filter<Stored>;

/** Every document of a page and the first of the next. */
export const compileFind = ({ where = {}, sort = [], after, limit }: Query): Found => {
  if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_PAGE)
    throw new RangeError(`A page has 1 to ${LARGEST_PAGE} documents.`);
  const terms = termsOf(sort);
  const behind = after === undefined ? [] : afterClauses(terms, after);
  return {
    filter: joined([...clausesOf(where), ...behind]),
    sort: Object.fromEntries(terms.map(({ path, descending }) => [path, descending ? -1 : 1] as const)),
    limit: limit + 1,
  };
};

export const compileCount = (where: Where): Filter<Stored> => joined(clausesOf(where));
