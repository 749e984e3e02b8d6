import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { UnknownEvent } from '../../src/events/catalogue.ts';
import { type NewEvent, ORIGIN, type Recorded } from '../../src/events/event.ts';
import type { EventLog } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { arrivals } from '../../src/projections/arrivals.ts';
import type { Group } from '../../src/projections/projection.ts';
import { backOff, type Projector, type ProjectorOptions, startProjector } from '../../src/projections/runner.ts';
import { sqliteViews } from '../../src/projections/views/sqlite.ts';
import type { Commit, PlacedTotals, Views } from '../../src/projections/views/views.ts';
import { positionOf, seen } from '../support/projecting.ts';
import { appending, asViews, erased, folders, marks, notes, toyHistory, toys, written } from '../support/toys.ts';

const FOR_EVER = Number.POSITIVE_INFINITY;
const unexpected = (error: unknown): never => {
  throw error;
};

describe('the projector', () => {
  let log: EventLog;
  let views: Views;
  let projectors: Projector[];
  let append: (events: readonly NewEvent[]) => Promise<string>;

  beforeEach(async () => {
    log = await sqliteEventLog(':memory:');
    views = sqliteViews(':memory:', toys);
    projectors = [];
    const all = appending(log);
    append = (events) => all(events.map((event) => ({ stream: 'notes', event })));
  });

  afterEach(async () => {
    for (const projector of projectors) await projector.stop();
    await views.close();
    await log.close();
  });

  const start = (options: Partial<ProjectorOptions> = {}): Projector => {
    const projector = startProjector({
      log,
      views,
      group: toys,
      prepare: seen,
      onError: unexpected,
      backOffMs: () => 0,
      ...options,
    });
    projectors.push(projector);
    return projector;
  };

  /** These views, whose commit does something else at first. */
  const committing = (commit: (step: Commit) => Promise<void>): Views => ({ ...views, commit });

  describe('following', () => {
    it('brings the views to the end of the log, and keeps them there', async () => {
      const first = await append([written('a', { size: 2 }), written('b', { size: 3 })]);
      const projector = start();
      expect(await projector.reached(first, FOR_EVER)).to.equal(true);
      expect(await views.get(notes, 'a')).to.include({ size: 2 });
      expect((await views.totals(notes)).sums).to.deep.equal({ bytes: 5, notes: 2 });

      const second = await append([erased('a')]);
      expect(await projector.reached(second, FOR_EVER)).to.equal(true);
      expect(await views.get(notes, 'a')).to.equal(undefined);
      expect((await views.totals(notes)).sums).to.deep.equal({ bytes: 3, notes: 1 });
    });

    it('goes on from the checkpoint of the views', async () => {
      await append([written('a', { marks: ['red'] })]);
      const first = start();
      await first.reached(await log.head(), FOR_EVER);
      await first.stop();
      await append([written('b', { marks: ['red'] })]);
      const batches: number[] = [];
      const second = start({
        prepare: (events) => {
          batches.push(events.length);
          return seen(events);
        },
      });
      await second.reached(await log.head(), FOR_EVER);
      expect(batches).to.deep.equal([1]);
      expect(await views.get(marks, 'red')).to.deep.equal({ last: 'b', notes: 2 });
    });

    it('writes down how far each stream is', async () => {
      const all = appending(log);
      await all([
        { stream: 'one', event: written('a') },
        { stream: 'two', event: written('b') },
        { stream: 'one', event: written('c') },
      ]);
      await start().reached(await log.head(), FOR_EVER);
      const [last] = await log.readStream('one', { direction: 'backwards', limit: 1 });
      expect(await views.cursor('one')).to.deep.equal({ revision: 1, at: last?.metadata.at, position: positionOf(3) });
      expect(await views.cursor('two')).to.include({ revision: 0, position: positionOf(2) });
      expect(await views.cursor('three')).to.equal(undefined);
    });

    it('fetches no batch before the one in hand is committed, and takes no more than its limit', async () => {
      await append(Array.from({ length: 25 }, (_, n) => written(`note ${n}`)));
      let inHand = 0;
      const sizes: number[] = [];
      const counted: Pick<EventLog, 'follow' | 'head'> = {
        head: log.head,
        follow: async function* (after, options) {
          for await (const batch of log.follow(after, options)) {
            inHand += 1;
            sizes.push(batch.length);
            expect(inHand, 'batches in hand').to.equal(1);
            yield batch;
          }
        },
      };
      const slow = committing(async (step) => {
        for (let n = 0; n < 5; n++) await turn();
        await views.commit(step);
        inHand -= 1;
      });
      const projector = start({ log: counted, views: slow, limit: 10 });
      await projector.reached(await log.head(), FOR_EVER);
      expect(sizes).to.deep.equal([10, 10, 5]);
    });

    it('says where it stands', async () => {
      let now = Date.UTC(2026, 5, 1);
      let release = (): void => undefined;
      const held = committing(async (step) => {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        await views.commit(step);
      });
      await append([written('a'), written('b'), written('c')]);
      const [, , third] = await log.readAll({ limit: 3 });
      const projector = start({ views: held, limit: 2, now: () => now });
      expect(projector.status()).to.deep.include({ position: ORIGIN, state: 'catchingUp', lagMs: 0, faults: {} });

      const waiting = projector.reached(positionOf(2), FOR_EVER);
      while (projector.status().lagMs === 0) await turn();
      release();
      await waiting;
      expect(projector.status()).to.include({ position: positionOf(2), state: 'catchingUp' });

      while (projector.status().lagMs === 0) await turn();
      now += 1000;
      expect(projector.status().lagMs).to.equal(now - Date.parse(third?.metadata.at ?? ''));
      release();
      await projector.reached(positionOf(3), FOR_EVER);
      expect(projector.status()).to.deep.equal({ position: positionOf(3), state: 'live', lagMs: 0, faults: {} });
    });

    it('ends with the batch in hand when it is stopped', async () => {
      await append([written('a'), written('b')]);
      let stopping: Promise<void> | undefined;
      const commits: string[] = [];
      const stopped = committing(async (step) => {
        stopping = projector.stop();
        await turn();
        await views.commit(step);
        commits.push(step.checkpoint);
      });
      const projector: Projector = start({ views: stopped, limit: 1 });
      expect(await projector.reached(positionOf(2), FOR_EVER)).to.equal(false);
      await stopping;
      expect(commits).to.deep.equal([positionOf(1)]);
      expect(projector.status().state).to.equal('stopped');
    });

    it('ends when the log is closed', async () => {
      const projector = start();
      await append([written('a')]);
      await projector.reached(await log.head(), FOR_EVER);
      await log.close();
      expect(await projector.reached(positionOf(9), FOR_EVER)).to.equal(false);
      expect(projector.status().state).to.equal('stopped');
    });
  });

  describe('failing', () => {
    it('tries again from the checkpoint, and counts nothing twice', async () => {
      await append([written('a', { size: 2, marks: ['red'] }), written('b', { size: 3, marks: ['red'] })]);
      const told: (number | undefined)[] = [];
      let failures = 3;
      // The last failure is one of those where nobody knows whether it was written: it was.
      const failing = committing(async (step) => {
        failures -= 1;
        if (failures === 0) await views.commit(step);
        if (failures >= 0) throw new Error(`no room (${failures})`);
        await views.commit(step);
      });
      const projector = start({
        views: failing,
        limit: 1,
        backOffMs: (attempt) => attempt,
        onError: (_error, retryInMs) => told.push(retryInMs),
      });
      expect(await projector.reached(await log.head(), FOR_EVER)).to.equal(true);
      expect(told).to.deep.equal([1, 2, 3]);
      expect((await views.totals(notes)).sums).to.deep.equal({ bytes: 5, notes: 2 });
      expect(await views.get(marks, 'red')).to.deep.equal({ last: 'b', notes: 2 });
    });

    it('says so while it waits, with the reason, until it works again', async () => {
      await append([written('a')]);
      let broken: boolean = true as boolean;
      const failing = committing(async (step) => {
        if (broken) throw new Error('no room');
        await views.commit(step);
      });
      const errors: unknown[] = [];
      const projector = start({ views: failing, onError: (error) => errors.push(error) });
      while (errors.length === 0) await turn();
      expect(projector.status()).to.deep.include({ state: 'retrying', error: 'no room', position: ORIGIN });
      broken = false;
      await projector.reached(await log.head(), FOR_EVER);
      expect(projector.status()).to.include({ state: 'live' }).and.not.to.have.property('error');
    });

    it('waits less long again once something worked', async () => {
      await append([written('a'), written('b'), written('c')]);
      const attempts: number[] = [];
      let turnOfFailure = true;
      const everySecond = committing(async (step) => {
        turnOfFailure = !turnOfFailure;
        if (!turnOfFailure) throw new Error('now and then');
        await views.commit(step);
      });
      const projector = start({
        views: everySecond,
        limit: 1,
        onError: () => undefined,
        backOffMs: (attempt) => {
          attempts.push(attempt);
          return 0;
        },
      });
      await projector.reached(await log.head(), FOR_EVER);
      expect(attempts).to.deep.equal([1, 1, 1]);
    });

    it('can be stopped while it waits', async () => {
      await append([written('a')]);
      const failing = committing(async () => {
        throw new Error('no room');
      });
      let failed = false;
      const projector = start({
        views: failing,
        backOffMs: () => 3_600_000,
        onError: () => {
          failed = true;
        },
      });
      while (!failed) await turn();
      await projector.stop();
      expect(projector.status().state).to.equal('stopped');
    });

    it('waits twice as long each time, up to ten seconds, and never exactly', () => {
      for (let attempt = 1; attempt < 30; attempt++) {
        const full = Math.min(10_000, 25 * 2 ** attempt);
        const waits = Array.from({ length: 50 }, () => backOff(attempt));
        expect(Math.max(...waits)).to.be.at.most(full);
        expect(Math.min(...waits)).to.be.at.least(full / 2);
        expect(new Set(waits).size).to.be.greaterThan(1);
      }
    });
  });

  describe('on a store without transactions', () => {
    let totals: Map<string, PlacedTotals>;
    let checkpoints: string[];
    /** How many documents of the next step are written before it fails, if it is to fail. */
    let writes: number | undefined;
    let stepwise: Views;

    beforeEach(() => {
      totals = new Map();
      checkpoints = [];
      writes = undefined;
      stepwise = {
        ...views,
        totals: async ({ view }) => totals.get(view) ?? { position: ORIGIN, sums: {} },
        commit: async (step) => {
          for (const [view, sums] of Object.entries(step.totals)) {
            if (step.checkpoint > (totals.get(view)?.position ?? ORIGIN)) totals.set(view, { position: step.checkpoint, sums });
          }
          const left = writes;
          writes = undefined;
          if (left === undefined) checkpoints.push(step.checkpoint);
          else await views.commit({ totals: {}, documents: firstOf(step.documents, left), cursors: {}, checkpoint: ORIGIN });
          if (left !== undefined) throw new Error('killed');
          await views.commit({ ...step, totals: {} });
        },
      };
    });

    const firstOf = (documents: Commit['documents'], count: number): Commit['documents'] => {
      let left = count;
      return documents.map(({ view, documents: all }) => {
        const some = all.slice(0, Math.max(0, left));
        left -= all.length;
        return { view, documents: some };
      });
    };

    /** A projector that dies in the middle of its first step, and gives nobody the chance to try again. */
    const dieAfter = async (documents: number): Promise<void> => {
      writes = documents;
      let died = false;
      const onError = (): void => {
        died = true;
      };
      const projector = start({ views: stepwise, backOffMs: () => 3_600_000, onError });
      while (!died) await turn();
      await projector.stop();
    };

    const history = [written('a', { size: 2, marks: ['red'] }), written('b', { size: 3, marks: ['red'] })];

    for (let documents = 0; documents <= 4; documents++) {
      it(`first finishes a step that ended after its totals and ${documents} of 4 documents, before it adds what came since`, async () => {
        await append(history);
        await dieAfter(documents);
        expect(totals.get('notes')).to.deep.equal({ position: positionOf(2), sums: { bytes: 5, notes: 2 } });
        await append([written('a', { size: 10, marks: ['red'] }), erased('b')]);
        await start({ views: stepwise }).reached(await log.head(), FOR_EVER);
        expect(checkpoints, 'the unfinished step by itself').to.deep.equal([positionOf(2), positionOf(4)]);
        expect(totals.get('notes')?.sums).to.deep.equal({ bytes: 10, notes: 1 });
        expect(await views.get(marks, 'red')).to.deep.equal({ last: 'a', notes: 3 });
        expect(await views.get(folders, 'inbox')).to.deep.equal({ written: 3 });
      });
    }

    it('finishes such a step also where it fetches fewer events at a time', async () => {
      await append(history);
      await dieAfter(1);
      await append([erased('b')]);
      await start({ views: stepwise, limit: 1 }).reached(await log.head(), FOR_EVER);
      expect(checkpoints).to.deep.equal([positionOf(1), positionOf(2), positionOf(3)]);
      expect(totals.get('notes')?.sums).to.deep.equal({ bytes: 2, notes: 1 });
      expect(await views.get(marks, 'red')).to.deep.equal({ last: 'b', notes: 2 });
    });
  });

  it('stops for good at an event that a newer release wrote, and says so', async () => {
    const good = await append([written('a')]);
    const projector = start({
      onError: (error, retryInMs) => told.push([error, retryInMs]),
      prepare: (events) => {
        const unknown = events.find(({ data }) => (data as { note: string }).note === 'future');
        if (unknown !== undefined) throw new UnknownEvent(unknown);
        return seen(events);
      },
    });
    const told: [unknown, number | undefined][] = [];
    await projector.reached(good, FOR_EVER);
    const future = await append([written('future')]);
    expect(await projector.reached(future, FOR_EVER)).to.equal(false);
    expect(await projector.reached(future, FOR_EVER)).to.equal(false);
    expect(projector.status()).to.deep.include({ state: 'stopped', position: good });
    expect(projector.status().error).to.match(/NoteWritten version 1 .* newer release/);
    expect(told).to.have.lengthOf(1);
    expect(told[0]?.[0]).to.be.instanceOf(UnknownEvent);
    expect(told[0]?.[1]).to.equal(undefined);
  });

  it('faults a view alone whose reducer throws, and remembers it', async () => {
    const broken = {
      ...folders,
      on: {
        NoteWritten: (_folder: never, { data }: Recorded<string, { folder: string }>) => {
          if (data.folder === 'cursed') throw new Error('cannot');
          return { written: 1 };
        },
      },
    };
    const group: Group = { ...toys, views: asViews(notes, broken, marks) };
    await append([written('a'), written('b', { folder: 'cursed' }), written('c')]);
    const projector = start({ group });
    await projector.reached(await log.head(), FOR_EVER);
    const faults = { folders: { position: positionOf(2), type: 'NoteWritten', message: 'cannot' } };
    expect(projector.status()).to.deep.include({ state: 'live', faults });
    expect(await views.faults()).to.deep.equal(faults);
    expect(await views.count(notes)).to.equal(3);

    await append([written('d')]);
    await projector.reached(await log.head(), FOR_EVER);
    await projector.stop();
    const again = start({ group });
    await again.reached(await append([written('e')]), FOR_EVER);
    expect(again.status().faults).to.deep.equal(faults);
    expect(await views.count(notes)).to.equal(5);
  });

  it('sweeps old tombstones now and then', async () => {
    let now = 0;
    await views.close();
    views = sqliteViews(':memory:', toys, { now: () => now });
    const sweeps: number[] = [];
    const counted: Views = {
      ...views,
      sweep: async (olderThanMs) => {
        const swept = await views.sweep(olderThanMs);
        sweeps.push(swept);
        return swept;
      },
    };
    const projector = start({ views: counted, now: () => now, sweepEveryMs: 100, tombstonesLiveMs: 1000 });
    const tell = async (event: NewEvent): Promise<void> => {
      await projector.reached(await append([event]), FOR_EVER);
      await turn();
    };
    await tell(written('a'));
    await tell(erased('a'));
    expect(sweeps).to.deep.equal([]);
    now = 150;
    await tell(written('b'));
    now = 200;
    await tell(written('b'));
    expect(sweeps).to.deep.equal([0]);
    now = 1001;
    await tell(written('b'));
    while (sweeps.length < 2) await turn();
    expect(sweeps).to.deep.equal([0, 1]);
    expect(await views.getPlaced(notes, ['a'])).to.deep.equal([{ key: 'a', position: ORIGIN, value: undefined }]);
  });

  it('comes to the same views for any history, however it is cut into batches and wherever it fails', async () => {
    const plan = fc.record({
      history: toyHistory(30),
      limit: fc.integer({ min: 1, max: 8 }),
      failures: fc.array(fc.boolean(), { maxLength: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ history, limit, failures }) => {
        const [log, plain, troubled] = [
          await sqliteEventLog(':memory:'),
          sqliteViews(':memory:', toys),
          sqliteViews(':memory:', toys),
        ];
        const trouble = failures.values();
        const failing: Views = {
          ...troubled,
          commit: async (step) => {
            if (trouble.next().value === true) throw new Error('before');
            await troubled.commit(step);
            if (trouble.next().value === true) throw new Error('after');
          },
        };
        const all = [
          startProjector({
            log,
            views: failing,
            group: toys,
            prepare: seen,
            onError: () => undefined,
            backOffMs: () => 0,
            limit,
          }),
          startProjector({ log, views: plain, group: toys, prepare: seen, onError: unexpected }),
        ];
        await appending(log)(history);
        for (const projector of all) expect(await projector.reached(await log.head(), FOR_EVER)).to.equal(true);
        for (const { view } of toys.views) {
          const of = toys.views.find((one) => one.view === view) as (typeof toys.views)[number];
          expect(await troubled.find(of, { limit: 100 })).to.deep.equal(await plain.find(of, { limit: 100 }));
          expect((await troubled.totals(of)).sums).to.deep.equal((await plain.totals(of)).sums);
        }
        for (const projector of all) await projector.stop();
        await log.close();
      }),
      { numRuns: 40 },
    );
  });
});

describe('waiting for a position', () => {
  it('is over at once for what was reached, and never begins without time', async () => {
    const progress = arrivals();
    progress.advance('05');
    expect(await progress.reached('05', 0)).to.equal(true);
    expect(await progress.reached('06', 0)).to.equal(false);
    expect(progress.waiting()).to.equal(0);
  });

  it('ends in the order of the positions, as they are reached', async () => {
    const progress = arrivals();
    const order: string[] = [];
    const wait = async (position: string): Promise<void> => {
      if (await progress.reached(position, FOR_EVER)) order.push(position);
    };
    const all = Promise.all(['07', '03', '09', '05', '03', '01'].map(wait));
    expect(progress.waiting()).to.equal(6);
    progress.advance('04');
    expect(progress.waiting()).to.equal(3);
    await turn();
    expect(order).to.deep.equal(['01', '03', '03']);
    progress.advance('02');
    progress.advance('09');
    await all;
    expect(order).to.deep.equal(['01', '03', '03', '05', '07', '09']);
    expect(progress.waiting()).to.equal(0);
  });

  it('is given up after its time, and leaves nothing behind', async () => {
    const progress = arrivals();
    const patient = progress.reached('01', FOR_EVER);
    expect(await progress.reached('02', 1)).to.equal(false);
    expect(progress.waiting()).to.equal(1);
    progress.advance('02');
    expect(await patient).to.equal(true);
    expect(progress.waiting()).to.equal(0);
  });

  it('ends for everybody when nothing more will come', async () => {
    const progress = arrivals();
    progress.advance('01');
    const waiting = progress.reached('02', FOR_EVER);
    progress.end();
    expect(await waiting).to.equal(false);
    expect(await progress.reached('03', FOR_EVER)).to.equal(false);
    expect(await progress.reached('01', FOR_EVER)).to.equal(true);
  });
});
