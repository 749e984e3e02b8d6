import { expect } from 'chai';
import fc from 'fast-check';
import type { Filter } from '../../../src/http/management/repositoriesCandidates.ts';
import { SORTS, type Sort } from '../../../src/http/management/repositoriesOrder.ts';
import { type Bounds, type Found, type From, findRepositories } from '../../../src/http/management/repositoriesPage.ts';
import type { Readable } from '../../../src/identity/rights.ts';
import { access } from '../../../src/projections/accessGroup.ts';
import { type Pulls, repositoryPulls } from '../../../src/projections/accessPulls.ts';
import { type CatalogEntry, catalog } from '../../../src/projections/catalog.ts';
import { reporting, serving } from '../../../src/projections/groups.ts';
import type { Document, Group, Projection } from '../../../src/projections/projection.ts';
import { type ListedRepository, repositoryList } from '../../../src/projections/repositoryList.ts';
import { endsOf, repositoryWords } from '../../../src/projections/repositoryWords.ts';
import { sqliteViews } from '../../../src/projections/views/sqlite.ts';
import type { Views } from '../../../src/projections/views/views.ts';
import { positionOf } from '../../support/projecting.ts';
import { turnsDuring } from '../../support/turns.ts';

/** A repository as far as lists look at it. `pulls` 0: never. */
type Some = ListedRepository & Readonly<{ pulls: number }>;

const time = (n: number): string => `2026-01-0${n}T00:00:00.000Z`;

const anyPart = fc.constantFrom('a', 'ab', 'b', 'app');
const anyRepositoryName = fc
  .tuple(anyPart, fc.array(fc.tuple(fc.constantFrom('/', '-', '.', '_'), anyPart), { maxLength: 3 }))
  .map(([first, rest]) => first + rest.map((parts) => parts.join('')).join(''));

const anyRepository: fc.Arbitrary<Some> = fc
  .record({
    name: anyRepositoryName,
    visibility: fc.constantFrom('public', 'private'),
    ownerId: fc.constantFrom(1, 2, null),
    size: fc.nat(3),
    pulls: fc.nat(2),
    created: fc.integer({ min: 1, max: 3 }),
    updated: fc.integer({ min: 3, max: 6 }),
    isEmpty: fc.nat(5).map((n) => n === 0),
  })
  .map(({ created, updated, isEmpty, ...one }) => ({
    ...one,
    listed: !isEmpty,
    repositoryId: `life of ${one.name}`,
    manifests: Number(!isEmpty),
    tags: 0,
    createdAt: time(created),
    updatedAt: time(updated),
    newestFirst: time(9 - updated),
  }));

const anyRepositories = fc.uniqueArray(anyRepository, { selector: ({ name }) => name, minLength: 5, maxLength: 25, size: 'max' });

/** @param granted the places of what is granted by name, among all */
const readableOf = (ownerId: number, prefixes: readonly string[], granted: readonly number[], all: readonly Some[]): Readable => {
  const names = [...new Set(granted)].flatMap((place) => all[place] ?? []);
  return {
    public: true,
    ownerId,
    prefixes,
    names: names
      .filter(({ name }) => !prefixes.some((prefix) => name.startsWith(prefix)))
      // One grant in two is for a former life.
      .map(({ name, repositoryId }, index) => ({ name, repositoryId: index % 2 === 0 ? repositoryId : 'another life' })),
  };
};

const PUBLIC_ONLY: Readable = { public: true, prefixes: [], names: [] };

const anyReadable: fc.Arbitrary<(all: readonly Some[]) => Readable> = fc.oneof(
  fc.constantFrom('all' as const, 'none' as const, PUBLIC_ONLY).map((readable) => () => readable),
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom(1, 2, 3),
        fc.constantFrom([], ['a/'], ['app/', 'b/']),
        fc.array(fc.nat(25), { minLength: 1, maxLength: 8 }),
      )
      .map(
        ([ownerId, prefixes, granted]) =>
          (all: readonly Some[]) =>
            readableOf(ownerId, prefixes, granted, all),
      ),
  },
);

const FIELDS = ['text', 'visibility', 'ownerId', 'prefix'] as const;

/** Mostly none, or one. */
const anyFilter: fc.Arbitrary<Filter> = fc
  .tuple(
    fc.subarray([...FIELDS], { maxLength: 2 }),
    fc.record({
      text: fc.constantFrom('a', 'ap', 'b', 'app', 'a/b', 'c'),
      visibility: fc.constantFrom('public' as const, 'private' as const),
      ownerId: fc.constantFrom(1, 2, 3),
      prefix: fc.constantFrom('a', 'a/', 'app/', 'b', 'c/'),
    }),
  )
  .map(([fields, values]) => Object.fromEntries(fields.map((field) => [field, values[field]])));

const viewsOf = async (group: Group, documents: readonly (readonly [unknown, Readonly<Record<string, Document>>])[]) => {
  const views = sqliteViews(':memory:', group);
  const rows = documents.map(([view, values]) => ({
    view: (view as Projection).view,
    documents: Object.entries(values).map(([key, value]) => ({ key, value, position: positionOf(1) })),
  }));
  const entries = Object.values(documents.find(([view]) => (view as Projection).view === 'catalog')?.[1] ?? {}) as CatalogEntry[];
  const listed = entries.filter((entry) => entry.listed);
  const sums = { repositories: listed.length, publicRepositories: listed.filter((one) => one.visibility === 'public').length };
  const totals = group === serving ? { catalog: sums } : {};
  await views.commit({ totals, documents: rows, cursors: {}, checkpoint: positionOf(1) });
  return views;
};

type Deps = Readonly<{ views: Views; reporting: Views; accessViews: Views; close: () => Promise<unknown> }>;

const holding = async (repositories: readonly Some[]): Promise<Deps> => {
  const named = <D extends Document>(of: (one: Some) => D) => Object.fromEntries(repositories.map((one) => [one.name, of(one)]));
  const entries = named(({ updatedAt, size: _size, pulls: _pulls, newestFirst: _newest, ...one }): CatalogEntry => {
    return { ...one, lastPushedAt: updatedAt };
  });
  const words = repositories.flatMap(({ name, repositoryId }) =>
    endsOf(name).map((end) => [`${end} ${name}`, { name, repositoryId }] as const),
  );
  const pulled = repositories
    .filter(({ pulls }) => pulls > 0)
    .map(({ repositoryId, pulls }): readonly [string, Pulls] => {
      return [repositoryId, { pulls, bytes: pulls, lastPulledAt: time(1), since: '2026-01-01' }];
    });
  const views = await viewsOf(serving, [[catalog, entries]]);
  const reported = await viewsOf(reporting, [
    [repositoryList, named(({ pulls: _pulls, ...one }): ListedRepository => one)],
    [repositoryWords, Object.fromEntries(words)],
  ]);
  // Lives that have ended were pulled, too.
  const accessViews = await viewsOf(access, [
    [repositoryPulls, Object.fromEntries([...pulled, ['an ended life', { ...pulled[0]?.[1], pulls: 2 }]])],
  ]);
  const all = [views, reported, accessViews];
  return { views, reporting: reported, accessViews, close: () => Promise.all(all.map((one) => one.close())) };
};

const mayRead = (readable: Readable, one: Some): boolean => {
  if (typeof readable === 'string') return readable === 'all';
  return (
    one.visibility === 'public' ||
    (readable.ownerId !== undefined && one.ownerId === readable.ownerId) ||
    readable.prefixes.some((prefix) => one.name.startsWith(prefix)) ||
    readable.names.some(({ name, repositoryId }) => name === one.name && repositoryId === one.repositoryId)
  );
};

const meets = ({ text, visibility, ownerId, prefix }: Filter, one: Some): boolean =>
  (text === undefined || new RegExp(`(^|[/._-])${text}`).test(one.name)) &&
  (visibility === undefined || one.visibility === visibility) &&
  (ownerId === undefined || one.ownerId === ownerId) &&
  (prefix === undefined || one.name.startsWith(prefix));

const VALUE: Readonly<Record<string, (one: Some) => string | number>> = {
  name: ({ name }) => name,
  updated: ({ updatedAt }) => updatedAt,
  size: ({ size }) => size,
  pulls: ({ pulls }) => pulls,
  created: ({ createdAt }) => createdAt,
};

const expectOrder = (sort: Sort, list: readonly Some[]): void => {
  const value = VALUE[sort.replace('-', '')] as (one: Some) => string | number;
  for (const [index, one] of list.slice(1).entries()) {
    const before = value(list[index] as Some);
    if (sort.startsWith('-')) expect(value(one) <= before, `${sort}: ${value(one)} behind ${before}`).to.equal(true);
    else expect(value(one) >= before, `${sort}: ${value(one)} behind ${before}`).to.equal(true);
  }
};

type Question = Readonly<{ readable: Readable; sort: Sort; filter: Filter; limit: number }>;
type Way = Readonly<{ way: string; bounds: Bounds | undefined }>;

const WAYS: readonly Way[] = [
  { way: 'read whole and sorted', bounds: undefined },
  { way: 'walked through', bounds: { few: 1, mostSorted: 1, mostExamined: 1000, stride: 4 } },
  { way: 'walked through, a little a request', bounds: { few: 1, mostSorted: 1, mostExamined: 3, stride: 2 } },
  { way: 'walked through, a little a request, or sorted', bounds: { few: 1, mostSorted: 10, mostExamined: 3, stride: 2 } },
];
const MOST_REQUESTS = 100;

/** All pages, each from where the one before says that it goes on. */
const following = async (deps: Deps, question: Question, bounds: Bounds | undefined): Promise<readonly Found[]> => {
  const pages: Found[] = [];
  for (let from: From | undefined = { skip: 0, seen: 0 }; from !== undefined; ) {
    const page: Found = await findRepositories(deps, { ...question, from }, bounds);
    pages.push(page);
    expect(pages.length, 'it comes to an end').to.be.below(MOST_REQUESTS);
    // As a client sends it back.
    from = page.next && (JSON.parse(JSON.stringify(page.next)) as From);
  }
  return pages;
};

describe('a list of repositories', () => {
  const forAny = (check: (deps: Deps, all: readonly Some[], question: Question) => Promise<void>) =>
    fc.assert(
      fc.asyncProperty(
        anyRepositories,
        anyReadable,
        anyFilter,
        fc.integer({ min: 1, max: 7 }),
        async (all, readable, filter, limit) => {
          const deps = await holding(all);
          try {
            for (const sort of SORTS) await check(deps, all, { readable: readable(all), sort, filter, limit });
          } finally {
            await deps.close();
          }
        },
      ),
      { numRuns: 25 },
    );

  const expected = (all: readonly Some[], { readable, filter }: Question): readonly Some[] =>
    all.filter((one) => one.listed && mayRead(readable, one) && meets(filter, one));
  const byName = (all: readonly Some[], names: readonly string[]): readonly Some[] =>
    names.map((name) => all.find((one) => one.name === name) as Some);

  for (const { way, bounds } of WAYS)
    it(`${way}, has exactly what the caller may read of what is asked for, each once, in the order that is asked for`, () =>
      forAny(async (deps, all, question) => {
        const pages = await following(deps, question, bounds);
        const names = pages.flatMap(({ entries }) => entries.map(({ name }) => name));
        const wanted = expected(all, question);
        expect(names).to.have.members(wanted.map(({ name }) => name));
        expectOrder(question.sort, byName(all, names));
        for (const { entries } of pages) expect(entries.length).to.be.at.most(question.limit);
        for (const { total, exact } of pages) {
          if (exact) expect(total).to.equal(wanted.length);
          else expect(total).to.be.at.most(wanted.length);
        }
      }));

  it('is the same whether it is read whole or walked through, so that a list may grow between two pages', () =>
    forAny(async (deps, _all, question) => {
      const [whole, ...others] = await Promise.all(
        WAYS.map(async ({ bounds }) =>
          (await following(deps, question, bounds)).flatMap(({ entries }) => entries.map(({ name }) => name)),
        ),
      );
      for (const other of others) expect(other).to.deep.equal(whole);
    }));

  it('has its pages by number where the pages before them are behind it', () =>
    forAny(async (deps, _all, question) => {
      for (const { bounds } of WAYS.slice(0, 2)) {
        const all = (await following(deps, question, bounds)).flatMap(({ entries }) => entries);
        for (let skip = 0; skip <= all.length; skip += question.limit) {
          const { entries, next } = await findRepositories(deps, { ...question, from: { skip, seen: 0 } }, bounds);
          expect(entries.map(({ name }) => name)).to.deep.equal(all.slice(skip, skip + question.limit).map(({ name }) => name));
          expect(next !== undefined, 'says that it goes on').to.equal(skip + question.limit < all.length);
        }
      }
    }));

  it('is read with a turn for others between two reads, whole or walked through', async () => {
    const all = Array.from({ length: 2500 }, (_, n): Some => {
      const name = `r${String(n).padStart(4, '0')}`;
      const shown = { visibility: 'public', ownerId: null, size: n, listed: true, manifests: 1, tags: 0 } as const;
      const times = { createdAt: time(1), updatedAt: time(1), newestFirst: time(1) };
      return { name, repositoryId: `life of ${name}`, pulls: 0, ...shown, ...times };
    });
    const deps = await holding(all);
    try {
      const page = { readable: 'all', filter: {}, from: { skip: 2000, seen: 0 }, limit: 1 } as const;
      const turns = (sort: Sort, few: number): Promise<number> =>
        turnsDuring(async () => {
          const bounds = { few, mostSorted: 10_000, mostExamined: 20_000, stride: 10 };
          const { entries } = await findRepositories(deps, { ...page, sort }, bounds);
          expect(entries.map(({ name }) => name)).to.deep.equal(['r2000']);
        });
      expect(await turns('name', 1), 'by name').to.be.at.least(200);
      expect(await turns('size', 1), 'walked through').to.be.at.least(200);
      expect(await turns('size', 5000), 'read whole, three pages twice').to.be.at.least(4);
    } finally {
      await deps.close();
    }
  });
});
