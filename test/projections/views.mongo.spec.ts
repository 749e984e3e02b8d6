import { expect } from 'chai';
import type { Db } from 'mongodb';
import { isRefusal } from '../../src/errors.ts';
import type { Document, Group, Placed } from '../../src/projections/projection.ts';
import { dropViews, type MongoViews, mongoViews } from '../../src/projections/views/mongo.ts';
import { type MongoConnection, mongoConnection } from '../../src/projections/views/mongoConnection.ts';
import { compileCount, compileFind } from '../../src/projections/views/mongoQuery.ts';
import type { Commit, Query, Where } from '../../src/projections/views/views.ts';
import { viewsContract } from '../contracts/views.contract.ts';
import { gatedDb, type WriteCommand } from '../support/mongo/gatedDb.ts';
import { mongoForTests, type TestDatabase } from '../support/mongo/mongoForTests.ts';
import { positionOf } from '../support/projecting.ts';
import { requires } from '../support/reporter.ts';
import { asViews, marks, notes, toys } from '../support/toys.ts';

const mongo = await mongoForTests();

const note = (key: string, at: number, value: Document | undefined): Placed => ({ key, position: positionOf(at), value });

const step = (checkpoint: number, documents: readonly Placed[], rest: Partial<Commit> = {}): Commit => ({
  totals: {},
  documents: [{ view: 'notes', documents }],
  cursors: {},
  checkpoint: positionOf(checkpoint),
  ...rest,
});

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe(`views in MongoDB (${mongo.name})`, function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');

  let database: TestDatabase;
  let connection: MongoConnection;
  let db: Db;
  let name = '';
  let names = 0;

  before(async () => {
    database = await mongo.database();
    connection = mongoConnection(database.url, { appName: 'views.mongo.spec' });
    db = connection.db();
  });

  after(async () => {
    await connection.close();
    await database.drop();
  });

  beforeEach(() => {
    names += 1;
    name = `views${names}`;
  });

  viewsContract('MongoDB', async (group, clock) => {
    names += 1;
    return mongoViews(db, `contract${names}`, group, clock);
  });

  describe('documents', () => {
    let views: MongoViews;

    beforeEach(async () => {
      views = await mongoViews(db, name, toys);
    });

    it('come back as JSON would bring them back, whatever their fields are called and hold', async () => {
      const values: readonly Document[] = [
        { 'a.b': 1, $set: { $inc: 2 }, '': 3, 'sha256:ab': { 'c.d': [{ $e: 'f' }] } },
        { z: 1, a: 2, m: { y: 1, b: 2 }, 10: 'ten', 2: 'two' },
        { text: 'half \ud83d of a pair', list: ['\udc00'], '\ud800': 1 },
        { minus: -0, none: undefined, not: Number.NaN, nothing: null, list: [undefined, null] },
        { large: Number.MAX_SAFE_INTEGER, small: -(2 ** 40), float: 0.1 },
        { at: new Date(0), nested: { at: new Date(0) } },
        JSON.parse('{"__proto__":{"x":1},"constructor":2,"_id":3,"p":4,"d":5,"t":6,"w":7}'),
        { nul: '\u0000', 'n\u0000l': '\u0000' },
        {},
      ];
      await views.commit(
        step(
          1,
          values.map((value, n) => note(`k${n}`, 1, value)),
        ),
      );
      for (const [n, value] of values.entries()) {
        const found = await views.get(notes, `k${n}`);
        expect(JSON.stringify(found), `value ${n}`).to.equal(JSON.stringify(value));
      }
    });

    it('are found by their fields also where MongoDB cannot hold all of them', async () => {
      await views.commit(
        step(1, [note('odd', 1, { folder: 'inbox', size: 7, 'a.b': 1, $c: 2 }), note('plain', 1, { folder: 'sent' })]),
      );
      const { items } = await views.find(notes, { where: { folder: 'inbox', size: { $gt: 6 } }, limit: 10 });
      expect(items).to.deep.equal([{ key: 'odd', value: { folder: 'inbox', size: 7, 'a.b': 1, $c: 2 } }]);
      await views.commit(step(2, [note('odd', 2, { folder: 'sent' })]));
      expect(await views.get(notes, 'odd'), 'once they are plain again').to.deep.equal({ folder: 'sent' });
    });

    it('have the indexes that their view declares, each ended by the key, and one for tombstones', async () => {
      await mongoViews(db, name, toys);
      const keys = (await db.collection(`${name}.notes`).indexes()).map(({ key }) => Object.keys(key).join(' '));
      expect(keys).to.have.members(['_id', 'd.folder _id', 'd.folder d.size _id', 'd.size _id', 'd.at _id', 'w']);
    });

    it('are seen by every process as soon as one has committed them', async () => {
      const other = await mongoViews(db, name, toys);
      await views.commit(step(1, [note('a', 1, { size: 1 })], { totals: { notes: { notes: 1 } } }));
      expect(await other.get(notes, 'a')).to.deep.equal({ size: 1 });
      expect(await other.totals(notes)).to.deep.equal({ position: positionOf(1), sums: { notes: 1 } });
      expect(await other.checkpoint()).to.equal(positionOf(1));
    });

    it('of a faulted view are refused by every process that has asked for the state since', async () => {
      const other = await mongoViews(db, name, toys);
      const fault = { position: positionOf(1), type: 'NoteWritten', message: 'cannot' };
      await views.commit(step(1, [], { faults: { notes: fault } }));
      expect(await other.state()).to.deep.equal({ checkpoint: positionOf(1), faults: { notes: fault } });
      expect(isRefusal(await failureOf(other.get(notes, 'a')), 'UNAVAILABLE')).to.equal(true);
      const late = await mongoViews(db, name, toys);
      expect(isRefusal(await failureOf(late.get(notes, 'a')), 'UNAVAILABLE')).to.equal(true);
      expect(await late.get(marks, 'a')).to.equal(undefined);
    });

    it('cannot be of a view whose name is taken', async () => {
      for (const view of ['meta', 'cursors', 'a.b', '']) {
        const group: Group = { name: 'odd', views: asViews({ ...notes, view }) };
        expect(await failureOf(mongoViews(db, name, group)), `a view "${view}"`).to.be.instanceOf(Error);
      }
    });
  });

  describe('a commit', () => {
    let commands: WriteCommand[];
    let guarded: number;
    let gate: (command: WriteCommand) => Promise<unknown>;
    let views: MongoViews;

    beforeEach(async () => {
      commands = [];
      guarded = 0;
      gate = ({ send }) => send();
      const told = (command: WriteCommand): Promise<unknown> => {
        commands.push(command);
        return gate(command);
      };
      const guard = (): void => {
        guarded += 1;
      };
      views = await mongoViews(gatedDb(db, told), name, toys, { guard });
    });

    const cursors = { s: { revision: 1, at: new Date(0).toISOString(), position: positionOf(1) } };
    const whole: Commit = {
      totals: { notes: { notes: 1 } },
      documents: [
        { view: 'notes', documents: [note('a', 1, { size: 1 })] },
        { view: 'marks', documents: [note('red', 1, { notes: 1 })] },
      ],
      cursors,
      checkpoint: positionOf(1),
      faults: { folders: { position: positionOf(1), type: 'NoteWritten', message: 'cannot' } },
    };

    it('writes totals, documents, cursors, faults and checkpoint in this order, with a look at the lease before each', async () => {
      await views.commit(whole);
      const what = commands.map((command) => command.what.replace(`${name}.`, ''));
      expect([what[0], new Set(what.slice(1, 3)), ...what.slice(3)]).to.deep.equal([
        'meta bulkWrite',
        new Set(['marks bulkWrite', 'notes bulkWrite']),
        'cursors bulkWrite',
        'meta findOneAndUpdate',
        'meta findOneAndUpdate',
      ]);
      expect(guarded).to.equal(commands.length);
    });

    it('ends where a write fails: nothing that comes after it is written', async () => {
      const commandsOfAll = 6;
      for (let failing = 0; failing < commandsOfAll; failing++) {
        commands = [];
        gate = async ({ send }) => {
          if (commands.length > failing) throw new Error('no answer');
          return await send();
        };
        expect(await failureOf(views.commit({ ...whole, checkpoint: positionOf(2 + failing) }))).to.be.instanceOf(Error);
        // The bulks of several views are under way at once.
        expect(commands.length - failing, `after write ${failing}`).to.be.within(1, failing === 1 ? 2 : 1);
      }
    });

    it('writes nothing any more once the lease is lost, and says so', async () => {
      const lost = new Error('lost');
      let left = 3;
      const guard = (): void => {
        if (left === 0) throw lost;
        left -= 1;
      };
      const told = gatedDb(db, (command) => {
        commands.push(command);
        return command.send();
      });
      const losing = await mongoViews(told, name, toys, { guard });
      expect(await failureOf(losing.commit(whole))).to.equal(lost);
      expect(commands).to.have.lengthOf(3);
      expect(await views.cursor('s')).to.equal(undefined);
      expect(await failureOf(losing.sweep(0)), 'with nothing to sweep').to.equal(undefined);
    });

    it('is cut into commands of a bounded size, however many documents it has', async () => {
      const text = 'x'.repeat(300_000);
      const documents = Array.from({ length: 1234 }, (_, n) => note(`n${n}`, 1, { size: n, ...(n % 50 === 0 && { text }) }));
      await views.commit(step(1, documents));
      const bulks = commands.filter(({ what }) => what === `${name}.notes bulkWrite`);
      expect(Math.max(...bulks.map(({ writes }) => writes))).to.be.at.most(500);
      expect(bulks.length).to.be.within(5, 12);
      expect(guarded).to.equal(commands.length);
      expect(await views.count(notes)).to.equal(documents.length);
      const keys = documents.map(({ key }) => key).toReversed();
      expect(await views.getPlaced(notes, keys)).to.deep.equal(documents.toReversed());
      commands = [];
      await views.commit(step(1, documents.slice(0, 700)));
      const again = commands.filter(({ what }) => what === `${name}.notes bulkWrite`);
      expect(again.length, 'all of them refused').to.be.at.most(2 * bulks.length);
    });

    it('writes over an older document that somebody else inserted in the same moment', async () => {
      const raw = db.collection<{ _id: string; p: string; d: Document }>(`${name}.notes`);
      gate = async ({ what, send }) => {
        if (!what.endsWith('notes bulkWrite') || commands.filter((one) => one.what === what).length > 1) return await send();
        // What a server says to the second of two upserts that both found nothing.
        await raw.insertOne({ _id: 'a', p: positionOf(9), d: {} });
        const refused = await failureOf(send());
        await raw.replaceOne({ _id: 'a' }, { p: positionOf(1), d: { size: 1 } });
        throw refused;
      };
      await views.commit(step(5, [note('a', 5, { size: 5 }), note('b', 5, { size: 5 })]));
      expect(await views.getMany(notes, ['a', 'b'])).to.deep.equal([{ size: 5 }, { size: 5 }]);
    });

    it('takes no other error of a bulk for a newer document', async () => {
      const tooLarge = note('a', 5, { text: 'x'.repeat(17 * 1024 * 1024) });
      expect(await failureOf(views.commit(step(5, [tooLarge, note('b', 5, { size: 5 })])))).to.be.instanceOf(Error);
      expect(await views.checkpoint()).to.equal('');
    });
  });

  describe('sweeping', () => {
    it('leaves tombstones that the checkpoint has not passed, so that the step that wrote them can be finished', async () => {
      let clock = 0;
      const cut = gatedDb(db, async (command) => {
        if (command.what.endsWith('marks bulkWrite')) throw new Error('no answer');
        return await command.send();
      });
      const first = await mongoViews(cut, name, toys, { now: () => clock });
      const second = await mongoViews(db, name, toys, { now: () => clock });
      await second.commit(step(1, [note('a', 1, { size: 1 })]));
      const unfinished: Commit = {
        ...step(3, [note('a', 3, undefined)]),
        documents: [
          { view: 'notes', documents: [note('a', 3, undefined)] },
          { view: 'marks', documents: [note('red', 2, { notes: 1 })] },
        ],
      };
      expect(await failureOf(first.commit(unfinished))).to.be.instanceOf(Error);
      clock = 1000;
      expect(await second.sweep(10)).to.equal(0);
      await second.commit(unfinished);
      expect(await second.get(marks, 'red')).to.deep.equal({ notes: 1 });
      clock = 2000;
      expect(await second.sweep(10)).to.equal(1);
    });

    it('by one process keeps another from bringing back what it did not see deleted', async () => {
      const [sweeper, late] = [await mongoViews(db, name, toys), await mongoViews(db, name, toys)];
      await sweeper.commit(step(1, [note('a', 1, { size: 1 }), note('b', 1, { size: 1 })]));
      await sweeper.commit(step(3, [note('a', 3, undefined)]));
      expect(await sweeper.sweep(-1)).to.equal(1);
      await late.commit(step(2, [note('a', 2, { size: 2 }), note('b', 2, { size: 2 }), note('c', 2, { size: 2 })]));
      expect(await late.getMany(notes, ['a', 'b', 'c'])).to.deep.equal([undefined, { size: 2 }, undefined]);
    });
  });

  describe('dropped', () => {
    it('are gone, and others are not', async () => {
      const [gone, stays] = [await mongoViews(db, name, toys), await mongoViews(db, `${name}2`, toys)];
      for (const views of [gone, stays]) await views.commit(step(1, [note('a', 1, { size: 1 })]));
      await dropViews(db, name);
      const left = (await db.listCollections({}, { nameOnly: true }).toArray()).map((one) => one.name);
      expect(left.filter((one) => one.startsWith(`${name}.`))).to.deep.equal([]);
      expect(await stays.get(notes, 'a')).to.deep.equal({ size: 1 });
      await dropViews(db, name);
    });

    it('are no more written by a process that did not know', async () => {
      const views = await mongoViews(db, name, toys);
      await dropViews(db, name);
      expect(isRefusal(await failureOf(views.commit(step(1, [note('a', 1, { size: 1 })]))), 'UNAVAILABLE')).to.equal(true);
      expect(isRefusal(await failureOf(views.state()), 'UNAVAILABLE')).to.equal(true);
      expect(await db.collection(`${name}.notes`).countDocuments({})).to.equal(0);
    });
  });

  describe('how documents are looked for', function () {
    requires(this, mongo.explains, `${mongo.name} does not say how it answers a query`);

    const QUERIES: readonly (readonly [what: string, query: Omit<Query, 'limit'>])[] = [
      ['a page by key', { after: ['n1'] }],
      ['a page by key, backwards', { sort: ['-key'], after: ['n1'] }],
      ['a prefix of the key', { where: { key: { $prefix: 'n1' } } }],
      ['a field', { where: { folder: 'inbox' } }],
      ['a page of a field', { where: { folder: 'inbox' }, after: ['n1'] }],
      ['a field in the order of another', { where: { folder: 'inbox' }, sort: ['-size'] }],
      ['a page of a field in the order of another', { where: { folder: 'inbox' }, sort: ['size'], after: [5, 'n1'] }],
      ['an order', { sort: ['-at'], after: ['2026', 'n1'] }],
      ['a range', { where: { size: { $gte: 3, $lt: 5 } }, sort: ['size'] }],
      ['several values', { where: { folder: { $in: ['inbox', 'sent'] } }, sort: ['size'] }],
    ];
    const COUNTS: readonly Where[] = [{ folder: 'inbox' }, { size: { $gt: 3 } }, { key: { $prefix: 'n1' } }];

    before(async () => {
      const documents = Array.from({ length: 400 }, (_, n) =>
        note(`n${n}`, 1, { folder: n % 2 === 0 ? 'inbox' : 'sent', size: n % 10, at: `2026-${n}` }),
      );
      name = 'plans';
      await (await mongoViews(db, name, toys)).commit(step(1, documents));
    });

    const planOf = (explained: Document): string =>
      JSON.stringify((explained as { queryPlanner: { winningPlan: unknown } }).queryPlanner.winningPlan);

    for (const [what, query] of QUERIES) {
      it(`finds ${what} in an index, in order`, async () => {
        const { filter, sort, limit } = compileFind({ ...query, limit: 10 });
        const explained = await db.collection<never>('plans.notes').find(filter, { sort, limit }).explain('queryPlanner');
        expect(planOf(explained)).not.to.match(/"COLLSCAN"|"SORT"/);
      });
    }

    for (const where of COUNTS) {
      it(`counts ${JSON.stringify(where)} in an index`, async () => {
        const filter = compileCount(where);
        const explained = await db.collection<never>('plans.notes').find(filter).explain('queryPlanner');
        expect(planOf(explained)).not.to.match(/"COLLSCAN"/);
      });
    }
  });
});

describe(`views on a MongoDB server in trouble (${mongo.name})`, function () {
  requires(this, mongo.notOurs === undefined, mongo.notOurs ?? '');

  const anything = (views: MongoViews): readonly (() => Promise<unknown>)[] => [
    () => views.get(notes, 'a'),
    () => views.getMany(notes, ['a']),
    () => views.getPlaced(notes, ['a']),
    () => views.find(notes, { limit: 1 }),
    () => views.count(notes),
    () => views.totals(notes),
    () => views.cursor('s'),
    () => views.checkpoint(),
    () => views.state(),
    () => views.sweep(0),
    () => views.commit(step(9, [note('b', 9, { size: 9 })])),
  ];

  /** Everything is refused in a clear way. That it does not hang is what the test's own time-out says. */
  const expectUnavailable = async (views: MongoViews, db: Db): Promise<void> => {
    const all = [...anything(views), () => mongoViews(db, 'others', toys), () => dropViews(db, 'others')];
    const failures = await Promise.all(all.map((work) => failureOf(work())));
    for (const [n, failure] of failures.entries()) {
      expect(isRefusal(failure, 'UNAVAILABLE'), `${all[n]}: ${failure}`).to.equal(true);
      expect((failure as Error).cause, `${all[n]}`).to.be.instanceOf(Error);
    }
  };

  const opened = async (work: (views: MongoViews, db: Db, server: Awaited<ReturnType<typeof mongo.start>>) => Promise<void>) => {
    const server = await mongo.start();
    const connection = mongoConnection(server.url, { appName: 'views.mongo.spec' });
    try {
      await work(await mongoViews(connection.db(), 'troubled', toys), connection.db(), server);
    } finally {
      await connection.close();
      await server.dispose();
    }
  };

  const reachable = async (views: MongoViews): Promise<string> => {
    for (;;) {
      const failure = await failureOf(views.checkpoint());
      if (failure === undefined) return await views.checkpoint();
      expect(isRefusal(failure, 'UNAVAILABLE')).to.equal(true);
    }
  };

  it('are refused while it is gone, and go on with all that was acknowledged once it is back', async () => {
    await opened(async (views, db, server) => {
      for (let round = 1; round <= 3; round++) {
        await views.commit(step(round, [note('a', round, { size: round })], { totals: { notes: { notes: round } } }));
        await server.kill();
        if (round === 1) await expectUnavailable(views, db);
        await server.restart();
        expect(await reachable(views)).to.equal(positionOf(round));
        expect(await views.get(notes, 'a')).to.deep.equal({ size: round });
        expect((await views.totals(notes)).sums).to.deep.equal({ notes: round });
      }
    });
  });

  it('are refused while it is frozen, and go on once it answers again', async () => {
    await opened(async (views, db, server) => {
      await views.commit(step(1, [note('a', 1, { size: 1 })]));
      server.freeze();
      await expectUnavailable(views, db);
      server.thaw();
      await reachable(views);
      expect(await views.get(notes, 'a')).to.deep.equal({ size: 1 });
      // What was on its way when it froze may have happened since.
      await views.commit(step(9, [note('b', 9, { size: 9 })]));
      expect(await views.get(notes, 'b')).to.deep.equal({ size: 9 });
    });
  });

  it('keep every acknowledged step through a storm of kills', async () => {
    await opened(async (views, _db, server) => {
      let acknowledged = 0;
      let storming = true as boolean;
      const commit = async (n: number): Promise<void> => {
        while (
          (await failureOf(views.commit(step(n, [note(`n${n}`, n, { size: n })], { totals: { notes: { n } } })))) !== undefined
        );
        acknowledged = n;
      };
      const writing = (async () => {
        for (let n = 1; storming; n++) await commit(n);
      })();
      for (let kill = 0; kill < 3; kill++) {
        const before = acknowledged;
        while (acknowledged < before + 3) await failureOf(views.checkpoint());
        await server.kill();
        await server.restart();
      }
      storming = false;
      await writing;
      const keys = Array.from({ length: acknowledged }, (_, n) => `n${n + 1}`);
      expect(await views.getMany(notes, keys)).to.deep.equal(keys.map((_key, n) => ({ size: n + 1 })));
      expect((await views.totals(notes)).sums).to.deep.equal({ n: acknowledged });
      expect(await views.checkpoint()).to.equal(positionOf(acknowledged));
    });
  });
});
