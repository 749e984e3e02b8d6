import { setImmediate as turn } from 'node:timers/promises';
import type { Visibility } from '../../events/repository.ts';
import type { Readable } from '../../identity/rights.ts';
import { type CatalogEntry, catalog } from '../../projections/catalog.ts';
import { repositoryWords } from '../../projections/repositoryWords.ts';
import { pagesOf } from '../../projections/views/pages.ts';
import { LARGEST_PAGE, type Where } from '../../projections/views/views.ts';
import type { HttpDeps } from '../deps.ts';
import { pageOfReadable } from '../readable.ts';

export type Filter = Readonly<{
  /** In lower case: what a name, or a part of it, begins with. */
  text?: string;
  visibility?: Visibility;
  ownerId?: number;
  prefix?: string;
}>;

/** Among them is all that is asked for, and perhaps more. */
export type Candidates = Readonly<{ count: number; load: () => Promise<readonly CatalogEntry[]> }>;

type Reading = Pick<HttpDeps, 'views' | 'reporting'>;

export const isEmpty = (filter: Filter): boolean => Object.values(filter).every((value) => value === undefined);

/** Conditions that an index of the catalog begins with; an owner needs the visibility before him. */
const conditionsOf = ({ visibility, ownerId, prefix }: Filter): readonly Where[] => {
  const all = ownerId !== undefined && visibility === undefined ? (['private', 'public'] as const) : [visibility];
  return all.map((one) => ({
    listed: true,
    ...(one !== undefined && { visibility: one }),
    ...(ownerId !== undefined && { ownerId }),
    ...(prefix !== undefined && { key: { $prefix: prefix } }),
  }));
};

/** How many of all repositories meet a filter without a text. */
export const countOf = async ({ views }: Reading, filter: Filter, atMost?: number): Promise<number> => {
  const counts = await Promise.all(conditionsOf(filter).map((where) => views.count(catalog, where, atMost)));
  return counts.reduce((sum, count) => sum + count, 0);
};

const loadReadable = async ({ views }: Reading, readable: Readable): Promise<readonly CatalogEntry[]> => {
  const all: CatalogEntry[] = [];
  for (let after = ''; ; after = all.at(-1)?.name ?? '') {
    const { items, more } = await pageOfReadable(views, readable, { after, limit: LARGEST_PAGE });
    all.push(...items);
    if (!more || items.length === 0) return all;
    await turn();
  }
};

const loadFiltered = async ({ views }: Reading, filter: Filter): Promise<readonly CatalogEntry[]> => {
  const all: CatalogEntry[] = [];
  for (const where of conditionsOf(filter))
    for await (const page of pagesOf(views, catalog, { where, limit: LARGEST_PAGE })) all.push(...page.map(({ value }) => value));
  return all;
};

const loadFound = async ({ views, reporting }: Reading, where: Where): Promise<readonly CatalogEntry[]> => {
  const all = new Map<string, CatalogEntry>();
  for await (const page of pagesOf(reporting, repositoryWords, { where, limit: LARGEST_PAGE })) {
    const names = [...new Set(page.map(({ value }) => value.name))].filter((name) => !all.has(name));
    for (const entry of names.length === 0 ? [] : await views.getMany(catalog, names))
      if (entry?.listed) all.set(entry.name, entry);
  }
  return [...all.values()];
};

/**
 * The fewest candidates that an index tells of: what the caller may read, what meets the filter, or what has its text. Undefined where all
 * of these are more than `atMost`, beyond which nothing is counted.
 * @param readableCount how many the caller may read
 */
export const candidatesFor = async (
  deps: Reading,
  { readable, filter }: Readonly<{ readable: Readable; filter: Filter }>,
  readableCount: number,
  atMost: number,
): Promise<Candidates | undefined> => {
  const { text, ...others } = filter;
  const ways: Candidates[] = [{ count: readableCount, load: () => loadReadable(deps, readable) }];
  if (!isEmpty(others)) ways.push({ count: await countOf(deps, others, atMost + 1), load: () => loadFiltered(deps, others) });
  if (text !== undefined) {
    const where = { key: { $prefix: text } };
    const count = await deps.reporting.count(repositoryWords, where, atMost + 1);
    ways.push({ count, load: () => loadFound(deps, where) });
  }
  const fewest = ways.reduce((one, other) => (other.count < one.count ? other : one));
  return fewest.count > atMost ? undefined : fewest;
};
