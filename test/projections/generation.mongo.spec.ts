import { expect } from 'chai';
import { isRefusal } from '../../src/errors.ts';
import type { EventLog } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import type { Generation } from '../../src/projections/generation.ts';
import type { Group } from '../../src/projections/projection.ts';
import { type MongoConnection, mongoConnection } from '../../src/projections/views/mongoConnection.ts';
import { type MongoGenerationOptions, mongoGeneration } from '../../src/projections/views/mongoGeneration.ts';
import { mongoLeases } from '../../src/projections/views/mongoLeases.ts';
import { mongoForTests, type TestDatabase } from '../support/mongo/mongoForTests.ts';
import { waitUntil } from '../support/processes.ts';
import { seen } from '../support/projecting.ts';
import { requires } from '../support/reporter.ts';
import { appending, asViews, erased, folders, marks, notes, toys, written } from '../support/toys.ts';

const mongo = await mongoForTests();
const FOR_EVER = Number.POSITIVE_INFINITY;

/** The same views in the next release's form. */
const newer: Group = { name: toys.name, views: asViews({ ...notes, version: 2 }, folders, marks) };

describe(`views that several nodes share (${mongo.name})`, function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');

  let database: TestDatabase;
  let log: EventLog;
  let append: ReturnType<typeof appending>;
  let connections: MongoConnection[];
  let generations: Generation[];
  let errors: unknown[];
  let nodes = 0;

  beforeEach(async () => {
    database = await mongo.database();
    log = await sqliteEventLog(':memory:');
    append = appending(log);
    connections = [];
    generations = [];
    errors = [];
  });

  afterEach(async () => {
    await Promise.all(generations.map((generation) => generation.stop()));
    await Promise.all(connections.map((connection) => connection.close()));
    await log.close();
    await database.drop();
    // A busy machine may keep the server from answering in time: that is tried again, and is no failure.
    expect(errors.filter((error) => !isRefusal(error, 'UNAVAILABLE'))).to.deep.equal([]);
  });

  const connect = (): MongoConnection => {
    const connection = mongoConnection(database.url, { appName: 'generation.spec' });
    connections.push(connection);
    return connection;
  };

  const start = (options: Partial<MongoGenerationOptions> = {}): Generation => {
    const db = connect().db();
    nodes += 1;
    const generation = mongoGeneration({
      db,
      leases: mongoLeases(db),
      node: `node-${nodes}`,
      group: toys,
      log,
      prepare: seen,
      onError: (error) => errors.push(error),
      lease: { renewMs: 20, expiresMs: 400 },
      ...options,
      times: { watch: 20, touch: 20, ...options.times },
    });
    generations.push(generation);
    return generation;
  };

  const startReady = async (options: Partial<MongoGenerationOptions> = {}): Promise<Generation> => {
    const generation = start(options);
    await generation.ready;
    return generation;
  };

  const tell = (...events: ReturnType<typeof written>[]): Promise<string> =>
    append(events.map((event) => ({ stream: 'notes-1', event })));
  const holders = (): Promise<readonly string[]> => connect().db().collection('leases').distinct('holder') as Promise<string[]>;
  const collections = async (): Promise<readonly string[]> =>
    (await connect().db().listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name);

  it('hold the whole log once they are ready', async () => {
    await tell(written('a', { size: 3 }), written('b', { size: 4 }), erased('a'));
    const { views } = await startReady();
    expect(await views.get(notes, 'b')).to.include({ size: 4 });
    expect(await views.get(notes, 'a')).to.equal(undefined);
    expect((await views.totals(notes)).sums).to.deep.equal({ bytes: 4, notes: 1 });
  });

  it('are refused to readers before', async () => {
    await tell(written('a'));
    const { views } = start();
    const refused = await views.get(notes, 'a').catch((error: unknown) => error);
    expect(isRefusal(refused, 'UNAVAILABLE')).to.equal(true);
  });

  it('are fed by one node, and every node reads what was written as soon as it has waited for it', async () => {
    const all = [await startReady(), await startReady(), await startReady()];
    expect(await holders()).to.have.lengthOf(1);
    for (let n = 0; n < 10; n++) {
      const position = await tell(written(`note ${n % 7}`, { size: n }));
      for (const generation of all) {
        expect(await generation.reached(position, FOR_EVER)).to.equal(true);
        expect(await generation.views.get(notes, `note ${n % 7}`)).to.include({ size: n });
      }
    }
  });

  it('go on being fed by another node when the one that fed them stops', async () => {
    const first = await startReady();
    const second = await startReady();
    await first.stop();
    const position = await tell(written('a'));
    expect(await second.reached(position, FOR_EVER)).to.equal(true);
    expect(await holders()).to.deep.equal([`node-${nodes}`]);
  });

  it('are built anew beside those in use, and every node goes over to the new build', async () => {
    const times = { linger: 600, trust: 300 };
    const all = [await startReady({ times }), await startReady({ times })] as const;
    await all[0].reached(await tell(written('a'), written('b')), FOR_EVER);
    const before = (await collections()).filter((name) => name.endsWith('.notes'));
    const over = new AbortController();
    const reading = (async () => {
      for (let n = 0; !over.signal.aborted; n++) {
        const position = await tell(written('a', { size: n }));
        for (const generation of all) {
          expect(await generation.reached(position, FOR_EVER)).to.equal(true);
          expect(await generation.views.get(notes, 'a')).to.include({ size: n });
        }
      }
    })();
    await all[1].rebuild();
    await waitUntil('the old build is gone', async () => !(await collections()).includes(before[0] ?? ''));
    over.abort();
    await reading;
    expect((await collections()).filter((name) => name.endsWith('.notes'))).to.have.lengthOf(1);
    expect((await all[0].views.find(notes, { limit: 10 })).items).to.have.lengthOf(2);
  });

  it('stand still at a fault, for every node, until they are built anew', async () => {
    const sound = new AbortController();
    const broken = {
      ...notes,
      on: {
        ...notes.on,
        NoteErased: () => {
          if (!sound.signal.aborted) throw new Error('cannot');
          return undefined;
        },
      },
    };
    const group = { name: toys.name, views: asViews(broken, folders, marks) };
    const all = [await startReady({ group }), await startReady({ group })] as const;
    const position = await tell(written('a'), erased('a'));
    for (const generation of all) {
      await generation.reached(position, FOR_EVER);
      await waitUntil('it says so', async () => generation.status().faults.notes !== undefined);
      const refused = await generation.views.get(notes, 'a').catch((error: unknown) => error);
      expect(isRefusal(refused, 'UNAVAILABLE')).to.equal(true);
      expect(await generation.views.get(folders, 'inbox')).to.deep.equal({ written: 1 });
    }
    sound.abort();
    await all[0].rebuild();
    for (const generation of all) {
      await waitUntil('it is well again', async () => generation.status().faults.notes === undefined);
      expect(await generation.views.get(notes, 'a')).to.equal(undefined);
    }
  });

  describe('of two releases at once', () => {
    it('are built and fed beside each other', async () => {
      const old = await startReady();
      await tell(written('a'));
      const next = await startReady({ group: newer });
      expect(await holders()).to.have.lengthOf(2);
      const position = await tell(written('b'));
      for (const generation of [old, next]) {
        expect(await generation.reached(position, FOR_EVER)).to.equal(true);
        expect(await generation.views.count(notes)).to.equal(2);
      }
    });

    it('are waited for, both, by whoever wants its write to be seen by everybody', async () => {
      const held: (() => void)[] = [];
      let holding = false;
      /** Feeds the views of one release later than those of the other. */
      const later = async (events: Parameters<typeof seen>[0]) => {
        if (holding) await new Promise<void>((resolve) => held.push(resolve));
        return seen(events);
      };
      const old = await startReady({ prepare: later });
      const next = await startReady({ group: newer });
      await old.reached(await tell(written('a')), FOR_EVER);
      holding = true;
      const position = await tell(erased('a'));
      expect(await next.views.checkpoint().then(async () => next.reached(position, 300)), 'the old release is behind').to.equal(
        false,
      );
      holding = false;
      const shown = next.reached(position, FOR_EVER);
      await waitUntil('the old release has the batch in its hand', async () => held.length > 0);
      for (const go of held) go();
      expect(await shown).to.equal(true);
      expect(await old.views.get(notes, 'a')).to.equal(undefined);
    });

    it('are not waited for when the last node of the other one has gone', async () => {
      const old = await startReady();
      const next = await startReady({ group: newer });
      await old.stop();
      expect(await next.reached(await tell(written('b')), FOR_EVER)).to.equal(true);
    });

    it('stay while a node uses them, and go some time after the last one has stopped', async () => {
      const unused = 2000;
      const times = { unused, linger: 0 };
      const old = await startReady({ times });
      const next = await startReady({ group: newer, times });
      const ofNotes = async () => (await collections()).filter((name) => name.endsWith('.notes')).length;
      for (let n = 0; n < 10; n++) {
        await next.reached(await tell(written('a')), FOR_EVER);
        await old.reached(await log.head(), FOR_EVER);
      }
      expect(await ofNotes()).to.equal(2);
      await old.stop();
      await waitUntil('the old form is gone', async () => (await ofNotes()) === 1);
      expect(await next.views.count(notes)).to.equal(1);
    });
  });

  it('are built anew when they were dropped', async () => {
    const { views, reached } = await startReady();
    await reached(await tell(written('a')), FOR_EVER);
    const db = connect().db();
    for (const name of await collections()) if (name !== 'leases') await db.dropCollection(name);
    const refusalOf = (): Promise<unknown> => views.get(notes, 'a').catch((error: unknown) => error);
    await reached(await tell(written('b')), FOR_EVER);
    await waitUntil('they are there again', async () => !isRefusal(await refusalOf(), 'UNAVAILABLE'));
    await waitUntil('they hold everything', async () => (await views.count(notes)) === 2);
  });

  it('of another log are built anew, because they are ahead of this one', async () => {
    await tell(written('a'), written('b'), written('c'));
    await (await startReady()).stop();
    const other = await sqliteEventLog(':memory:');
    await appending(other)([{ stream: 'notes-1', event: written('z') }]);
    const { views, stop } = await startReady({ log: other });
    expect((await views.find(notes, { limit: 10 })).items.map(({ key }) => key)).to.deep.equal(['z']);
    await stop();
    await other.close();
    expect(errors.map(String).join()).to.contain('ahead of the log');
    errors = [];
  });

  describe('on a server that goes away', function () {
    requires(this, mongo.notOurs === undefined, mongo.notOurs ?? '');

    it('are refused once a node cannot know any more which build is in use, and are back with the server', async () => {
      const server = await mongo.start();
      const db = mongoConnection(server.url, { appName: 'generation.spec' });
      const generation = mongoGeneration({
        db: db.db(),
        leases: mongoLeases(db.db()),
        node: 'node',
        group: toys,
        log,
        prepare: seen,
        onError: () => undefined,
        times: { watch: 20, trust: 500 },
      });
      try {
        await generation.ready;
        await generation.reached(await tell(written('a')), FOR_EVER);
        await server.kill();
        const refusalOf = (): Promise<unknown> => generation.views.get(notes, 'a').catch((error: unknown) => error);
        await waitUntil('it does not trust what it knows', async () => String(await refusalOf()).includes('cannot be reached'));
        expect(isRefusal(await refusalOf(), 'UNAVAILABLE')).to.equal(true);
        expect(generation.status().state).to.equal('retrying');
        const position = await tell(written('a', { size: 2 }));
        expect(await generation.reached(position, 10)).to.equal(false);
        await server.restart();
        expect(await generation.reached(position, FOR_EVER)).to.equal(true);
        await waitUntil('it is read again', async () => !isRefusal(await refusalOf(), 'UNAVAILABLE'));
        expect(await generation.views.get(notes, 'a')).to.include({ size: 2 });
      } finally {
        await generation.stop();
        await db.close();
        await server.dispose();
      }
    });
  });
});
