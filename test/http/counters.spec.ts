import { expect } from 'chai';
import { isRefusal } from '../../src/errors.ts';
import { ORIGIN, type Position, type Recorded } from '../../src/events/event.ts';
import { type EventLog, NO_STREAM } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { countersAt, type Summary } from '../../src/http/summary.ts';
import { inventory, type movedAwayInMonthUntil } from '../../src/projections/inventory.ts';
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

/** When the n-th event of a history happened: they are days apart, so that it goes on for years. */
const day = (n: number): string => new Date(Date.parse(at(0)) + 3 * n * DAY).toISOString();
const apart = (told: readonly Told[]): readonly Recorded[] =>
  recordedFrom(told.map((one, n) => ({ ...one, metadata: { at: day(n) } })));

/** As of a time from which on what a tag has moved away from is kept. */
const countersFrom = (reporting: Views, retainedFrom: string, reported = async (_position: Position) => true): Promise<Summary> =>
  countersAt({ reporting, reported }, 1, () => Date.parse(retainedFrom) + DAY);

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
  const movedAway = ({ $gte, $lte }: Readonly<{ $gte: string; $lte: string }>): number => {
    const times = [...documents.values()].map(({ value }) => String(value?.movedAwayAt ?? ''));
    return times.filter((time) => time >= $gte && time <= $lte).length;
  };
  const views = {
    totals: async () => totals,
    checkpoint: async () => checkpoint,
    count: async (_view: unknown, where: ReturnType<typeof movedAwayInMonthUntil>) =>
      movedAway(where.movedAwayAt as Parameters<typeof movedAway>[0]),
  } as unknown as Views;
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

type Feeding = Readonly<{ views: Views; projector: Projector; log: EventLog }>;

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
const expectExactWhileFed = async ({ log, views, projector }: Feeding, events: readonly Recorded[]): Promise<void> => {
  const retainedFrom = day(Math.floor(events.length / 2));
  const reported = (position: Position): Promise<boolean> => projector.reached(position, 10_000);
  const polled: Summary[] = [];
  const head = await log.head();
  do polled.push(await countersFrom(views, retainedFrom, reported));
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
    await expectExactWhileFed({ log, views, projector }, events);
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
      await expectExactWhileFed({ log, views, projector }, events);
      await projector.stop();
      await dropViews(connection.db(), 'counters');
    });
  });
});

describe('counting what a tag has moved away from', () => {
  const sums = { 'movedAwayIn1969-12': 4, 'movedAwayIn1970-01': 2, released: 1 };
  const first = '1';
  const EPOCH = new Date(0).toISOString();
  /** Views whose totals are at one position after the other, each time that they are read. */
  const moving = (positions: readonly string[], counted: number[] = []) => {
    let reads = 0;
    const views = {
      checkpoint: async () => first,
      totals: async () => ({ position: positions[Math.min(reads++, positions.length - 1)], sums }),
      count: async () => {
        counted.push(reads);
        return 2;
      },
    } as unknown as Views;
    return { views, counted };
  };

  it('is done again where something has changed meanwhile', async () => {
    const { views, counted } = moving(['1', '2', '2', '3', '3']);
    expect(await countersFrom(views, EPOCH)).to.include({ orphanedManifests: 1 + 4 + 2, position: '3' });
    expect(counted).to.have.lengthOf(3);
  });

  it('waits until the documents are as far as the totals', async () => {
    const waitedFor: string[] = [];
    const { views } = moving(['7']);
    const reported = async (position: Position): Promise<boolean> => {
      waitedFor.push(position);
      return true;
    };
    await countersFrom(views, EPOCH, reported);
    expect(waitedFor).to.deep.equal(['7']);
  });

  it('is refused for now where that takes too long, or changes never end', async () => {
    const behind = countersFrom(moving(['7']).views, EPOCH, async () => false);
    const restless = countersFrom(moving(Array.from({ length: 1000 }, (_, n) => String(n))).views, EPOCH);
    for (const refused of [behind, restless]) {
      const error = await refused.catch((cause: unknown) => cause);
      expect(isRefusal(error, 'UNAVAILABLE'), String(error)).to.equal(true);
    }
  });

  it('asks what the time is after what it counts has happened', async () => {
    let time = 0;
    const { views } = moving(['1', '2', '3', '3']);
    const asked: string[] = [];
    const watching = {
      ...views,
      totals: async (...given: Parameters<Views['totals']>) => {
        time += 1000;
        return views.totals(...given);
      },
      count: async (_view: unknown, { movedAwayAt }: ReturnType<typeof movedAwayInMonthUntil>) => {
        asked.push((movedAwayAt as Readonly<{ $lte: string }>).$lte);
        return 2;
      },
    } as unknown as Views;
    await countersAt({ reporting: watching, reported: async () => true }, 0, () => time);
    expect(asked).to.deep.equal([1000, 3000, 5000].map((ms) => new Date(ms).toISOString()).slice(0, asked.length));
    expect(asked.length).to.be.greaterThan(1);
  });

  it('is not done for the months before, which the totals have, nor for what has not happened', async () => {
    const { views, counted } = moving(['1']);
    expect((await countersFrom(views, '1970-02-01T00:00:00.000Z')).orphanedManifests).to.equal(1 + 4 + 2);
    expect((await countersFrom(views, '1969-11-30T23:59:59.999Z')).orphanedManifests).to.equal(1);
    expect(counted).to.deep.equal([]);
  });

  it('is not done where everything is retained for ever', async () => {
    const { views, counted } = moving(['1']);
    const reported = async (): Promise<boolean> => true;
    const kept = await countersAt({ reporting: views, reported }, Number.POSITIVE_INFINITY);
    expect(kept.orphanedManifests).to.equal(1);
    expect(counted).to.deep.equal([]);
  });
});
