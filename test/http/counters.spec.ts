import { expect } from 'chai';
import { ORIGIN, type Position, type Recorded } from '../../src/events/event.ts';
import { type EventLog, NO_STREAM } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { countersAt, type Summary } from '../../src/http/summary.ts';
import { inventory } from '../../src/projections/inventory.ts';
import type { Group, Placed, Projection, Totals } from '../../src/projections/projection.ts';
import { added, neverSeen, planner, reduce } from '../../src/projections/reduce.ts';
import { type Projector, startProjector } from '../../src/projections/runner.ts';
import { dropViews, mongoViews } from '../../src/projections/views/mongo.ts';
import { type MongoConnection, mongoConnection } from '../../src/projections/views/mongoConnection.ts';
import { sqliteViews } from '../../src/projections/views/sqlite.ts';
import type { Views } from '../../src/projections/views/views.ts';
import { at } from '../support/facts.ts';
import { forAnyLives } from '../support/lives.ts';
import { mongoForTests, type TestDatabase } from '../support/mongo/mongoForTests.ts';
import { recordedFrom, seen, type Told } from '../support/projecting.ts';
import { type Counters, stocktaking } from '../support/recount.ts';
import { requires } from '../support/reporter.ts';

const mongo = await mongoForTests();

const DAY = 86_400_000;
const group: Group = { name: 'reporting', views: [inventory as unknown as Projection] };

const withoutPosition = ({ position: _position, ...counters }: Summary): Counters => counters;

/** When the n-th event of a history happened: a few of them a day. */
const time = (n: number): string => new Date(Date.parse(at(0)) + n * 0.4 * DAY).toISOString();
const day = (n: number): string => time(n).slice(0, 'yyyy-mm-dd'.length);

/** Some blobs are lost, too, rather than deleted. */
const lost = ({ data, ...one }: Told, n: number): Told =>
  one.type === 'BlobUnlinked' && n % 3 === 0 ? { ...one, data: { ...(data as object), cause: 'missing' } } : { ...one, data };
const apart = (told: readonly Told[]): readonly Recorded[] =>
  recordedFrom(told.map((one, n) => ({ ...lost(one, n), metadata: { at: time(n) } })));

/** As of some time of the first day on which everything is kept that a tag has moved away from on a day or later. */
const countersFrom = (reporting: Views, retainedFrom: string): Promise<Summary> =>
  countersAt({ reporting }, 30, () => Date.parse(retainedFrom) + 30.7 * DAY);

/** Views of nothing but the inventory, in memory, that take one event at a time. */
const inMemory = () => {
  const plan = planner(group.views);
  const documents = new Map<string, Placed>();
  let totals: Readonly<{ position: Position; sums: Totals }> = { position: ORIGIN, sums: {} };
  let checkpoint: Position = ORIGIN;
  const take = (event: Recorded): void => {
    const outcome = reduce(plan(seen([event]), {}), (_view, key) => documents.get(key) ?? neverSeen(key));
    expect(outcome.faults).to.deep.equal({});
    for (const changes of outcome.changes.values()) for (const [key, { after }] of changes) documents.set(key, after);
    for (const delta of outcome.deltas.values()) totals = { position: event.position, sums: added(totals.sums, delta) };
    checkpoint = event.position;
  };
  const views = { totals: async () => totals, checkpoint: async () => checkpoint } as unknown as Views;
  return { take, views };
};

describe('the counters of the registry', function () {
  this.timeout(20_000);

  it('are what one finds by taking stock of the log, after each event of any history', () =>
    forAnyLives(async (told) => {
      const [{ take, views }, stock] = [inMemory(), stocktaking()];
      const retainedFrom = day(Math.floor(told.length / 2));
      for (const event of apart(told)) {
        take(event);
        stock.take(event);
        const summary = await countersFrom(views, retainedFrom);
        expect(withoutPosition(summary), `after ${event.type}`).to.deep.equal(stock.counters(retainedFrom));
        expect(summary.position).to.equal(event.position);
      }
    }, 100));
});

type Feeding = Readonly<{ views: Views; log: EventLog }>;

const histories = async (count: number) => {
  const all: (readonly Told[])[] = [];
  await forAnyLives((told) => void all.push(told), count);
  // Each in names and lives of its own, so that they make one long history.
  return all.flatMap((told, n) =>
    told.map((one) => {
      const data = one.data as Readonly<{ repositoryId: string; repository: string }>;
      const repository = `h${n}/${data.repository}`;
      return {
        ...one,
        stream: `test.repository-${repository}`,
        data: { ...data, repository, repositoryId: `${n}-${data.repositoryId}` },
      };
    }),
  );
};

/** Counters read all the while that views are fed, a few events at a time, are those of the position that they report. */
const expectExactWhileFed = async ({ log, views }: Feeding, events: readonly Recorded[]): Promise<void> => {
  const retainedFrom = day(Math.floor(events.length / 2));
  const polled: Summary[] = [];
  const head = await log.head();
  do polled.push(await countersFrom(views, retainedFrom));
  while (polled.at(-1)?.position !== head);
  const stock = stocktaking();
  const expected = new Map([[ORIGIN, stock.counters(retainedFrom)]]);
  for (const event of events) {
    stock.take(event);
    expected.set(event.position, stock.counters(retainedFrom));
  }
  for (const summary of polled) expect(withoutPosition(summary)).to.deep.equal(expected.get(summary.position));
  expect(new Set(polled.map(({ position }) => position)).size, 'positions seen').to.be.greaterThan(5);
};

describe('counters that are read while their view is fed', function () {
  this.timeout(30_000);
  let log: EventLog;
  let events: Recorded[];

  beforeEach(async () => {
    log = await sqliteEventLog(':memory:');
    const revisions = new Map<string, number>();
    events = [];
    for (const { position: _position, revision: _revision, stream, ...event } of apart(await histories(8))) {
      const expected = revisions.get(stream) ?? NO_STREAM;
      const { revision } = await log.append(stream, expected, [event]);
      revisions.set(stream, revision);
    }
    for (
      let page = await log.readAll({ limit: 500 });
      page.length > 0;
      page = await log.readAll({ limit: 500, after: events.at(-1)?.position ?? ORIGIN })
    )
      events.push(...page);
  });
  afterEach(() => log.close());

  const feed = (views: Views, limit: number): Projector =>
    startProjector({ log, views, group, limit, prepare: seen, onError: (error) => expect.fail(String(error)) });

  it('are those of the position that they report, in SQLite', async () => {
    const views = sqliteViews(':memory:', group);
    const projector = feed(views, 3);
    await expectExactWhileFed({ log, views }, events);
    await projector.stop();
    await views.close();
  });

  describe(`in MongoDB (${mongo.name})`, function () {
    requires(this, mongo.missing === undefined, mongo.missing ?? '');
    let database: TestDatabase;
    let connection: MongoConnection;

    before(async () => {
      database = await mongo.database();
      connection = mongoConnection(database.url, { appName: 'counters.spec' });
    });
    after(async () => {
      await connection.close();
      await database.drop();
    });

    it('are those of the position that they report, too, although totals are written before documents', async () => {
      const views = await mongoViews(connection.db(), 'counters', group);
      const projector = feed(views, 10);
      await expectExactWhileFed({ log, views }, events);
      await projector.stop();
      await dropViews(connection.db(), 'counters');
    });
  });
});

describe('what a tag has moved away from', () => {
  const sums = { 'movedAwayOn2026-01-30': 4, 'movedAwayOn2026-01-31': 2, 'movedAwayOn2026-02-01': 8, released: 1 };
  /** What is orphaned of it, where it is retained so long, at this time. */
  const orphaned = async (retainDays: number, now: string): Promise<number> => {
    const reporting = { checkpoint: async () => '1', totals: async () => ({ position: '1', sums }) } as unknown as Views;
    return (await countersAt({ reporting }, retainDays, () => Date.parse(now))).orphanedManifests;
  };

  it('is kept for at least as many days as it is retained, to the end of a day of UTC', async () => {
    expect(await orphaned(30, '2026-03-01T23:59:59.999Z')).to.equal(1);
    expect(await orphaned(30, '2026-03-02T00:00:00.000Z')).to.equal(1 + 4);
    expect(await orphaned(30, '2026-03-02T23:59:59.999Z')).to.equal(1 + 4);
    expect(await orphaned(30, '2026-03-03T00:00:00.000Z')).to.equal(1 + 4 + 2);
    expect(await orphaned(1, '2026-02-02T23:59:59.999Z')).to.equal(1 + 4 + 2);
    expect(await orphaned(1, '2026-02-03T00:00:00.000Z')).to.equal(1 + 4 + 2 + 8);
  });

  it('is orphaned at once where it is retained for 0 days, whatever the clocks say', async () => {
    expect(await orphaned(0, '2026-02-01T12:00:00.000Z')).to.equal(1 + 4 + 2 + 8);
    expect(await orphaned(0, '2026-01-01T00:00:00.000Z')).to.equal(1 + 4 + 2 + 8);
  });

  it('is never orphaned where it is retained for ever, and as good as never for 99999 days', async () => {
    expect(await orphaned(Number.POSITIVE_INFINITY, '2026-12-01T00:00:00.000Z')).to.equal(1);
    expect(await orphaned(99_999, '2026-12-01T00:00:00.000Z')).to.equal(1);
  });
});

describe('the position of the counters', () => {
  /** Views whose totals are at one position, after their checkpoint was at another. */
  const reported = async (checkpoint: Position, position: Position) => {
    const asked: string[] = [];
    const reporting = {
      checkpoint: async () => {
        asked.push('checkpoint');
        return checkpoint;
      },
      totals: async () => {
        asked.push('totals');
        return { position, sums: {} };
      },
    } as unknown as Views;
    const { position: shown } = await countersAt({ reporting }, 30);
    return { shown, asked };
  };

  it('is that of their totals, or of a checkpoint that was read before them, whichever is later', async () => {
    expect((await reported('3', '7')).shown).to.equal('7');
    expect((await reported('7', '3')).shown).to.equal('7');
  });

  it('takes one read of the totals, after the checkpoint: nothing is counted, waited for or read again', async () => {
    expect((await reported('3', '7')).asked).to.deep.equal(['checkpoint', 'totals']);
  });
});
