import { RegistryError } from '../errors.ts';
import { LARGEST_PAGE } from '../projections/views/views.ts';

/** The parameters of a list that can be had in parts, for its query's schema. */
export const PART_PARAMETERS = {
  type: 'object',
  properties: {
    limit: { type: 'string', description: 'Most entries, from 0 on. All without it.', example: '100' },
    after: { type: 'string', description: 'Begins behind this one, which need not be there.' },
  },
} as const;

export type PartQuery = Readonly<{ limit?: string; after?: string }>;
export type Part = Readonly<{ limit: number; after: string }>;

/** Which part of a list a query asks for: all of it, if it does not say. @throws RegistryError `REQUEST_INVALID` */
export const partOf = ({ limit, after = '' }: PartQuery): Part => {
  if (limit === undefined) return { limit: Number.POSITIVE_INFINITY, after };
  if (/^\d{1,15}$/.test(limit)) return { limit: Number(limit), after };
  throw new RegistryError('REQUEST_INVALID', 'limit must be a whole number, 0 or more.', { field: 'limit' });
};

/** Documents that are read at once for a list of that many entries. */
export const pageSizeFor = (limit: number): number => Math.max(1, Math.min(limit, LARGEST_PAGE));

/** The first `limit` items of these pages; no page is asked for of which nothing is needed. */
export async function* firstOf<T>(pages: AsyncIterable<readonly T[]>, limit: number): AsyncGenerator<readonly T[]> {
  let left = limit;
  if (left === 0) return;
  for await (const page of pages) {
    yield page.slice(0, left);
    left -= page.length;
    if (left <= 0) return;
  }
}

/** The same pages with something else for each item. */
export async function* eachOf<T, U>(pages: AsyncIterable<readonly T[]>, other: (item: T) => U): AsyncGenerator<readonly U[]> {
  for await (const page of pages) yield page.map(other);
}

/** Pages that are counted while they are read. */
export const counting = <T>(pages: AsyncIterable<readonly T[]>) => {
  let seen = 0;
  return {
    count: (): number => seen,
    pages: eachPage(pages, (page) => {
      seen += page.length;
    }),
  };
};

async function* eachPage<T>(
  pages: AsyncIterable<readonly T[]>,
  look: (page: readonly T[]) => void,
): AsyncGenerator<readonly T[]> {
  for await (const page of pages) {
    look(page);
    yield page;
  }
}
