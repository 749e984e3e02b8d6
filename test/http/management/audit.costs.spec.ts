import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import Fastify, { type FastifyInstance } from 'fastify';
import { RegistryError } from '../../../src/errors.ts';
import { ACCESS_ACTIONS } from '../../../src/events/access.ts';
import { EXPORTED_AT_ONCE } from '../../../src/http/management/auditExport.ts';
import { MOST_COUNTED, MOST_EXAMINED } from '../../../src/http/management/auditScans.ts';
import { managementSurface } from '../../../src/http/management/index.ts';
import { DEEPEST } from '../../../src/http/management/page.ts';
import { FACT_ACTIONS } from '../../../src/projections/auditTrail.ts';
import type { Document, Projection } from '../../../src/projections/projection.ts';
import type { SqliteViews } from '../../../src/projections/views/sqlite.ts';
import { type Compiled, compileCount, compileFind, MOST_SCANS } from '../../../src/projections/views/sqliteQuery.ts';
import { LARGEST_PAGE, type Query, type Views, type Where } from '../../../src/projections/views/views.ts';
import { type Audited, auditDeps, auditedIn, CROWDED, RARE, SMALL, TAG, timeAt } from '../../support/audited.ts';
import { scratchFolder } from '../../support/processes.ts';
import { requires } from '../../support/reporter.ts';
import { chosenStores } from '../../support/stores.ts';
import { costsOn } from '../../support/visits.ts';
import type { Json } from '../exchanges.ts';

/** The bounds are the same for any number of entries; the bench has five times as many. */
const MANY = 200_000;
const LIMIT = 50;

type CostOf = ReturnType<typeof costsOn>;
type Asked = Readonly<{ log: 'facts' | 'access'; query: Compiled; counts: boolean }>;

/** Searches that succeed before the views are away. */
let failAfter = Number.POSITIVE_INFINITY;

const watched = (log: Asked['log'], views: SqliteViews, asked: Asked[]): Views => ({
  ...views,
  find: async <D extends Document>(view: Projection<D>, query: Query) => {
    if (failAfter <= 0) throw new RegistryError('UNAVAILABLE', 'The views are away.');
    failAfter -= 1;
    asked.push({ log, query: compileFind(view, query) as Compiled, counts: false });
    return views.find(view, query);
  },
  count: <D extends Document>(view: Projection<D>, where: Where = {}, atMost?: number) => {
    asked.push({ log, query: compileCount(view, where, atMost), counts: true });
    return views.count(view, where, atMost);
  },
});

describe(`the audit of ${MANY.toLocaleString('en')} entries`, function () {
  requires(this, chosenStores() === 'embedded', 'it counts the rows that SQLite looks at');
  // Only bounds how long a failure takes.
  this.timeout(120_000);

  const folder = scratchFolder();
  const asked: Asked[] = [];
  const costs = new Map<Asked['log'], CostOf>();
  let audited: Audited;
  let app: FastifyInstance;

  before(async () => {
    audited = auditedIn(folder.path, MANY);
    for (const [log, view] of [
      ['facts', 'view_auditTrail'],
      ['access', 'view_accessTrail'],
    ] as const)
      costs.set(log, costsOn(new DatabaseSync(audited.files[log], { readOnly: true }), [view]));
    app = Fastify();
    const deps = await auditDeps(watched('facts', audited.facts, asked), watched('access', audited.access, asked));
    await app.register(managementSurface(deps), { prefix: '/api/v1' });
  });

  after(async () => {
    await app?.close();
    await audited?.facts.close();
    await audited?.access.close();
    folder.remove();
  });

  type Answered = Readonly<{
    body: Readonly<{ logs: readonly Json[]; total: number; total_is_exact: boolean; cursor: string | null }>;
    /** Rows that were looked at to find entries, and to count them. */
    read: number;
    counted: number;
    plans: string;
  }>;

  const audit = async (query: string): Promise<Answered> => {
    asked.length = 0;
    const answer = await app.inject(`/api/v1/audit?limit=${LIMIT}&${query}`);
    expect(answer.statusCode, answer.body).to.equal(200);
    let [read, counted] = [0, 0];
    const plans: string[] = [];
    for (const { log, query: compiled, counts } of [...asked]) {
      const { visited, plan } = (costs.get(log) as CostOf)(compiled);
      if (counts) counted += visited;
      else read += visited;
      plans.push(plan);
    }
    return { body: answer.json(), read, counted, plans: plans.join('\n') };
  };

  /** A page of each log and the first entry behind it; and where a question is asked action by action, one of each that it does not take. */
  const A_PAGE = 2 * (LIMIT + 2);
  const ACTION_BY_ACTION = FACT_ACTIONS.length + ACCESS_ACTIONS.length;
  const COUNTED = 2 * (MOST_COUNTED + 1);
  const late = timeAt(MANY / 2);

  it('asks for no more actions at once than the views find in the order of their keys', () => {
    expect(FACT_ACTIONS.length).to.be.at.most(MOST_SCANS);
  });

  const FILTERS: readonly (readonly [what: string, query: string, entries: number])[] = [
    ['everything', '', LIMIT],
    ['a user', 'user=user:1', LIMIT],
    ['a user who did little', `user=${RARE}`, (2 * MANY) / 20_000],
    ['nobody', 'user=user:77', 0],
    ['an action', 'action=tag.move', LIMIT],
    ['a rare action', 'action=repository.describe', MANY / 20_000],
    ['the actions of a noun', 'action=manifest.*', LIMIT],
    ['a repository', `resource=${CROWDED}`, LIMIT],
    ['a repository in which little was done', `resource=${SMALL}`, (2 * MANY) / 20_000],
    ['a tag', `resource=${TAG}`, LIMIT],
    ['a time', `from=${timeAt(1000)}&to=${late}`, LIMIT],
    ['a user and an action', 'user=user:1&action=tag.move', LIMIT],
    ['a user and a rare action', 'user=user:1&action=repository.describe', MANY / 20_000],
    ['a repository and an action', `resource=${CROWDED}&action=tag.*`, LIMIT],
    ['a repository and a rare action', `resource=${CROWDED}&action=repository.*`, MANY / 20_000],
    ['a tag and an action', `resource=${TAG}&action=manifest.pull`, LIMIT],
    ['a user and a time', `user=user:1&to=${late}`, LIMIT],
    ['an action and a time', `action=manifest.pull&from=${timeAt(1000)}&to=${late}`, LIMIT],
    [
      'a repository in which little was done, an action and a time',
      `resource=${SMALL}&action=tag.move&from=${timeAt(1000)}&to=${late}`,
      4,
    ],
    ['a repository, an action and a time', `resource=${CROWDED}&action=tag.move&from=${timeAt(1000)}&to=${late}`, LIMIT],
  ];

  for (const [what, query, entries] of FILTERS)
    it(`finds the first page of ${what} out of an index, and reads no more than it`, async () => {
      const { body, read, counted, plans } = await audit(query);
      expect(body.logs).to.have.length(entries);
      expect(read).to.be.at.most(Math.min(2 * entries + 2 * LIMIT, A_PAGE) + ACTION_BY_ACTION);
      expect(counted).to.be.at.most(COUNTED);
      expect(plans).not.to.match(/SCAN (?!json_each|\(|\S+ USING INDEX)|TEMP B-TREE/);
    });

  for (const [what, query] of FILTERS.filter(([, , entries]) => entries === LIMIT))
    it(`goes on behind a cursor in ${what} for what the first page cost`, async () => {
      const first = await audit(query);
      const { body, read, counted } = await audit(`${query}&cursor=${first.body.cursor}`);
      expect(body.logs).to.have.length(LIMIT);
      expect(body.logs.map(({ id }) => id)).not.to.include(first.body.logs.at(-1)?.id);
      expect(read).to.be.at.most(A_PAGE + ACTION_BY_ACTION);
      expect(counted).to.be.at.most(COUNTED);
    });

  for (const [what, query] of FILTERS)
    it(`reads up to the deepest page of ${what}, and a page of each log beside it`, async () => {
      const { body, read, plans } = await audit(`${query}&page=${DEEPEST / LIMIT}`);
      expect(body.logs).to.have.length(Math.min(LIMIT, Math.max(0, body.total - DEEPEST + LIMIT)));
      expect(plans).not.to.match(/SCAN (?!json_each|\(|\S+ USING INDEX)|TEMP B-TREE/);
      const pages = Math.ceil(DEEPEST / LARGEST_PAGE) + 2;
      expect(read).to.be.at.most(DEEPEST + 2 * (LARGEST_PAGE + 1) + pages * ACTION_BY_ACTION);
    });

  it('refuses a deeper one, and names the cursor', async () => {
    const { statusCode, body } = await app.inject(`/api/v1/audit?limit=${LIMIT}&page=${DEEPEST / LIMIT + 1}`);
    expect(statusCode).to.equal(400);
    expect(body).to.contain('cursor').and.to.contain('"field":"page"');
  });

  describe('of a user and a repository, which no index has together', () => {
    const LOOKED_AT = 2 * (MOST_EXAMINED + LARGEST_PAGE + 1) + ACTION_BY_ACTION;

    it('looks through the one of them that has less', async () => {
      const { body, read, counted } = await audit(`user=user:1&resource=${SMALL}`);
      expect(body.logs).to.have.length((2 * MANY) / 20_000);
      expect(body).to.include({ total: (2 * MANY) / 20_000, total_is_exact: true, cursor: null });
      expect(read).to.be.at.most((2 * (2 * MANY)) / 20_000 + 2 * ACTION_BY_ACTION);
      expect(counted).to.be.at.most(4 * MOST_EXAMINED);
    });

    it('stops where it has looked at enough, with what it has found and where to go on', async () => {
      // Neither of them is short, and they have nothing in common.
      const query = `user=user:6&resource=${TAG}`;
      const first = await audit(query);
      expect(first.body.logs).to.deep.equal([]);
      expect(first.body).to.include({ total: 0, total_is_exact: false });
      // As often for the total.
      expect(first.read).to.be.at.most(2 * LOOKED_AT);
      expect(first.counted).to.be.at.most(4 * MOST_EXAMINED);
      expect((await audit(`${query}&cursor=${first.body.cursor}`)).body).to.deep.include({ logs: [], cursor: null });
    });
  });

  it('counts each log up to a bound, and says so', async () => {
    expect((await audit('user=user:1')).body).to.include({ total: 2 * MOST_COUNTED, total_is_exact: false });
    expect((await audit('action=tag.move')).body).to.include({
      total: MANY / 2 - MANY / 20_000,
      total_is_exact: true,
    });
    expect((await audit(`user=${RARE}`)).body).to.include({ total: (2 * MANY) / 20_000, total_is_exact: true });
  });

  describe('as an export', () => {
    const ENTRIES = MANY / 2;
    const QUERY = 'action=manifest.pull';
    const finds = (): number => asked.filter(({ counts }) => !counts).length;
    let url: string;

    before(async () => {
      url = `${await app.listen({ host: '127.0.0.1', port: 0 })}/api/v1/audit/export?${QUERY}`;
    });

    it('is read as fast as its client takes it, a page at a time, and is whole', async () => {
      asked.length = 0;
      const message = await new Promise<IncomingMessage>((resolve, reject) => get(url, resolve).on('error', reject));
      let lines = 0;
      let last = '';
      const take = (chunk: Buffer): void => {
        for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1;
        last = chunk.toString('latin1').slice(-1);
      };
      await once(message, 'readable');
      take(message.read() as Buffer);
      // What the client does not take the registry does not read, but for what fits into the sockets between them.
      const pages = Math.ceil(ENTRIES / EXPORTED_AT_ONCE);
      for (let others = 0; others < 20; others += 1)
        expect((await app.inject(`/api/v1/audit?${QUERY}`)).statusCode).to.equal(200);
      expect(finds() - 20).to.be.lessThan(pages / 2);
      for await (const chunk of message) take(chunk as Buffer);
      expect({ lines, last, complete: message.complete }).to.deep.equal({ lines: ENTRIES, last: '\n', complete: true });
      expect(finds() - 20).to.be.at.most(pages + 1);
      const { query } = asked.find(({ counts }) => !counts) as Asked;
      expect((costs.get('access') as CostOf)(query).visited).to.equal(EXPORTED_AT_ONCE + 1);
    });

    it('breaks off where the views fail in the middle, so that a part does not look whole', async () => {
      failAfter = 5;
      const message = await new Promise<IncomingMessage>((resolve, reject) => get(url, resolve).on('error', reject));
      expect(message.statusCode).to.equal(200);
      let failure: unknown;
      try {
        for await (const _chunk of message);
      } catch (error) {
        failure = error;
      }
      expect(failure).to.include({ code: 'ECONNRESET' });
      expect(message.complete).to.equal(false);
    });

    it('is refused where they fail at once', async () => {
      failAfter = 0;
      const answer = await fetch(url);
      expect(answer.status).to.equal(503);
      expect(answer.headers.get('content-disposition')).to.equal(null);
      failAfter = Number.POSITIVE_INFINITY;
    });
  });
});
