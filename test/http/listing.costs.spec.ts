import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import Fastify, { type FastifyInstance } from 'fastify';
import type { HttpDeps } from '../../src/http/deps.ts';
import { ociSurface } from '../../src/http/oci/index.ts';
import type { Caller } from '../../src/identity/caller.ts';
import { catalog } from '../../src/projections/catalog.ts';
import { rights } from '../../src/projections/grants.ts';
import { serving } from '../../src/projections/groups.ts';
import type { Document, Placed, Projection } from '../../src/projections/projection.ts';
import { neverSeen, step } from '../../src/projections/reduce.ts';
import { referrers } from '../../src/projections/referrers.ts';
import { repositories } from '../../src/projections/repositories.ts';
import { tags } from '../../src/projections/tags.ts';
import { type SqliteViews, sqliteViews } from '../../src/projections/views/sqlite.ts';
import { type Compiled, compileFind } from '../../src/projections/views/sqliteQuery.ts';
import type { Query, Views } from '../../src/projections/views/views.ts';
import { scratchFolder } from '../support/processes.ts';
import { positionOf, recordedFrom, seen, type Told } from '../support/projecting.ts';
import { requires } from '../support/reporter.ts';
import { chosenStores } from '../support/stores.ts';
import { costsOn } from '../support/visits.ts';

const MANY = 100_000;
const PAGE = 100;
const CROWDED = 'crowded/app';
const LIFE = 'life-1';
const SUBJECT = `sha256:${'5'.repeat(64)}`;
const MEDIA_TYPE = 'application/vnd.oci.image.index.v1+json';

const number = (n: number): string => String(n).padStart(6, '0');
const digest = (n: number): string => `sha256:${n.toString(16).padStart(64, '0')}`;
const repository = (n: number): string => `team-${number(n).slice(0, 3)}/app-${number(n).slice(3)}`;

const created: Told = {
  type: 'RepositoryCreated',
  data: { repositoryId: LIFE, repository: CROWDED, ownerId: 7, visibility: 'private' },
};
const pushed = (data: Readonly<Record<string, unknown>>): Told => ({
  type: 'ManifestPushed',
  data: { repositoryId: LIFE, repository: CROWDED, size: 10, mediaType: MEDIA_TYPE, references: [], ...data },
});
const each = (told: (n: number) => Told): readonly Told[] => Array.from({ length: MANY }, (_, n) => told(n));

/** Who may read ten of them all, at the far end: what is public, what is hers, what is granted to her by name and under a prefix. */
const READER: Caller = { kind: 'user', userId: 9, username: 'reader', role: 'user', securityVersion: 1 };
const GRANTED = 'zz/granted';
const fromEnd = (n: number): string => repository(MANY - n);
const lifeOf = (name: string): string => `life of ${name}`;
const READABLE = [...[6, 5, 4, 3, 2, 1].map(fromEnd), ...['a', 'b', 'c', 'd'].map((part) => `${GRANTED}/${part}`)];
const isOfReader = (name: string): boolean => name === fromEnd(4) || name === fromEnd(3);
const isPublic = (name: string): boolean => name === fromEnd(2) || name === fromEnd(1);
const begun = (name: string): readonly Told[] => [
  {
    type: 'RepositoryCreated',
    data: {
      repositoryId: lifeOf(name),
      repository: name,
      ownerId: isOfReader(name) ? 9 : 7,
      visibility: isPublic(name) ? 'public' : 'private',
    },
  },
  pushed({ repository: name, repositoryId: lifeOf(name), digest: digest(1) }),
];
const granted = (grantId: number, rest: object): Told => ({
  type: 'AccessGranted',
  data: { grantId, level: 'read', ...rest },
});
const GRANTS: readonly Told[] = [
  granted(1, { subject: { user: 9 }, scope: fromEnd(6), repositoryId: lifeOf(fromEnd(6)) }),
  granted(2, { subject: { user: 9 }, scope: fromEnd(5), repositoryId: lifeOf(fromEnd(5)) }),
  { type: 'TeamMemberAdded', data: { teamId: 1, userId: 9 } },
  granted(3, { subject: { team: 1 }, scope: `${GRANTED}/*` }),
  granted(4, { subject: { team: 1 }, scope: `${GRANTED}/a/*` }),
];

/** What a view makes of a history, without a log between them: its own steps, one document after the other. */
const documentsOf = (projection: Projection, told: readonly Told[]): readonly Placed[] => {
  const documents = new Map<string, Placed>();
  for (const event of seen(recordedFrom(told)))
    for (const key of projection.keysOf(event)) documents.set(key, step(projection, documents.get(key) ?? neverSeen(key), event));
  return [...documents.values()];
};

type Asked = Readonly<{ projection: Projection; query: Query }>;
/** Every call of the port, and of its searches what was asked. */
type Watch = { calls: string[]; asked: Asked[] };

const watched = (views: SqliteViews, watch: Watch): Views => ({
  ...views,
  get: <D extends Document>(projection: Projection<D>, key: string) => {
    watch.calls.push(`get ${projection.view}`);
    return views.get(projection, key);
  },
  getMany: <D extends Document>(projection: Projection<D>, keys: readonly string[]) => {
    watch.calls.push(`getMany ${projection.view}`);
    return views.getMany(projection, keys);
  },
  find: <D extends Document>(projection: Projection<D>, query: Query) => {
    watch.calls.push(`find ${projection.view}`);
    watch.asked.push({ projection: projection as unknown as Projection, query });
    return views.find(projection, query);
  },
  count: (projection, where) => {
    watch.calls.push(`count ${projection.view}`);
    return views.count(projection, where);
  },
  totals: (projection) => {
    watch.calls.push(`totals ${projection.view}`);
    return views.totals(projection);
  },
});

/** As much as a list touches. */
const depsOn = (views: Views, caller: () => Caller): HttpDeps =>
  ({
    version: 'test',
    settings: { trustedProxies: [], deletes: true, sparseIndexes: false, largestManifest: 1024 },
    views,
    blobs: { read: async () => Buffer.from('{}') },
    authenticate: caller,
    limits: {},
    newId: () => 'request',
  }) as unknown as HttpDeps;

describe(`a page of ${MANY.toLocaleString('en')}`, function () {
  requires(this, chosenStores() === 'embedded', 'it counts the rows that SQLite looks at');
  // Only bounds how long a failure takes.
  this.timeout(120_000);

  const folder = scratchFolder();
  const watch: Watch = { calls: [], asked: [] };
  let views: SqliteViews;
  let app: FastifyInstance;
  let costOf: ReturnType<typeof costsOn>;
  let caller: Caller = { kind: 'operator' };

  before(async () => {
    const path = join(folder.path, 'views.db');
    views = sqliteViews(path, serving, { cacheBytes: 0 });
    const histories: readonly (readonly [view: unknown, told: readonly Told[]])[] = [
      [repositories, [created]],
      [catalog, [...Array.from({ length: MANY }, (_, n) => begun(repository(n))).flat(), ...READABLE.slice(6).flatMap(begun)]],
      [rights, GRANTS],
      [
        tags,
        each((n) => ({
          type: 'TagMoved',
          data: { repositoryId: LIFE, repository: CROWDED, tag: `v${number(n)}`, digest: digest(1) },
        })),
      ],
      [
        referrers,
        each((n) =>
          pushed({
            digest: digest(n),
            artifactType: `type/${n % 2}`,
            references: [{ digest: SUBJECT, size: 1, role: 'subject' }],
          }),
        ),
      ],
    ];
    for (const [view, told] of histories)
      await views.commit({
        totals: {},
        documents: [{ view: (view as Projection).view, documents: documentsOf(view as Projection, told) }],
        cursors: {},
        checkpoint: positionOf(MANY),
      });
    const db = new DatabaseSync(path, { readOnly: true });
    costOf = costsOn(db, ['view_catalog', 'view_tags', 'view_referrers']);
    app = Fastify({ routerOptions: { maxParamLength: 500 } });
    await app.register(ociSurface(depsOn(watched(views, watch), () => caller)), { prefix: '/v2' });
  });

  after(async () => {
    await app?.close();
    await views?.close();
    folder.remove();
  });

  type Place = Readonly<{ what: string; query: string; entries: number; more: boolean }>;
  const places = (name: (n: number) => string, kind = 1): readonly Place[] => [
    { what: 'the first page', query: '', entries: PAGE, more: true },
    { what: 'a page in the middle', query: `&last=${name(MANY / 2)}`, entries: PAGE, more: true },
    { what: 'the last page', query: `&last=${name(MANY - 1 - PAGE * kind)}`, entries: PAGE, more: false },
    { what: 'what is behind the last', query: `&last=${name(MANY - 1)}`, entries: 0, more: false },
  ];

  const LAST_NAMES: Place = { what: 'the last page', query: `&last=${fromEnd(1)}`, entries: 4, more: false };
  const lists = [
    {
      list: 'repositories',
      path: '/v2/_catalog?',
      calls: ['find catalog'],
      places: [...places(repository).slice(0, 2), LAST_NAMES],
    },
    {
      list: 'tags',
      path: `/v2/${encodeURIComponent(CROWDED)}/tags/list?`,
      calls: ['get repositories', 'find tags'],
      places: places((n) => `v${number(n)}`),
    },
    {
      list: 'referrers',
      path: `/v2/${encodeURIComponent(CROWDED)}/referrers/${SUBJECT}?`,
      calls: ['get repositories', 'find referrers'],
      places: places(digest),
    },
    {
      list: 'referrers of one type',
      path: `/v2/${encodeURIComponent(CROWDED)}/referrers/${SUBJECT}?artifactType=type/1&`,
      calls: ['get repositories', 'find referrers'],
      places: places(digest, 2),
    },
  ] as const;

  for (const { list, path, calls, places: all } of lists)
    for (const { what, query, entries, more } of all)
      it(`${list}: ${what} is one search of an index, which reads no more than the page`, async () => {
        Object.assign(watch, { calls: [], asked: [] });
        const before = views.stats();
        const answer = await app.inject(`${path}n=${PAGE}${query}`);
        const after = views.stats();
        expect(answer.statusCode, answer.body).to.equal(200);
        const body = answer.json<Record<string, unknown>>();
        expect((body.repositories ?? body.tags ?? body.manifests) as unknown[]).to.have.length(entries);
        expect(answer.headers.link !== undefined, 'a link').to.equal(more);
        expect(watch.calls, 'one search, and the repository for the rights').to.deep.equal(calls);
        expect(after.queries - before.queries).to.equal(calls.length);
        expect(after.rowsRead - before.rowsRead).to.equal(entries + Number(more) + calls.length - 1);
        const [{ projection, query: asked }] = watch.asked as [Asked];
        const { plan, visited } = costOf(compileFind(projection, asked) as Compiled);
        expect(plan).to.match(/^SEARCH \S+ USING INDEX \S+ \([^)]*\)$/);
        expect(visited).to.equal(entries + Number(more));
      });

  describe('of which ten may be read', () => {
    before(() => {
      caller = READER;
    });

    for (const { what, query, names, scans } of [
      { what: 'the first page has all of them', query: `n=${PAGE}`, names: READABLE, scans: 4 },
      { what: 'a small page has the first of them', query: 'n=3', names: READABLE.slice(0, 3), scans: 4 },
      { what: 'the page behind that goes on', query: `n=3&last=${READABLE[2]}`, names: READABLE.slice(3, 6), scans: 3 },
      { what: 'a page within a prefix goes on there', query: `n=2&last=${READABLE[7]}`, names: READABLE.slice(8), scans: 3 },
      { what: 'behind the last there is nothing', query: `n=${PAGE}&last=${GRANTED}0`, names: [], scans: 2 },
    ])
      it(`${what}, by a scan for each way to read, which looks at no other name`, async () => {
        Object.assign(watch, { calls: [], asked: [] });
        const answer = await app.inject(`/v2/_catalog?${query}`);
        expect(answer.json<Record<string, unknown>>()).to.deep.equal({ repositories: names });
        expect(watch.calls.filter((call) => call === 'find catalog')).to.have.length(scans);
        expect(watch.calls.length, watch.calls.join()).to.be.at.most(scans + 3);
        const costs = watch.asked.map(({ projection, query: asked }) => costOf(compileFind(projection, asked) as Compiled));
        for (const { plan, visited, rows } of costs) {
          expect(plan).to.match(/^SEARCH \S+ USING INDEX \S+ \([^)]*\)$/);
          expect(visited).to.equal(rows);
        }
        expect(costs.reduce((sum, { visited }) => sum + visited, 0)).to.be.at.most(READABLE.length);
      });
  });
});
