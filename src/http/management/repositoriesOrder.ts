import type { Readable } from '../../identity/rights.ts';
import { type Pulls, repositoryPulls } from '../../projections/accessPulls.ts';
import type { CatalogEntry } from '../../projections/catalog.ts';
import { type ListedRepository, repositoryList } from '../../projections/repositoryList.ts';
import type { Views } from '../../projections/views/views.ts';
import type { HttpDeps } from '../deps.ts';
import { pageOfReadable } from '../readable.ts';

/** What a list is filtered by, and found again by in every view. */
export type Entry = Pick<CatalogEntry, 'name' | 'repositoryId' | 'visibility' | 'ownerId'>;
/** Where something stands in an order: what the order compares, in JSON. */
export type Place = readonly (string | number)[];
/** A step through an order. Without an entry: of what is there no longer, or stands elsewhere. */
export type Step = Readonly<{ entry: Entry | undefined; place: Place }>;
export type Steps = Readonly<{ steps: readonly Step[]; more: boolean }>;

/** Repositories in an order, whether one walks through all of them or sorts a few. */
export type Order = Readonly<{
  /** Strictly after a place, or from the first on. */
  walk: (after: Place | undefined, limit: number) => Promise<Steps>;
  /** Where entries stand, as far as they are there. */
  stepsOf: (entries: readonly Entry[]) => Promise<readonly Step[]>;
  /** Below 0: `one` comes first. */
  compare: (one: Place, other: Place) => number;
}>;

export const SORTS = [
  ...['name', '-name', 'updated', '-updated', 'size', '-size', 'pulls', '-pulls', 'created', '-created'],
] as const as readonly ['name', '-name', 'updated', '-updated', 'size', '-size', 'pulls', '-pulls', 'created', '-created'];
export type Sort = (typeof SORTS)[number];

type Reading = Pick<HttpDeps, 'views' | 'reporting' | 'accessViews'>;
type Sign = 1 | -1;

const compared = (one: string | number, other: string | number): number => {
  if (one === other) return 0;
  return one < other ? -1 : 1;
};

/** Value by value. Names, ids and times are ASCII: JavaScript's order is that of their bytes. */
const comparing =
  (sign: Sign) =>
  (one: Place, other: Place): number => {
    for (const [index, value] of one.entries()) {
      const order = compared(value, other[index] ?? '');
      if (order !== 0) return sign * order;
    }
    return 0;
  };

/** By name, of what a caller may read and nothing else. */
const byName = ({ views }: Reading, readable: Readable): Order => ({
  walk: async (after, limit) => {
    const { items, more } = await pageOfReadable(views, readable, { after: String(after?.[0] ?? ''), limit });
    return { steps: items.map((entry) => ({ entry, place: [entry.name] })), more };
  },
  stepsOf: async (entries) => entries.map((entry) => ({ entry, place: [entry.name] })),
  compare: comparing(1),
});

const byNameBackwards = (deps: Reading): Order => ({
  walk: async (after, limit) => {
    const query = { where: { listed: true }, sort: ['-key'], limit, ...(after && { after }) };
    const { items, more } = await deps.reporting.find(repositoryList, query);
    return { steps: items.map(({ value }) => ({ entry: value, place: [value.name] })), more };
  },
  stepsOf: byName(deps, 'none').stepsOf,
  compare: comparing(-1),
});

type Field = 'newestFirst' | 'size' | 'createdAt';

const byField = ({ reporting }: Reading, field: Field, sign: Sign): Order => {
  const stepOf = (one: ListedRepository): Step => ({ entry: one, place: [one[field], one.name] });
  return {
    walk: async (after, limit) => {
      const sort = [`${sign === 1 ? '' : '-'}${field}`];
      const { items, more } = await reporting.find(repositoryList, {
        where: { listed: true },
        sort,
        limit,
        ...(after && { after }),
      });
      return { steps: items.map(({ value }) => stepOf(value)), more };
    },
    stepsOf: async (entries) => {
      const names = entries.map(({ name }) => name);
      const found = await reporting.getMany(repositoryList, names);
      return found.filter((one): one is ListedRepository => one?.listed === true).map(stepOf);
    },
    compare: comparing(sign),
  };
};

const entriesOf = async (
  reporting: Pick<Views, 'find'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ListedRepository>> => {
  if (ids.length === 0) return new Map();
  const where = { repositoryId: { $in: ids } };
  const { items } = await reporting.find(repositoryList, { where, sort: ['repositoryId'], limit: ids.length });
  return new Map(items.filter(({ value }) => value.listed).map(({ value }) => [value.repositoryId, value]));
};

/**
 * Two parts, of which the places say the first and the second: what was pulled, by how often and among equals by id, and what never was, by
 * name. The most pulled first: in this order; the least pulled first: the parts change places and the first one runs backwards.
 */
const byPulls = ({ reporting, views, accessViews }: Reading, sign: Sign): Order => {
  const [pulled, never] = sign === 1 ? [1, 0] : [0, 1];
  const placeOf = ({ name, repositoryId }: Entry, pulls: Pulls | undefined): Place =>
    pulls === undefined ? [never, name] : [pulled, pulls.pulls, repositoryId];

  const walkPulled = async (after: Place | undefined, limit: number): Promise<Steps> => {
    const sort = [sign === 1 ? 'pulls' : '-pulls'];
    const { items, more } = await accessViews.find(repositoryPulls, { sort, limit, ...(after && { after: after.slice(1) }) });
    const entries = await entriesOf(
      reporting,
      items.map(({ key }) => key),
    );
    return { steps: items.map(({ key, value }) => ({ entry: entries.get(key), place: [pulled, value.pulls, key] })), more };
  };

  const walkNever = async (after: Place | undefined, limit: number): Promise<Steps> => {
    const { steps, more } = await byName({ reporting, views, accessViews }, 'all').walk(after?.slice(1), limit);
    const ids = steps.map(({ entry }) => entry?.repositoryId ?? '');
    const pulls = ids.length === 0 ? [] : await accessViews.getMany(repositoryPulls, ids);
    return {
      steps: steps.map(({ entry, place }, index) => ({
        entry: pulls[index] === undefined ? entry : undefined,
        place: [never, ...place],
      })),
      more,
    };
  };

  const [first, second] = sign === 1 ? [walkNever, walkPulled] : [walkPulled, walkNever];
  return {
    walk: async (after, limit) => {
      if (after?.[0] === 1) return second(after, limit);
      const begun = await first(after, limit);
      if (begun.more) return begun;
      const goesOn = await second(undefined, limit);
      return { steps: [...begun.steps, ...goesOn.steps], more: goesOn.more };
    },
    stepsOf: async (entries) => {
      const ids = entries.map(({ repositoryId }) => repositoryId);
      const pulls = await accessViews.getMany(repositoryPulls, ids);
      return entries.map((entry, index) => ({ entry, place: placeOf(entry, pulls[index]) }));
    },
    compare: (one, other) => {
      const parts = compared(one[0] ?? 0, other[0] ?? 0);
      if (parts !== 0) return parts;
      return comparing(one[0] === never ? 1 : sign)(one, other);
    },
  };
};

/** @param readable what the caller may read: an order by name has nothing else in it, any other one everything */
export const orderOf = (deps: Reading, sort: Sort, readable: Readable): Order => {
  switch (sort) {
    case 'name':
      return byName(deps, readable);
    case '-name':
      return byNameBackwards(deps);
    case 'updated':
      return byField(deps, 'newestFirst', -1);
    case '-updated':
      return byField(deps, 'newestFirst', 1);
    case 'size':
      return byField(deps, 'size', 1);
    case '-size':
      return byField(deps, 'size', -1);
    case 'pulls':
      return byPulls(deps, 1);
    case '-pulls':
      return byPulls(deps, -1);
    case 'created':
      return byField(deps, 'createdAt', 1);
    case '-created':
      return byField(deps, 'createdAt', -1);
  }
};
