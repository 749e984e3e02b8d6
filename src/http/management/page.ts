import { setImmediate as turn } from 'node:timers/promises';
import { RegistryError } from '../../errors.ts';
import type { Document, Projection } from '../../projections/projection.ts';
import { LARGEST_PAGE, type Query, type Views } from '../../projections/views/views.ts';

const DEFAULT_LIMIT = 50;
const LARGEST_LIMIT = 100;
/** How many entries of a list that has a cursor come before the last one that a page by its number has. */
export const DEEPEST = 10_000;
/** The last page that is served: a list is no way to read out a registry. */
const LAST_PAGE = 10_000;

/** The parameters of every paged list, for its query's schema. Checked by `pageOf`, which clamps `limit` as is documented. */
export const PAGE_PARAMETERS = {
  page: { type: 'string', description: 'The page, counted from 1.', example: '1' },
  limit: { type: 'string', description: `Items a page, ${DEFAULT_LIMIT} without it, at most ${LARGEST_LIMIT}.`, example: '50' },
} as const;

export type PageQuery = Readonly<{ page?: string; limit?: string }>;
export type PageOf = Readonly<{ page: number; limit: number }>;

const wholeNumber = (name: 'page' | 'limit', text: string): number => {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new RegistryError('REQUEST_INVALID', `${name} must be a whole number.`, { field: name });
};

/** Which page of a list a query asks for. @throws RegistryError `REQUEST_INVALID` */
export const pageOf = ({ page = '1', limit = String(DEFAULT_LIMIT) }: PageQuery): PageOf => {
  const wanted = wholeNumber('page', page);
  if (wanted < 1 || wanted > LAST_PAGE)
    throw new RegistryError('REQUEST_INVALID', `page must be from 1 to ${LAST_PAGE}.`, { field: 'page' });
  return { page: wanted, limit: Math.min(Math.max(wholeNumber('limit', limit), 1), LARGEST_LIMIT) };
};

/** For lists that have a cursor: what it gives at the cost of a page, a number gives at the cost of all pages before it. @throws RegistryError `REQUEST_INVALID` */
export const refuseDeep = ({ page, limit }: PageOf): void => {
  if (page * limit <= DEEPEST) return;
  const message = `Pages go ${DEEPEST} entries deep. What is behind them is read with the cursor of the page before.`;
  throw new RegistryError('REQUEST_INVALID', message, { field: 'page' });
};

/** A list's answer: its items under the documented name, and where in the whole they stand. */
export const pageAnswer = <N extends string, T>(
  name: N,
  items: readonly T[],
  total: number,
  { page, limit }: PageOf,
): Readonly<Record<string, unknown>> => ({
  [name]: items,
  total,
  page,
  limit,
  pagination: { page, limit, total, pages: Math.ceil(total / limit) },
});

const COUNT = { type: 'integer', minimum: 0 } as const;

/** The schema of `pageAnswer`. @param names under which the items stand, mostly one */
export const pageSchema = (items: object, ...names: readonly string[]): object => ({
  type: 'object',
  properties: {
    ...Object.fromEntries(names.map((name) => [name, { type: 'array', items }])),
    total: COUNT,
    page: COUNT,
    limit: COUNT,
    pagination: {
      type: 'object',
      properties: { page: COUNT, limit: COUNT, total: COUNT, pages: COUNT },
      required: ['page', 'limit', 'total', 'pages'],
      additionalProperties: false,
    },
  },
  required: [...names, 'total', 'page', 'limit', 'pagination'],
  additionalProperties: false,
});

type Found<T> = Readonly<{ items: readonly T[]; more: boolean }>;

/**
 * The n-th page of a list of which one finds what stands behind an item: it is behind the pages before it.
 * @param find some items behind one, or from the first on
 */
export const walkTo = async <T>(
  { page, limit }: PageOf,
  find: (behind: T | undefined, limit: number) => Promise<Found<T>>,
): Promise<readonly T[]> => {
  let skip = (page - 1) * limit;
  let behind: T | undefined;
  for (;;) {
    const { items, more } = await find(behind, skip === 0 ? limit : Math.min(skip, LARGEST_PAGE));
    if (skip === 0) return items;
    if (!more) return [];
    skip -= items.length;
    behind = items.at(-1);
    // The embedded views answer within the call.
    await turn();
  }
};

/** One page of what a query finds, for lists that are sorted by one field. */
export const findPage = async <D extends Document>(
  views: Views,
  view: Projection<D>,
  { where, sort }: Readonly<{ where: NonNullable<Query['where']>; sort: string & keyof D }>,
  page: PageOf,
): Promise<readonly D[]> => {
  type Item = Readonly<{ key: string; value: D }>;
  const items = await walkTo<Item>(page, (behind, limit) => {
    const after = behind && [behind.value[sort] as string | number, behind.key];
    return views.find(view, { where, sort: [sort], limit, ...(after && { after }) });
  });
  return items.map(({ value }) => value);
};
