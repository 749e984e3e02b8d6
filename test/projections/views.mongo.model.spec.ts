import { expect } from 'chai';
import fc from 'fast-check';
import type { Db } from 'mongodb';
import { ORIGIN, type Position, type Recorded } from '../../src/events/event.ts';
import type { EventLog } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import type { Placed, Projection } from '../../src/projections/projection.ts';
import { neverSeen, step } from '../../src/projections/reduce.ts';
import { startProjector } from '../../src/projections/runner.ts';
import { dropViews, type MongoViews, mongoViews } from '../../src/projections/views/mongo.ts';
import { type MongoConnection, mongoConnection } from '../../src/projections/views/mongoConnection.ts';
import { sqliteViews } from '../../src/projections/views/sqlite.ts';
import type { Views } from '../../src/projections/views/views.ts';
import { mongoForTests, type TestDatabase } from '../support/mongo/mongoForTests.ts';
import { type Fate, startUnreliable, type UnreliableProcess } from '../support/mongo/unreliable.ts';
import { seen } from '../support/projecting.ts';
import { requires } from '../support/reporter.ts';
import { appending, toyHistory, toys } from '../support/toys.ts';

const mongo = await mongoForTests();

const MINUTE = 60_000;
/** How long a tombstone stays, and the longest that a write may take to reach the server after its step began. */
const TOMBSTONES_LIVE = 60 * MINUTE;
const LATEST = 30 * MINUTE;
const STREAMS = ['notes-1', 'notes-2', 'notes-3'];

type Action =
  | Readonly<{ kind: 'append'; events: number }>
  | Readonly<{ kind: 'move'; who: number; which: number; fate: Fate; times: number }>
  | Readonly<{ kind: 'wait'; minutes: number }>
  | Readonly<{ kind: 'sweep' | 'kill'; who: number }>
  | Readonly<{ kind: 'clean' }>
  | Readonly<{ kind: 'arrive'; which: number }>;

const who = fc.nat(1);
/** A few moves, or one and then several steps without trouble. */
const times = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(25));
const fate = fc.oneof(
  { weight: 12, arbitrary: fc.constant('answered' as const) },
  { weight: 3, arbitrary: fc.constantFrom('answerLost', 'cutShort', 'lost', 'repeated' as const) },
);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('move'), who, which: fc.nat(), fate, times }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('append'), events: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait'), minutes: fc.integer({ min: 1, max: 45 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('sweep'), who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('clean') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill'), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('arrive'), which: fc.nat() }) },
) as fc.Arbitrary<Action>;

type Documents = ReadonlyMap<string, Placed>;
type Expected = ReadonlyMap<Projection, Documents>;

/** What the documents are after each event, tombstones among them, with their positions. */
const expecting = () => {
  const states = new Map<Position, Expected>([[ORIGIN, new Map()]]);
  let last: Expected = new Map();
  const take = (event: Recorded): void => {
    const next = new Map(last);
    for (const view of toys.views) {
      if (view.on[event.type] === undefined) continue;
      const documents = new Map(next.get(view));
      const [one] = seen([event]);
      for (const key of view.keysOf(one as never)) {
        documents.set(key, step(view, documents.get(key) ?? neverSeen(key), one as never));
      }
      next.set(view, documents);
    }
    last = next;
    states.set(event.position, next);
  };
  return { take, at: (position: Position) => states.get(position) };
};

/** Everything that readers see, but for the positions of totals, which depend on how the events were cut into batches. */
const contentOf = async (views: Views): Promise<unknown> => ({
  documents: await Promise.all(
    toys.views.map(async (view) => {
      const { items } = await views.find(view, { limit: 1000 });
      return views.getPlaced(
        view,
        items.map(({ key }) => key),
      );
    }),
  ),
  totals: await Promise.all(toys.views.map(async (view) => (await views.totals(view)).sums)),
  cursors: await Promise.all(STREAMS.map((stream) => views.cursor(stream))),
  checkpoint: await views.checkpoint(),
  faults: await views.faults(),
});

const rebuilt = async (log: EventLog): Promise<unknown> => {
  const views = sqliteViews(':memory:', toys);
  const onError = (error: unknown): never => {
    throw error;
  };
  const projector = startProjector({ log, views, group: toys, prepare: seen, onError });
  await projector.reached(await log.head(), Number.POSITIVE_INFINITY);
  await projector.stop();
  const content = await contentOf(views);
  await views.close();
  return content;
};

/** Whoever sees the checkpoint sees every document as it was there or later, and none that was gone by then. */
const checkReader = async (views: MongoViews, at: (position: Position) => Expected | undefined): Promise<void> => {
  const checkpoint = await views.checkpoint();
  const expected = at(checkpoint);
  for (const view of toys.views) {
    const known = expected?.get(view) ?? new Map<string, Placed>();
    const keys = new Set([...known.keys(), ...(await views.find(view, { limit: 1000 })).items.map(({ key }) => key)]);
    for (const placed of await views.getPlaced(view, [...keys])) {
      if (placed.position > checkpoint) continue;
      const { value } = known.get(placed.key) ?? neverSeen(placed.key);
      expect(placed.value, `${view.view} ${placed.key} as of ${checkpoint}`).to.deep.equal(value);
    }
  }
};

describe(`two projectors on the same views in MongoDB (${mongo.name})`, function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');
  this.timeout(300_000);

  let database: TestDatabase;
  let connection: MongoConnection;
  let db: Db;
  let names = 0;

  before(async () => {
    database = await mongo.database();
    connection = mongoConnection(database.url, { appName: 'views.mongo.model.spec' });
    db = connection.db();
  });

  after(async () => {
    await connection.close();
    await database.drop();
  });

  it('lose, double and revive nothing, wherever they are stopped, killed or late', async () => {
    const plan = fc.record({
      history: toyHistory(40),
      limits: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
      actions: fc.array(action, { minLength: 20, maxLength: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ history, limits, actions }) => {
        names += 1;
        const name = `model${names}`;
        let clock = Date.UTC(2026, 0, 1);
        const log = await sqliteEventLog(':memory:');
        const append = appending(log);
        const expected = expecting();
        const reader = await mongoViews(db, name, toys, { now: () => clock });
        const late: (() => Promise<void>)[] = [];
        let told = 0;

        const start = (limit: number): Promise<UnreliableProcess> =>
          startUnreliable({
            db,
            name,
            group: toys,
            log,
            limit,
            now: () => clock,
            latestMs: LATEST,
            onRepeat: (_command, sendAgain) => late.push(sendAgain),
          });
        const processes = [await start(limits[0]), await start(limits[1])];
        const processAt = (n: number): UnreliableProcess => processes[n] as UnreliableProcess;

        const tell = async (events: number): Promise<void> => {
          const after = await log.head();
          await append(history.slice(told, told + events));
          told += events;
          for (const event of await log.readAll({ limit: 1000, after })) expected.take(event);
        };

        const move = async (one: UnreliableProcess, which: number, what: Fate): Promise<void> => {
          await one.settled();
          const stops = one.stops();
          await stops[which % Math.max(1, stops.length)]?.goOn(what);
        };

        const act = async (one: Action): Promise<void> => {
          switch (one.kind) {
            case 'append':
              return tell(one.events);
            case 'move':
              await move(processAt(one.who), one.which, one.fate);
              for (let n = 1; n < one.times; n++) await move(processAt(one.who), one.which, 'answered');
              return;
            case 'wait':
              clock += one.minutes * MINUTE;
              return;
            case 'sweep':
              return processAt(one.who).sweep(TOMBSTONES_LIVE);
            case 'clean':
              clock += TOMBSTONES_LIVE + MINUTE;
              await reader.sweep(TOMBSTONES_LIVE);
              return;
            case 'kill':
              await processAt(one.who).kill();
              processes[one.who] = await start(limits[one.who] ?? 1);
              return;
            case 'arrive':
              await late.splice(one.which % Math.max(1, late.length), 1)[0]?.();
          }
        };

        const runToHead = async (one: UnreliableProcess): Promise<void> => {
          for (await one.settled(); !(await one.isIdle()); await one.settled()) await one.stops()[0]?.goOn('answered');
        };

        try {
          for (const one of actions) {
            await act(one);
            await checkReader(reader, expected.at);
          }
          await tell(history.length);
          await runToHead(processAt(0));
          const fresh = await rebuilt(log);
          expect(await contentOf(reader), 'after one has run to the end').to.deep.equal(fresh);

          for (const arrive of late) await arrive();
          await runToHead(processAt(1));
          expect(await contentOf(reader), 'after the other one has too').to.deep.equal(fresh);
        } finally {
          for (const one of processes) await one.kill();
          await log.close();
          await dropViews(db, name);
        }
      }),
      { numRuns: Number(process.env.GHOSTDOCK_TEST_RUNS ?? 25) },
    );
  });
});
