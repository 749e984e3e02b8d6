import { setImmediate as turn } from 'node:timers/promises';
import type { Readable } from '../../identity/rights.ts';
import { hasWord } from '../../projections/repositoryWords.ts';
import { LARGEST_PAGE } from '../../projections/views/views.ts';
import type { HttpDeps } from '../deps.ts';
import { countReadable, readsOf } from '../readable.ts';
import { candidatesFor, countOf, type Filter, isEmpty } from './repositoriesCandidates.ts';
import { type Entry, type Order, orderOf, type Place, type Sort, type Step } from './repositoriesOrder.ts';

/** What one request takes upon itself. */
export type Bounds = Readonly<{
  /** Up to so many are read whole and sorted in memory at once. */
  few: number;
  /** Up to so many are so where no page of them came together otherwise. */
  mostSorted: number;
  /** Rows that are looked at, or a stride more, where most of what is walked through is none of what is asked for. */
  mostExamined: number;
  /** Rows that are read at once. */
  stride: number;
}>;
const BOUNDS: Bounds = { few: 1000, mostSorted: 10_000, mostExamined: 20_000, stride: LARGEST_PAGE };

/** Where to begin: strictly after a place, and behind so many of what is listed. `seen`: how many of it are known to stand before. */
export type From = Readonly<{ after?: Place; skip: number; seen: number }>;
export type Wanted = Readonly<{ readable: Readable; sort: Sort; filter: Filter; from: From; limit: number }>;
export type Found = Readonly<{
  entries: readonly Entry[];
  /** How many there are, or, unless it is exact, at least. */
  total: number;
  exact: boolean;
  /** Where it goes on, if it does or may. */
  next?: From;
}>;

type Reading = Pick<HttpDeps, 'views' | 'reporting' | 'accessViews'>;
type Matches = (entry: Entry) => boolean;

/** What no name has in it: behind everything that begins with a prefix, and before what comes after that. */
const BEHIND = '~';

const matching = (readable: Readable, { text, visibility, ownerId, prefix }: Filter): Matches => {
  const mayRead = readsOf(readable);
  return (entry) =>
    (visibility === undefined || entry.visibility === visibility) &&
    (ownerId === undefined || entry.ownerId === ownerId) &&
    (prefix === undefined || entry.name.startsWith(prefix)) &&
    mayRead(entry) &&
    (text === undefined || hasWord(entry.name, text));
};

type Matching = Step & Readonly<{ entry: Entry }>;

/** Asked again of what the order knows: it may be newer, and another life under the same name. */
const stepsOf = async (order: Order, entries: readonly Entry[], matches: Matches): Promise<Matching[]> => {
  const steps: Matching[] = [];
  for (let next = 0; next < entries.length; next += LARGEST_PAGE) {
    if (next > 0) await turn();
    const some = await order.stepsOf(entries.slice(next, next + LARGEST_PAGE));
    steps.push(...some.filter((step): step is Matching => step.entry !== undefined && matches(step.entry)));
  }
  return steps;
};

const sorted = async (order: Order, entries: readonly Entry[], matches: Matches, { from, limit }: Wanted): Promise<Found> => {
  const steps = await stepsOf(order, entries, matches);
  steps.sort((one, other) => order.compare(one.place, other.place));
  const { after } = from;
  const ahead = after === undefined ? steps : steps.filter(({ place }) => order.compare(place, after) > 0);
  const page = ahead.slice(from.skip, from.skip + limit);
  const last = page.at(-1);
  return {
    entries: page.map(({ entry }) => entry),
    total: steps.length,
    exact: true,
    ...(last !== undefined &&
      ahead.length > from.skip + limit && { next: { after: last.place, skip: 0, seen: from.seen + from.skip + page.length } }),
  };
};

/** The part of an order by name that begins with a prefix. */
const rangeOf = (sort: Sort, prefix: string | undefined): Readonly<{ begin?: Place; isBehind: (place: Place) => boolean }> => {
  if (prefix === undefined || prefix === '' || (sort !== 'name' && sort !== '-name')) return { isBehind: () => false };
  const end = `${prefix}${BEHIND}`;
  if (sort === '-name') return { begin: [end], isBehind: ([name = '']) => name < prefix };
  const before = String.fromCharCode(prefix.charCodeAt(prefix.length - 1) - 1);
  return { begin: [`${prefix.slice(0, -1)}${before}${BEHIND}`], isBehind: ([name = '']) => name > end };
};

const walked = async (
  order: Order,
  matches: Matches,
  wanted: Wanted,
  { mostExamined, stride: largest }: Bounds,
): Promise<Found> => {
  const { sort, filter, from, limit } = wanted;
  const { begin, isBehind } = rangeOf(sort, filter.prefix);
  const entries: Entry[] = [];
  let place = from.after ?? begin;
  let skip = from.skip;
  let examined = 0;
  // One more than the page, to know whether there is.
  let stride = Math.min(skip + limit + 1, largest);
  const seen = (): number => from.seen + from.skip - skip + entries.length;
  const ended = (): Found => ({ entries, total: seen(), exact: true });
  for (;;) {
    const { steps, more } = await order.walk(place, stride);
    for (const step of steps) {
      if (isBehind(step.place)) return ended();
      if (step.entry !== undefined && matches(step.entry)) {
        if (skip > 0) skip -= 1;
        else if (entries.length < limit) entries.push(step.entry);
        else return { entries, total: seen() + 1, exact: false, next: { ...(place && { after: place }), skip: 0, seen: seen() } };
      }
      place = step.place;
    }
    if (!more) return ended();
    examined += steps.length;
    if (examined >= mostExamined)
      return { entries, total: seen(), exact: false, next: { ...(place && { after: place }), skip, seen: seen() } };
    stride = largest;
    // The embedded views answer within the call: others have their turn between two strides.
    await turn();
  }
};

/** How many there are where that can be counted by an index: what nobody filters, and what indexes of the catalog begin with. */
const knownTotal = async (deps: Reading, { readable, filter }: Wanted, readableCount: number): Promise<number | undefined> => {
  if (isEmpty(filter)) return readableCount;
  return readable === 'all' && filter.text === undefined ? countOf(deps, filter) : undefined;
};

/**
 * A page of the repositories that a caller may read, in any order and by any filter, and nothing else. Where they are few, or what is asked for
 * is, all are read and sorted: that is exact. Where they are many, the index of the order is walked through and what is not asked for passed by.
 * What is so seldom that 20,000 rows give no page of it is read and sorted after all, if it is no more than 10,000; else the page is short, and
 * says where it goes on.
 */
export const findRepositories = async (deps: Reading, wanted: Wanted, bounds: Bounds = BOUNDS): Promise<Found> => {
  const { readable, sort, filter, limit } = wanted;
  if (readable === 'none') return { entries: [], total: 0, exact: true };
  const order = orderOf(deps, sort, readable);
  const matches = matching(readable, filter);
  const count = await countReadable(deps.views, readable);
  // No row of it is passed by, but for those before the page.
  if (sort === 'name' && isEmpty(filter)) return { ...(await walked(order, matches, wanted, bounds)), total: count, exact: true };
  const candidates = await candidatesFor(deps, wanted, count, bounds.mostSorted);
  if (candidates !== undefined && candidates.count <= bounds.few) return sorted(order, await candidates.load(), matches, wanted);
  const found = await walked(order, matches, wanted, bounds);
  if (candidates !== undefined && found.next !== undefined && found.entries.length < limit)
    return sorted(order, await candidates.load(), matches, wanted);
  const total = await knownTotal(deps, wanted, count);
  return total === undefined ? found : { ...found, total, exact: true };
};
