import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import Fastify, { type FastifyInstance } from 'fastify';
import type { HttpDeps } from '../../../src/http/deps.ts';
import { managementSurface } from '../../../src/http/management/index.ts';
import { DEEPEST } from '../../../src/http/management/page.ts';
import { SORTS, type Sort } from '../../../src/http/management/repositoriesOrder.ts';
import type { Caller } from '../../../src/identity/caller.ts';
import { access } from '../../../src/projections/accessGroup.ts';
import { type Pulls, repositoryPulls } from '../../../src/projections/accessPulls.ts';
import { type CatalogEntry, catalog } from '../../../src/projections/catalog.ts';
import { rights, subjectKey } from '../../../src/projections/grants.ts';
import { reporting, serving } from '../../../src/projections/groups.ts';
import type { Document, Group, Projection, Totals } from '../../../src/projections/projection.ts';
import { type Repository, repositories } from '../../../src/projections/repositories.ts';
import { type ListedRepository, repositoryList } from '../../../src/projections/repositoryList.ts';
import { endsOf, repositoryWords } from '../../../src/projections/repositoryWords.ts';
import { userKey, usernames, users } from '../../../src/projections/users.ts';
import { type SqliteViews, sqliteViews } from '../../../src/projections/views/sqlite.ts';
import { type Compiled, compileFind } from '../../../src/projections/views/sqliteQuery.ts';
import type { Query, Views } from '../../../src/projections/views/views.ts';
import { cursorsOf } from '../../../src/secrets/cursors.ts';
import { scratchFolder } from '../../support/processes.ts';
import { positionOf } from '../../support/projecting.ts';
import { requires } from '../../support/reporter.ts';
import { chosenStores } from '../../support/stores.ts';
import { costsOn } from '../../support/visits.ts';

const MANY = 100_000;
/** Of which a prefix has so many: more than are read whole. */
const UNDER_PREFIX = 20_000;
const PREFIX = 't0/';
const PAGE = 100;
const DEEP = DEEPEST / PAGE;
/** What is read to show a page: its repositories, what the lists know of them, their pulls and owners. */
const SHOWN = 4 * PAGE + 10;

/** The rows that one request walks through, and those that it reads to sort what is seldom. */
const STRIDE = 1000;
const MOST = 20_000 + STRIDE;
/** What is found by its words is looked up twice. */
const SORTED = 3 * 10_000;

const number = (n: number): string => String(n).padStart(6, '0');
/** Ids and times are no help to an order by name. */
const nameOf = (n: number): string => `t${Math.floor(n / UNDER_PREFIX)}/a${number((n * 7919) % MANY).slice(1)}`;
const time = (n: number): string =>
  `2026-01-01T00:${String(Math.floor(n / 3600) % 60).padStart(2, '0')}:00.${number(n).slice(3)}Z`;
const OWNED = 10;
const isOwned = (n: number): boolean => n % (MANY / OWNED) === 5;

const every = <D extends Document>(
  of: (n: number) => readonly (readonly [key: string, value: D])[],
): readonly (readonly [string, D])[] => Array.from({ length: MANY }, (_, n) => of(n)).flat();

const life = (n: number) => ({
  name: nameOf(n),
  repositoryId: `life-${number(n)}`,
  visibility: 'private' as const,
  ownerId: isOwned(n) ? 9 : 7,
  createdAt: time(n),
});
const counts = { listed: true, manifests: 1, tags: 1 } as const;

const entries = () => every<CatalogEntry>((n) => [[nameOf(n), { ...life(n), ...counts, lastPushedAt: time(n) }]]);
const listed = () =>
  every<ListedRepository>((n) => [
    [nameOf(n), { ...life(n), ...counts, size: (n * 31) % 50_000, updatedAt: time(n), newestFirst: number(MANY - n) }],
  ]);
const words = () =>
  every<Document>((n) =>
    endsOf(nameOf(n)).map((end) => [`${end} ${nameOf(n)}`, { name: nameOf(n), repositoryId: life(n).repositoryId }]),
  );
/** Every second one was pulled. */
const pulled = () =>
  every<Pulls>((n) =>
    n % 2 === 0 ? [[life(n).repositoryId, { pulls: 1 + (n % 900), bytes: 1, lastPulledAt: time(n), since: '2026-01-01' }]] : [],
  );
const GRANTED = { teams: [], grants: [{ grantId: 1, scope: `${PREFIX}*`, repositoryId: null, level: 'read' }] };

type Held = readonly [view: unknown, documents: readonly (readonly [string, Document])[]];

const filled = async (path: string, group: Group, held: readonly Held[], totals: Readonly<Record<string, Totals>>) => {
  const views = sqliteViews(path, group, { cacheBytes: 0 });
  const documents = held.map(([view, rows]) => ({
    view: (view as Projection).view,
    documents: rows.map(([key, value]) => ({ key, value, position: positionOf(1) })),
  }));
  await views.commit({ totals, documents, cursors: {}, checkpoint: positionOf(1) });
  return views;
};

const INVERSE = 17679;
/** What `nameOf` made of it: 7919 times 17,679 is 1 more than a multiple of 100,000. */
const numberOf = (name: string): number => (Number(name.slice(name.indexOf('a') + 1)) * INVERSE) % MANY;

/** All repositories, which nobody has to write down. */
const described = (names: readonly string[]): readonly (Repository | undefined)[] =>
  names.map((name) => {
    const n = numberOf(name);
    return nameOf(n) !== name ? undefined : { ...life(n), description: '', immutableTags: [], hasReleasedAttachments: false };
  });

/** Every search, as SQLite is asked. */
const watched = (views: SqliteViews, asked: Compiled[]): Views => ({
  ...views,
  getMany: async <D extends Document>(projection: Projection<D>, keys: readonly string[]) =>
    projection.view === repositories.view ? (described(keys) as readonly unknown[] as D[]) : views.getMany(projection, keys),
  find: <D extends Document>(projection: Projection<D>, query: Query) => {
    asked.push(compileFind(projection, query) as Compiled);
    return views.find(projection, query);
  },
});

const ADMIN: Caller = { kind: 'user', userId: 1, username: 'root', role: 'admin', securityVersion: 1 };
const OWNER: Caller = { kind: 'user', userId: 9, username: 'owner', role: 'user', securityVersion: 1 };
const GRANTEE: Caller = { kind: 'user', userId: 8, username: 'grantee', role: 'user', securityVersion: 1 };

type Body = Readonly<{
  repositories: readonly Readonly<{ name: string }>[];
  total: number;
  total_is_exact: boolean;
  cursor: string | null;
}>;
type Answered = Body & Readonly<{ rows: number }>;

describe(`a page of the list of ${MANY.toLocaleString('en')} repositories`, function () {
  requires(this, chosenStores() === 'embedded', 'it counts the rows that SQLite looks at');
  // Only bounds how long a failure takes.
  this.timeout(120_000);

  const folder = scratchFolder();
  const stores: { views: SqliteViews; db: DatabaseSync; costOf: ReturnType<typeof costsOn>; asked: Compiled[] }[] = [];
  let app: FastifyInstance;
  let caller: Caller = ADMIN;

  const open = async (group: Group, held: readonly Held[], totals: Readonly<Record<string, Totals>> = {}): Promise<Views> => {
    const path = join(folder.path, `${group.name}.db`);
    const views = await filled(path, group, held, totals);
    const db = new DatabaseSync(path, { readOnly: true });
    const costOf = costsOn(
      db,
      held.map(([view]) => `view_${(view as Projection).view}`),
    );
    const asked: Compiled[] = [];
    stores.push({ views, db, costOf, asked });
    return watched(views, asked);
  };

  before(async () => {
    const deps = {
      version: 'test',
      settings: { trustedProxies: [], deletes: true },
      views: await open(
        serving,
        [
          [catalog, entries()],
          [rights, [[subjectKey({ user: 8 }), GRANTED]]],
          [usernames, [['owner', { userId: 9 }]]],
          [users, [[userKey(9), { userId: 9, username: 'owner', erased: false }]]],
        ],
        { catalog: { repositories: MANY } },
      ),
      reporting: await open(reporting, [
        [repositoryList, listed()],
        [repositoryWords, words()],
      ]),
      accessViews: await open(access, [[repositoryPulls, pulled()]]),
      reported: async () => true,
      authenticate: () => caller,
      fingerprints: { username: (name: string) => name },
      cursors: await cursorsOf({ putIfAbsent: async () => randomBytes(32) }),
      limits: {},
      newId: () => 'request',
    };
    app = Fastify({ routerOptions: { maxParamLength: 500 } });
    await app.register(managementSurface(deps as unknown as HttpDeps), { prefix: '/api/v1' });
  });

  after(async () => {
    await app?.close();
    for (const { views, db } of stores) {
      db.close();
      await views.close();
    }
    folder.remove();
  });

  const looked = new Set<string>();

  /** No search may look at rows that it does not give: each begins at its place in an index. Looked at once a form and place. */
  const expectIndexed = (place: string): void => {
    for (const { asked, costOf } of stores)
      for (const one of asked) {
        if (looked.has(`${place} ${one.sql}`)) continue;
        looked.add(`${place} ${one.sql}`);
        const { visited, rows, plan } = costOf(one);
        // The place itself is one that is looked at.
        expect(visited, `${one.sql}: ${plan}`).to.be.at.most(rows + 1);
        expect(plan).not.to.contain('TEMP B-TREE');
      }
  };

  const ask = async (by: Caller, query: string): Promise<Answered> => {
    caller = by;
    for (const { asked } of stores) asked.length = 0;
    const rowsOf = (): number => stores.reduce((sum, { views }) => sum + views.stats().rowsRead, 0);
    const before = rowsOf();
    const answer = await app.inject(`/api/v1/repositories?limit=${PAGE}&${query}`);
    const rows = rowsOf() - before;
    expect(answer.statusCode, answer.body).to.equal(200);
    expectIndexed(query.replace(/^.*page=/, 'page '));
    return { ...answer.json<Body>(), rows };
  };

  const isByPulls = (sort: Sort): boolean => sort.endsWith('pulls');

  /** Rows that a walk looks at: an order by pulls looks up each of them besides. */
  const walk = (sort: Sort, rows: number): number => (isByPulls(sort) ? 2 : 1) * rows;

  for (const sort of SORTS) {
    it(`by ${sort}: reads up to the end of the page, for who may read all of them`, async () => {
      const first = await ask(ADMIN, `sort=${sort}&page=1`);
      expect(first.repositories).to.have.length(PAGE);
      expect(first).to.include({ total: MANY, total_is_exact: true });
      // Every second one was pulled: an order that begins with those that never were passes by as many.
      expect(first.rows).to.be.at.most((sort === 'pulls' ? walk(sort, 1000 + PAGE) : walk(sort, PAGE + 5)) + SHOWN);
      const deep = await ask(ADMIN, `sort=${sort}&page=${DEEP}`);
      expect(deep.rows).to.be.at.most(walk(sort, sort === 'pulls' ? MOST : 10_000 + PAGE + STRIDE) + SHOWN);
      const on = sort === 'pulls' ? await ask(ADMIN, `sort=${sort}&cursor=${deep.cursor}`) : deep;
      expect(on.repositories).to.have.length(PAGE);
    });

    it(`by ${sort}: goes behind the deepest page by its cursor alone`, async () => {
      const { cursor } = await ask(ADMIN, `sort=${sort}&page=${DEEP}`);
      const on = await ask(ADMIN, `sort=${sort}&cursor=${cursor}`);
      expect(on.repositories).to.have.length(PAGE);
      expect(on.rows).to.be.at.most(walk(sort, PAGE + STRIDE) + SHOWN);
      const refused = await app.inject(`/api/v1/repositories?limit=${PAGE}&sort=${sort}&page=${DEEP + 1}`);
      expect(refused.statusCode).to.equal(400);
      expect(refused.json().error).to.deep.include({ code: 'INVALID_REQUEST', details: { field: 'page' } });
      expect(refused.json().error.message).to.contain('cursor');
    });

    it(`by ${sort}: reads what the caller has, where that is little`, async () => {
      const answer = await ask(OWNER, `sort=${sort}&page=1`);
      expect(answer.repositories).to.have.length(OWNED);
      expect(answer).to.include({ total: OWNED, total_is_exact: true, cursor: null });
      expect(answer.rows).to.be.at.most(8 * OWNED + 10);
      expect((await ask(OWNER, `sort=${sort}&page=${DEEP}`)).rows).to.be.at.most(4 * OWNED + 10);
    });

    it(`by ${sort}: reads a bounded number of rows for who may read a prefix of many, and says where it goes on`, async () => {
      for (const page of sort === '-updated' ? [1, DEEP] : [1]) {
        let query = `sort=${sort}&page=${page}`;
        for (let requests = 1, found = 0; found === 0; requests += 1) {
          expect(requests).to.be.at.most(6);
          const answer = await ask(GRANTEE, query);
          found += answer.repositories.length;
          for (const { name } of answer.repositories) expect(name.startsWith(PREFIX), name).to.equal(true);
          expect(answer).to.include({ total: UNDER_PREFIX, total_is_exact: true });
          expect(answer.rows).to.be.at.most(walk(sort, MOST) + SHOWN);
          query = `sort=${sort}&cursor=${answer.cursor}`;
        }
      }
    });
  }

  const filters: readonly (readonly [filter: string, total?: number])[] = [
    ['owner=owner', OWNED],
    ['prefix=t0/a00', 204],
    ['prefix=t0/a0', 2003],
    ['prefix=t4/', UNDER_PREFIX],
    ['visibility=private', MANY],
    ['visibility=public', 0],
    ['q=a000', 100],
    ['q=a0'],
    ['q=T3/A'],
    ['q=nothing-like-it', 0],
    ['q=a0&owner=owner'],
  ];
  for (const [filter, total] of filters)
    it(`${filter}: reads a bounded number of rows`, async () => {
      for (const sort of ['name', '-updated', '-pulls'] as const)
        for (const page of sort === '-updated' ? [1, DEEP] : [1]) {
          const answer = await ask(ADMIN, `sort=${sort}&${filter}&page=${page}`);
          if (total !== undefined) expect(answer).to.include({ total, total_is_exact: true });
          // What comes last in an order, and is much, needs another request.
          if (page === 1 && total !== 0) expect(answer.repositories.length > 0 || answer.cursor !== null, sort).to.equal(true);
          expect(answer.rows, `${sort}, page ${page}`).to.be.at.most(walk(sort, MOST) + SORTED + SHOWN);
        }
    });
});
