import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import fc from 'fast-check';
import { isRefusal } from '../../src/errors.ts';
import { catalogue } from '../../src/events/catalogue.ts';
import type { Recorded } from '../../src/events/event.ts';
import type { EventLog } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import type { Generation } from '../../src/projections/generation.ts';
import { groups } from '../../src/projections/groups.ts';
import type { Group } from '../../src/projections/projection.ts';
import { startProjector } from '../../src/projections/runner.ts';
import { hashOf } from '../../src/projections/views/keyIndex.ts';
import { sqliteViews } from '../../src/projections/views/sqlite.ts';
import { buildFile, type Sizes } from '../../src/projections/views/sqliteBuild.ts';
import { startFile } from '../../src/projections/views/sqliteFill.ts';
import { type GenerationOptions, sqliteGeneration } from '../../src/projections/views/sqliteGeneration.ts';
import { type Builder, rebuildInThread } from '../../src/projections/views/sqliteRebuild.ts';
import { positionOf, recordedFrom, seen } from '../support/projecting.ts';
import { registryHistory } from '../support/registryHistory.ts';
import { appending, asViews, erased, marks, notes, toyHistory, toys, written } from '../support/toys.ts';
import { contentOf } from '../support/viewsFile.ts';

const FOR_EVER = Number.POSITIVE_INFINITY;
const unexpected = (error: unknown): never => {
  throw error;
};
const WORKER = new URL('../support/toyRebuild.worker.ts', import.meta.url);

let folder: string;

/** Each test of the suite that calls it has a folder of its own. */
const inAFolder = (): void => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rebuild-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
};

/** The log of a history, and nothing more: what is read from it is all there is. */
const logOf = (
  events: readonly Recorded[],
): Pick<EventLog, 'follow' | 'head'> & { read: (after: string, limit: number) => Promise<readonly Recorded[]> } => {
  const read = async (after: string, limit: number) => events.filter(({ position }) => position > after).slice(0, limit);
  return {
    read,
    head: async () => events.at(-1)?.position ?? '',
    follow: async function* (after, { limit }) {
      for (let batch = await read(after, limit); batch.length > 0; batch = await read(batch.at(-1)?.position ?? '', limit))
        yield batch;
    },
  };
};

type Feeding = Readonly<{ group: Group; events: readonly Recorded[]; limit: number; follow?: EventLog['follow'] }>;

/** What the projector makes of a history, event by event as it would live. */
const projected = async (file: string, { group, events, limit, follow }: Feeding): Promise<unknown> => {
  const views = sqliteViews(file, group);
  const log = logOf(events);
  const projector = startProjector({
    log: { ...log, follow: follow ?? log.follow },
    views,
    group,
    prepare: seen,
    onError: unexpected,
    limit,
  });
  await projector.reached(await log.head(), FOR_EVER);
  await projector.stop();
  await views.close();
  return contentOf(file);
};

const built = async (file: string, group: Group, events: readonly Recorded[], sizes: Partial<Sizes>): Promise<unknown> => {
  await buildFile({ file, group, read: logOf(events).read, prepare: seen, sizes });
  return contentOf(file);
};

const SIZES = fc.record({
  batch: fc.integer({ min: 1, max: 9 }),
  documents: fc.integer({ min: 3, max: 20 }),
  kept: fc.integer({ min: 0, max: 12 }),
});

let files = 0;
const newFile = (): string => {
  files += 1;
  return join(folder, `views-${files}.db`);
};

describe('a build from the log', () => {
  inAFolder();

  it('comes to the same bytes as the projector, for any history and however much it holds at a time', async () => {
    await fc.assert(
      fc.asyncProperty(toyHistory(50), SIZES, fc.integer({ min: 1, max: 9 }), async (history, sizes, limit) => {
        const events = recordedFrom(history.map(({ stream, event }) => ({ ...event, stream })));
        expect(await built(newFile(), toys, events, sizes)).to.deep.equal(
          await projected(newFile(), { group: toys, events, limit }),
        );
      }),
      { numRuns: 15 },
    );
  });

  for (const group of Object.values(groups)) {
    it(`does so for all ${group.name} views of a registry, whose every event is of this release`, async () => {
      await fc.assert(
        fc.asyncProperty(registryHistory(60), SIZES, fc.integer({ min: 1, max: 9 }), async (history, sizes, limit) => {
          for (const { event } of history) catalogue.check(event);
          const events = recordedFrom(history.map(({ stream, event }) => ({ ...event, stream })));
          const live = (await projected(newFile(), { group, events, limit })) as Readonly<Record<string, unknown>>;
          expect(await built(newFile(), group, events, sizes)).to.deep.equal(live);
          expect(live.faults).to.deep.equal([]);
        }),
        { numRuns: 12 },
      );
    });

    it(`finds nothing to change in the ${group.name} views when every event comes twice`, async () => {
      await fc.assert(
        fc.asyncProperty(registryHistory(40), fc.integer({ min: 1, max: 9 }), async (history, limit) => {
          const events = recordedFrom(history.map(({ stream, event }) => ({ ...event, stream })));
          const twice: EventLog['follow'] = async function* () {
            for (let at = 0; at < events.length; at += limit) {
              const batch = events.slice(at, at + limit);
              yield batch;
              yield batch.flatMap((event) => [event, event]);
            }
          };
          expect(await projected(newFile(), { group, events, limit, follow: twice })).to.deep.equal(
            await projected(newFile(), { group, events, limit }),
          );
        }),
        { numRuns: 20 },
      );
    });
  }

  it('keeps documents apart whose keys have the same hash', async () => {
    const seenHashes = new Map<number, string>();
    const twins = (): readonly [string, string] => {
      for (let n = 0; ; n++) {
        const [key, hash] = [`note ${n}`, hashOf(`note ${n}`)];
        const twin = seenHashes.get(hash);
        if (twin !== undefined) return [twin, key];
        seenHashes.set(hash, key);
      }
    };
    const [one, other] = twins();
    const events = recordedFrom([
      written(one, { size: 1 }),
      written(other, { size: 2 }),
      written(one, { size: 3 }),
      erased(other),
      written('third'),
    ]);
    for (const documents of [1, 100]) {
      const sizes = { batch: 1, documents, kept: 0 };
      expect(await built(newFile(), toys, events, sizes)).to.deep.equal(
        await projected(newFile(), { group: toys, events, limit: 1 }),
      );
    }
  });

  it('keeps a fault where the projector would', async () => {
    const broken = {
      ...notes,
      on: {
        ...notes.on,
        NoteErased: () => {
          throw new Error('cannot');
        },
      },
    };
    const group: Group = { ...toys, views: asViews(broken, marks) };
    const events = recordedFrom([written('a', { marks: ['red'] }), written('b'), erased('a'), written('c', { marks: ['red'] })]);
    const live = (await projected(newFile(), { group, events, limit: 2 })) as Readonly<Record<string, unknown>>;
    expect(live.faults).to.deep.equal([['notes', positionOf(3), 'NoteErased', 'cannot']]);
    expect(await built(newFile(), group, events, {})).to.deep.equal(live);
  });

  it('is of no use to anybody when it fails', async () => {
    const file = newFile();
    const read = async (after: string): Promise<readonly Recorded[]> => {
      if (after === '') return recordedFrom([written('a')]);
      throw new Error('the log is gone');
    };
    const error = await buildFile({ file, group: toys, read, prepare: seen }).catch((thrown: unknown) => thrown);
    expect(String(error)).to.contain('the log is gone');
    expect(() => sqliteViews(file, toys)).to.throw('unfinished');
  });
});

describe('the views of a group', () => {
  inAFolder();

  let log: EventLog;
  let logFile: string;
  let generations: Generation[];
  let append: ReturnType<typeof appending>;
  let told: { errors: string[]; events: number[] };

  beforeEach(async () => {
    logFile = join(folder, 'facts.db');
    log = await sqliteEventLog(logFile);
    append = appending(log);
    generations = [];
    told = { errors: [], events: [] };
  });

  afterEach(async () => {
    for (const generation of generations) await generation.stop();
    await log.close();
  });

  const viewsFolder = (): string => join(folder, 'views');
  const inThread = (): Builder => rebuildInThread(WORKER, { log: logFile });
  const filesThere = (): readonly string[] =>
    readdirSync(viewsFolder())
      .filter((name) => !/-(wal|shm)$/.test(name))
      .toSorted();

  const open = (options: Partial<GenerationOptions> = {}): Generation => {
    const generation = sqliteGeneration({
      folder: viewsFolder(),
      group: toys,
      log,
      prepare: seen,
      build: inThread(),
      onError: (error) => told.errors.push(String(error)),
      onProgress: ({ events }) => told.events.push(events),
      projector: { backOffMs: () => 0 },
      ...options,
    });
    generations.push(generation);
    return generation;
  };

  const tell = (count: number, prefix = 'note'): Promise<string> =>
    append(
      Array.from({ length: count }, (_, n) => ({
        stream: `notes-${Math.floor(n / 100) % 7}`,
        event:
          n % 5 === 4 ? erased(`${prefix} ${n - 1}`) : written(`${prefix} ${n}`, { size: n, marks: ['red', `mark ${n % 3}`] }),
      })),
    );

  /** What a projector alone would have made of the whole log by now. */
  const wanted = async (): Promise<unknown> => {
    const events: Recorded[] = [];
    for (
      let page = await log.readAll({ limit: 1000 });
      page.length > 0;
      page = await log.readAll({ limit: 1000, after: events.at(-1)?.position ?? '' })
    )
      events.push(...page);
    return projected(newFile(), { group: toys, events, limit: 1000 });
  };

  const stoppedContent = async (generation: Generation, file: string): Promise<unknown> => {
    await generation.stop();
    return contentOf(join(viewsFolder(), file));
  };

  const refused = async (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  it('begin with the log, without a build', async () => {
    const generation = open();
    await generation.ready;
    const position = await tell(10);
    expect(await generation.reached(position, FOR_EVER)).to.equal(true);
    expect(await generation.views.get(notes, 'note 5')).to.include({ size: 5 });
    expect(told).to.deep.equal({ errors: [], events: [] });
    expect(await stoppedContent(generation, 'toys-1.db')).to.deep.equal(await wanted());
  });

  it('are built from a log that was there before, on another thread, and nobody reads them before', async () => {
    await tell(300);
    const generation = open();
    expect(isRefusal(await refused(generation.views.get(notes, 'note 1')), 'UNAVAILABLE')).to.equal(true);
    expect(isRefusal(await refused(generation.views.checkpoint()), 'UNAVAILABLE')).to.equal(true);
    expect(generation.status()).to.include({ state: 'building', position: '' });
    const waiting = generation.reached(await log.head(), FOR_EVER);
    await generation.ready;
    expect(await waiting).to.equal(true);
    expect(told.errors).to.deep.equal([]);
    expect(told.events.at(-1)).to.equal(300);
    expect(generation.status())
      .to.include({ state: 'live', position: await log.head() })
      .and.not.to.have.property('building');
    expect(await stoppedContent(generation, 'toys-1.db')).to.deep.equal(await wanted());
  });

  it('go on in the file that is there', async () => {
    const first = open();
    await first.reached(await tell(20), FOR_EVER);
    await first.stop();
    const position = await tell(20, 'later');
    const second = open();
    await second.ready;
    expect(await second.views.checkpoint(), 'nobody reads what is behind').to.equal(position);
    expect(filesThere()).to.deep.equal(['toys-1.db']);
    expect(told.events).to.deep.equal([]);
    expect(await stoppedContent(second, 'toys-1.db')).to.deep.equal(await wanted());
  });

  it('are built anew beside the live ones, which are read and fed meanwhile', async () => {
    const generation = open();
    await generation.ready;
    await generation.reached(await tell(200), FOR_EVER);
    let rebuilt = false;
    const rebuilding = generation.rebuild().then(() => {
      rebuilt = true;
    });
    let rounds = 0;
    for (; !rebuilt; rounds++) {
      const position = await tell(3, `round ${rounds}`);
      expect(await generation.reached(position, FOR_EVER)).to.equal(true);
      expect((await generation.views.checkpoint()) >= position, 'what was waited for is there').to.equal(true);
      expect(await generation.views.get(notes, `round ${rounds} 2`)).to.include({ size: 2 });
    }
    await rebuilding;
    expect(rounds).to.be.greaterThan(0);
    expect(filesThere()).to.deep.equal(['toys-2.db']);
    await generation.reached(await tell(5, 'after'), FOR_EVER);
    expect(told.errors).to.deep.equal([]);
    expect(await stoppedContent(generation, 'toys-2.db')).to.deep.equal(await wanted());
  });

  it('are rebuilt once, however often that is asked for at a time', async () => {
    const generation = open();
    await generation.reached(await tell(20), FOR_EVER);
    await Promise.all([generation.rebuild(), generation.rebuild()]);
    expect(filesThere()).to.deep.equal(['toys-2.db']);
    await generation.rebuild();
    expect(filesThere()).to.deep.equal(['toys-3.db']);
  });

  it('stay as they are when a rebuild fails', async () => {
    let fail: boolean = false as boolean;
    const failing: Builder = async (request, watch) => {
      if (!fail) return inThread()(request, watch);
      writeFileSync(request.file, 'half');
      throw new Error('no room');
    };
    const generation = open({ build: failing });
    await generation.reached(await tell(20), FOR_EVER);
    fail = true;
    expect(String(await refused(generation.rebuild()))).to.contain('no room');
    expect(filesThere()).to.deep.equal(['toys-1.db']);
    expect(await generation.views.get(notes, 'note 1')).to.include({ size: 1 });
    fail = false;
    await generation.rebuild();
    expect(await generation.views.get(notes, 'note 1')).to.include({ size: 1 });
  });

  it('are tried again at the first start until they are there', async () => {
    await tell(20);
    let failures = 2;
    const failing: Builder = async (request, watch) => {
      failures -= 1;
      if (failures >= 0) throw new Error('no room');
      await inThread()(request, watch);
    };
    const generation = open({ build: failing });
    await generation.ready;
    expect(told.errors).to.deep.equal(['Error: no room', 'Error: no room']);
    expect(await stoppedContent(generation, 'toys-1.db')).to.deep.equal(await wanted());
  });

  it('of another version are built anew, and the old ones go only then', async () => {
    const first = open();
    await first.reached(await tell(20), FOR_EVER);
    await first.stop();
    const group: Group = { ...toys, views: asViews({ ...notes, version: 2 }, ...toys.views.slice(1)) };
    let before: readonly string[] = [];
    const build: Builder = async ({ file }) => {
      before = filesThere();
      await buildFile({ file, group, read: (after, limit) => log.readAll({ after, limit }), prepare: seen });
    };
    const second = open({ group, build });
    await second.ready;
    expect(before).to.deep.equal(['toys-1.db']);
    expect(filesThere()).to.deep.equal(['toys-2.db']);
    expect(told.errors, 'nothing went wrong').to.deep.equal([]);
    expect(await second.views.get(notes, 'note 1')).to.include({ size: 1 });
  });

  it('are built anew when their file is damaged, which is kept aside', async () => {
    const first = open();
    await first.reached(await tell(20), FOR_EVER);
    await first.stop();
    writeFileSync(join(viewsFolder(), 'toys-1.db'), 'Once upon a time');
    const second = open();
    await second.ready;
    expect(told.errors.join()).to.contain('damaged');
    expect(filesThere()).to.deep.equal(['toys-1.db.damaged', 'toys-2.db']);
    expect(await stoppedContent(second, 'toys-2.db')).to.deep.equal(await wanted());
  });

  it('are built anew when damage shows while they are read', async () => {
    const first = open();
    await first.reached(await tell(2000), FOR_EVER);
    await first.stop();
    const file = join(viewsFolder(), 'toys-1.db');
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0xaa, bytes.length - 40 * 4096));
    const second = open({ views: { cacheBytes: 0 } });
    await second.ready;
    const all = Array.from({ length: 2000 }, (_, n) => `note ${n}`);
    expect(isRefusal(await refused(second.views.getMany(notes, all)), 'UNAVAILABLE')).to.equal(true);
    while (filesThere().join() !== 'toys-1.db.damaged,toys-2.db') await turn();
    expect(await second.views.getMany(notes, all)).to.have.lengthOf(2000);
    expect(await stoppedContent(second, 'toys-2.db')).to.deep.equal(await wanted());
  });

  it('of another log are set aside', async () => {
    const other = await sqliteEventLog(':memory:');
    const longer = appending(other);
    const first = open({ log: other });
    await first.reached(await longer([1, 2, 3, 4].map((n) => ({ stream: 'notes', event: written(`foreign ${n}`) }))), FOR_EVER);
    await first.stop();
    await other.close();
    await tell(2);
    const second = open();
    await second.ready;
    expect(told.errors.join()).to.contain('foreign');
    expect(await second.views.get(notes, 'foreign 1')).to.equal(undefined);
    expect(await stoppedContent(second, 'toys-2.db')).to.deep.equal(await wanted());
  });

  it('are not built past an event that a newer release wrote, and say so', async () => {
    await append([
      { stream: 'notes', event: written('a') },
      { stream: 'notes', event: written('b', { folder: 'future' }) },
    ]);
    const generation = open();
    expect(String(await refused(generation.ready))).to.match(/newer release/);
    expect(generation.status()).to.include({ state: 'stopped' });
    expect(generation.status().error).to.match(/NoteWritten version 1 .* newer release/);
    expect(told.errors).to.have.lengthOf(1);
    expect(isRefusal(await refused(generation.views.get(notes, 'a')), 'UNAVAILABLE')).to.equal(true);
    expect(filesThere()).to.deep.equal([]);
  });

  it('can be stopped while they are built', async () => {
    await tell(300);
    let begun = (): void => undefined;
    const building = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const build: Builder = async (request, watch) => {
      begun();
      await inThread()(request, watch);
    };
    const generation = open({ build });
    await building;
    await generation.stop();
    expect(String(await refused(generation.ready))).to.match(/stopped|closed/);
    expect(told.errors, 'nothing went wrong').to.deep.equal([]);
    expect(filesThere()).to.deep.equal([]);
  });

  it('live in memory too, where they can be rebuilt as well', async () => {
    await tell(30);
    const generation = open({ folder: ':memory:' });
    await generation.ready;
    expect(await generation.views.get(notes, 'note 1')).to.include({ size: 1 });
    await generation.rebuild();
    await generation.reached(await tell(5, 'after'), FOR_EVER);
    expect(await generation.views.get(notes, 'after 1')).to.include({ size: 1 });
    expect(existsSync(':memory:')).to.equal(false);
  });

  describe('after a crash', () => {
    /** Kills a process that builds the views when it says that it has come so far. */
    const killedAfter = async (line: RegExp): Promise<void> => {
      const script = fileURLToPath(new URL('../support/toyGeneration.ts', import.meta.url));
      const child: ChildProcess = spawn(process.execPath, [script, logFile, viewsFolder()], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      for await (const chunk of child.stdout ?? []) {
        if (line.test(String(chunk))) break;
      }
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      expect(child.signalCode).to.equal('SIGKILL');
    };

    it('in the middle of a build, begin anew', async () => {
      await tell(1000);
      await append([{ stream: 'notes-0', event: written('stuck') }]);
      await log.close();
      await killedAfter(/building [5-9]\d\d/);
      const half = new DatabaseSync(join(viewsFolder(), 'toys-1.db'), { readOnly: true });
      expect(half.prepare(`select value from meta where name = 'state'`).get()).to.deep.include({ value: 'building' });
      expect(half.prepare('select count(*) as there from view_notes').get()?.there).to.be.greaterThan(0);
      half.close();

      log = await sqliteEventLog(logFile);
      const build: Builder = ({ file }) =>
        buildFile({ file, group: toys, read: (after, limit) => log.readAll({ after, limit }), prepare: seen });
      const generation = open({ build });
      await generation.ready;
      expect(told.errors).to.deep.equal([]);
      expect(filesThere()).to.deep.equal(['toys-1.db']);
      expect(await stoppedContent(generation, 'toys-1.db')).to.deep.equal(await wanted());
    });

    it('between a swap and the end of the old file, keep the new one', async () => {
      const first = open();
      await first.reached(await tell(20), FOR_EVER);
      await first.stop();
      await buildFile({
        file: join(viewsFolder(), 'toys-2.db'),
        group: toys,
        read: (after, limit) => log.readAll({ after, limit }),
        prepare: seen,
      });
      startFile(join(viewsFolder(), 'toys-3.db'), toys).close();
      const second = open();
      await second.ready;
      expect(filesThere()).to.deep.equal(['toys-2.db']);
      expect(await stoppedContent(second, 'toys-2.db')).to.deep.equal(await wanted());
    });
  });
});
