import type { Caller } from '../identity/caller.ts';
import { grantsOf, type Readable, readableNames } from '../identity/rights.ts';
import { type CatalogEntry, catalog } from '../projections/catalog.ts';
import { LARGEST_PAGE, type Views, type Where } from '../projections/views/views.ts';

/** Names in byte order, strictly after one. */
export type Span = Readonly<{ after: string; limit: number }>;
export type Listed = Readonly<{ items: readonly CatalogEntry[]; more: boolean }>;

type Some = Exclude<Readable, string>;
type Reading = Pick<Views, 'find' | 'getMany' | 'count' | 'totals' | 'getAtOnce'>;

const NOTHING: Listed = { items: [], more: false };
/** Ranges that are looked into at the same time. */
const RANGES_AT_ONCE = 8;

const PUBLIC: Where = { listed: true, visibility: 'public' };
const PRIVATE: Where = { listed: true, visibility: 'private' };

/** One scan of one index. No name is empty: the first page is looked up in it as every other is. */
const scan = async (views: Reading, where: Where, { after, limit }: Span): Promise<Listed> => {
  const { items, more } = await views.find(catalog, { where, after: [after], limit });
  return { items: items.map(({ value }) => value), more };
};

/** What is private under prefixes, from the first on that the page may reach: none stands under another, so they follow each other. */
const underPrefixes = async (views: Reading, prefixes: readonly string[], span: Span): Promise<Listed> => {
  const ahead = prefixes.filter((prefix) => prefix > span.after || span.after.startsWith(prefix));
  const items: CatalogEntry[] = [];
  for (let next = 0; next < ahead.length && items.length <= span.limit; next += RANGES_AT_ONCE) {
    const ranges = ahead.slice(next, next + RANGES_AT_ONCE).map((prefix) => ({ ...PRIVATE, key: { $prefix: prefix } }));
    const found = await Promise.all(ranges.map((where) => scan(views, where, span)));
    items.push(...found.flatMap((page) => page.items));
    // Whichever was cut off has a page's worth: what it left out comes behind the page.
    if (found.some(({ more }) => more)) return { items, more: true };
  }
  return { items, more: false };
};

const inLife = (entry: CatalogEntry | undefined, repositoryId: string | undefined): entry is CatalogEntry =>
  entry?.listed === true && entry.repositoryId === repositoryId;

/** What is granted by name, as much as the page takes. A name may be granted several times over, and have nothing under it by now. */
const byName = async (views: Reading, { names }: Some, { after, limit }: Span): Promise<Listed> => {
  const lives = new Map(
    names.filter(({ name }) => name > after).map(({ name, repositoryId }) => [`${name} ${repositoryId}`, name]),
  );
  const wanted = [...lives].sort(([one], [other]) => (one < other ? -1 : 1));
  const items: CatalogEntry[] = [];
  const step = Math.min(limit + 1, LARGEST_PAGE);
  for (let next = 0; next < wanted.length && items.length <= limit; next += step) {
    const some = wanted.slice(next, next + step);
    const found = await views.getMany(
      catalog,
      some.map(([, name]) => name),
    );
    for (const [index, entry] of found.entries())
      if (inLife(entry, some[index]?.[0].slice(some[index][1].length + 1))) items.push(entry);
  }
  return { items, more: false };
};

/** The sorted union of lists that are each as long as the page, if they go on. */
const merged = (lists: readonly Listed[], limit: number): Listed => {
  const byNames = new Map(lists.flatMap(({ items }) => items.map((entry) => [entry.name, entry] as const)));
  const items = [...byNames.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  return { items: items.slice(0, limit), more: items.length > limit || lists.some(({ more }) => more) };
};

/**
 * Repositories that hold a manifest, of those that a caller may read, in byte order. Costs a few scans of indexes that each begin where the
 * page does and end with it, whatever share of the registry is his: no name is looked at that he may not read.
 */
export const pageOfReadable = async (views: Reading, readable: Readable, span: Span): Promise<Listed> => {
  if (readable === 'none') return NOTHING;
  if (readable === 'all') return scan(views, { listed: true }, span);
  const { ownerId, prefixes } = readable;
  const lists = await Promise.all([
    scan(views, PUBLIC, span),
    ownerId === undefined ? NOTHING : scan(views, { ...PRIVATE, ownerId }, span),
    underPrefixes(views, prefixes, span),
    byName(views, readable, span),
  ]);
  return merged(lists, span.limit);
};

const countNamed = async (views: Reading, readable: Some): Promise<number> => {
  let count = 0;
  let after = '';
  for (;;) {
    const { items } = await byName(views, readable, { after, limit: LARGEST_PAGE });
    const last = items.at(-1);
    if (last === undefined) return count;
    count += items.filter(({ visibility, ownerId }) => visibility === 'private' && ownerId !== readable.ownerId).length;
    after = last.name;
  }
};

const countUnder = async (views: Reading, prefix: string, ownerId: number): Promise<number> => {
  const key = { $prefix: prefix };
  const [all, owned] = await Promise.all([
    views.count(catalog, { ...PRIVATE, key }),
    views.count(catalog, { ...PRIVATE, ownerId, key }),
  ]);
  return all - owned;
};

/** How many they are. What is public is counted as it comes and goes; of the rest the index entries of what is the caller's are counted. */
export const countReadable = async (views: Reading, readable: Readable): Promise<number> => {
  if (readable === 'none') return 0;
  const { repositories = 0, publicRepositories = 0 } = (await views.totals(catalog)).sums;
  if (readable === 'all') return repositories;
  const { ownerId, prefixes } = readable;
  if (ownerId === undefined) return publicRepositories;
  let count = publicRepositories + (await views.count(catalog, { ...PRIVATE, ownerId })) + (await countNamed(views, readable));
  for (const prefix of prefixes) count += await countUnder(views, prefix, ownerId);
  return count;
};

type Judged = Pick<CatalogEntry, 'name' | 'repositoryId' | 'visibility' | 'ownerId'>;

/** The same of one entry at a time, wherever it was found. */
export const readsOf = (readable: Readable): ((entry: Judged) => boolean) => {
  if (typeof readable === 'string') return () => readable === 'all';
  const { ownerId, prefixes, names } = readable;
  const lives = new Set(names.map(({ name, repositoryId }) => `${name} ${repositoryId}`));
  const under = new Set(prefixes);
  const isUnder = (name: string): boolean => [...name.matchAll(/\//g)].some(({ index }) => under.has(name.slice(0, index + 1)));
  return (entry) =>
    entry.visibility === 'public' ||
    (ownerId !== undefined && entry.ownerId === ownerId) ||
    isUnder(entry.name) ||
    lives.has(`${entry.name} ${entry.repositoryId}`);
};

/** What a caller may read, by all that is granted to him. */
export const readableOf = async (views: Reading, caller: Caller): Promise<Readable> =>
  readableNames(caller, await grantsOf(views, caller));
