import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { ORIGIN, type Recorded } from '../../src/events/event.ts';
import { LARGEST_READ, NO_STREAM } from '../../src/events/log/log.ts';
import { type SqliteEventLog, sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { anEvent, events, everything, rejectionOf, takeUntil } from '../contracts/eventLog/given.ts';
import { eventLogContract } from '../contracts/eventLog.contract.ts';
import { transientLogContract } from '../contracts/transientLog.contract.ts';
import { scratchFolder } from '../support/processes.ts';

const folder = scratchFolder();
let files = 0;
const newFile = (): string => join(folder.path, `log-${files++}.db`);
after(folder.remove);

/** Counts the turns of the event loop until it is told to stop. */
const turnsOfOthers = () => {
  const over = new AbortController();
  const counting = (async () => {
    let count = 0;
    for (; !over.signal.aborted; count++) await turn();
    return count;
  })();
  return {
    stop: () => {
      over.abort();
      return counting;
    },
  };
};

eventLogContract('The embedded log in memory', () => sqliteEventLog(':memory:'));
eventLogContract('The embedded log in a file', () => sqliteEventLog(newFile()));
transientLogContract('The embedded log in memory', () => sqliteEventLog(':memory:'));
transientLogContract('The embedded log in a file', () => sqliteEventLog(newFile()));

describe('The embedded log whose newest events were dropped', () => {
  it('is where it was when it is opened again, and goes on from there', async () => {
    const path = newFile();
    const log = await sqliteEventLog(path);
    const { position } = await log.append('day', NO_STREAM, events(3));
    await log.drop('day');
    await log.close();
    const again = await sqliteEventLog(path);
    expect(await again.head()).to.equal(position);
    const next = await again.append('other', NO_STREAM, events(1));
    expect(Number(next.position)).to.equal(Number(position) + 1);
    await again.close();
  });

  it('has nothing left of them on the disk', async () => {
    const path = newFile();
    const log = await sqliteEventLog(path);
    await log.append('day', NO_STREAM, [anEvent({ ip: '203.0.113.77' })]);
    await log.append('other', NO_STREAM, events(1));
    await log.drop('day');
    await log.close();
    expect(readFileSync(path).includes('203.0.113.77')).to.equal(false);
  });
});

for (const [name, place] of [
  ['in memory', () => ':memory:'],
  ['in a file', newFile],
] as const)
  describe(`The embedded log ${name}`, () => {
    let log: SqliteEventLog;
    beforeEach(async () => {
      log = await sqliteEventLog(place());
    });
    afterEach(() => log.close());

    const appendMany = (streams: number, each: number): Promise<unknown> =>
      Promise.all(Array.from({ length: streams }, (_, index) => log.append(`s-${index}`, NO_STREAM, events(each))));

    it('counts positions from 1 without a gap, past appends that were refused', async () => {
      const id = anEvent();
      await Promise.allSettled([
        log.append('a', NO_STREAM, [id, anEvent()]),
        log.append('a', NO_STREAM, events(3)),
        log.append('b', 5, events(3)),
        log.append('c', NO_STREAM, [anEvent(), id]),
        log.append('d', NO_STREAM, events(1)),
      ]);
      await log.append('a', 1, events(2));
      const positions = (await everything(log)).map(({ position }) => position);
      expect(positions).to.deep.equal([1, 2, 3, 4, 5].map((number) => String(number).padStart(16, '0')));
    });

    it('commits what is appended at the same time in one transaction', async () => {
      await appendMany(100, 1);
      expect(log.stats()).to.include({ appends: 100, transactions: 1 });
    });

    it('commits what is appended during a transaction in the next one', async () => {
      const first = log.append('first', NO_STREAM, events(1));
      await turn();
      await turn();
      await Promise.all([first, appendMany(100, 1)]);
      expect(log.stats().appends).to.equal(101);
      expect(log.stats().transactions).to.be.at.most(2);
    });

    it('bounds what it takes into one transaction', async () => {
      await appendMany(30, 100);
      expect(log.stats()).to.include({ appends: 30, transactions: 2 });
      const large = 'x'.repeat(400_000);
      await Promise.all(Array.from({ length: 30 }, (_, index) => log.append(`large-${index}`, NO_STREAM, [anEvent(large)])));
      expect(log.stats()).to.include({ appends: 60, transactions: 5 });
    });

    it('makes no transaction of refused and repeated appends', async () => {
      const again = events(2);
      await log.append('a', NO_STREAM, again);
      await log.append('a', NO_STREAM, again);
      await rejectionOf(log.append('a', NO_STREAM, events(1)));
      expect(log.stats()).to.include({ appends: 1, transactions: 1 });
    });

    for (const [what, stream, expected] of [
      ['in the same stream', 'a', 2],
      ['in another stream', 'b', NO_STREAM],
    ] as const)
      it(`refuses an id that belongs to an event ${what} already, and writes nothing of its append`, async () => {
        const [first, second, third] = [anEvent(), anEvent(), anEvent()];
        await log.append('a', NO_STREAM, [first, second, third]);
        const [error] = await Promise.all([
          rejectionOf(log.append(stream, expected, [anEvent(), second, anEvent()])),
          log.append('c', NO_STREAM, events(2)),
        ]);
        expect(error.message).to.match(/^An id of an append to [ab] belongs to another event already/);
        expect((await everything(log)).map((event) => event.stream)).to.deep.equal(['a', 'a', 'a', 'c', 'c']);
      });

    it('refuses ids that it would not give back letter by letter', async () => {
      for (const id of ['', 'not-a-uuid', anEvent().id.toUpperCase(), `${anEvent().id}0`])
        expect((await rejectionOf(log.append('a', NO_STREAM, [{ ...anEvent(), id }]))).message).to.include('UUID');
    });

    it('refuses positions that are not its own', async () => {
      for (const after of ['1', 'x', '00000000000000010'])
        expect((await rejectionOf(log.readAll({ after, limit: 1 }))).message).to.include('No position of this log');
    });

    it('refuses to follow from past its end, where it would hide what comes', async () => {
      await appendMany(1, 3);
      const follower = takeUntil(log.follow('0000000000000004', { limit: 1 }), () => true);
      expect((await rejectionOf(follower)).message).to.include('another one');
    });

    it('feeds a follower at its head from memory, without reading', async () => {
      const seen = takeUntil(log.follow(ORIGIN, { limit: 10 }), (list) => list.length === 100);
      await turn();
      await appendMany(20, 5);
      expect(await seen).to.have.length(100);
      expect(log.stats()).to.include({ reads: 0, eventsRead: 0 });
    });

    it('hands out all that waits, up to the limit', async () => {
      const sizes: number[] = [];
      const following = (async () => {
        let seen = 0;
        for await (const batch of log.follow(ORIGIN, { limit: 1000 })) {
          sizes.push(batch.length);
          seen += batch.length;
          if (seen === 1 + 1500) return;
          if (seen === 1) await appendMany(15, 100);
        }
      })();
      await log.append('first', NO_STREAM, events(1));
      await following;
      expect(sizes).to.deep.equal([1, 1000, 500]);
    });

    it('lets a follower that stands still fall behind, then read what it missed, and feeds it again at the head', async () => {
      const { promise: stand, resolve: goOn } = Promise.withResolvers<void>();
      const seen: Recorded[] = [];
      const following = (async () => {
        for await (const batch of log.follow(ORIGIN, { limit: LARGEST_READ })) {
          seen.push(...batch);
          if (seen.length === 1) await stand;
          if (seen.length === 10_101) return;
        }
      })();
      await log.append('first', NO_STREAM, events(1));
      await appendMany(100, 100);
      goOn();
      while (seen.length < 10_001) await turn();
      const { reads, eventsRead } = log.stats();
      // The newest 4096 wait in memory; the 5904 before them are read, and the second page of them overlaps.
      expect(reads).to.equal(2);
      expect(eventsRead).to.be.within(5904, 2 * LARGEST_READ);
      await log.append('last', NO_STREAM, events(100));
      await following;
      expect(log.stats()).to.include({ reads, eventsRead });
      expect(seen).to.deep.equal(await everything(log));
    });

    it('keeps no more of large events in memory than of small ones', async () => {
      const data = 'x'.repeat(500_000);
      const { promise: stand, resolve: goOn } = Promise.withResolvers<void>();
      const following = (async () => {
        const sizes: number[] = [];
        for await (const batch of log.follow(ORIGIN, { limit: 1 })) {
          sizes.push(batch.length);
          if (sizes.length === 1) await stand;
          if (sizes.length === 41) return;
        }
      })();
      await log.append('first', NO_STREAM, events(1));
      await Promise.all(Array.from({ length: 40 }, (_, index) => log.append(`large-${index}`, NO_STREAM, [anEvent(data)])));
      goOn();
      await following;
      expect(log.stats().eventsRead, 'events that were no longer in memory').to.be.within(24, 26);
    });

    it('gives others their turn between two long pages', async () => {
      await appendMany(20, 200);
      const others = turnsOfOthers();
      for (let after = ORIGIN, pages = 0; pages < 10; pages++) {
        const page = await log.readAll({ after, limit: 400 });
        after = page.at(-1)?.position ?? ORIGIN;
      }
      expect(await others.stop()).to.be.at.least(9);
      expect(log.stats()).to.include({ reads: 10, eventsRead: 4000 });
    });
  });

describe('The embedded log in a file, opened again', () => {
  it('goes on where it was', async () => {
    const path = newFile();
    const log = await sqliteEventLog(path);
    await log.append('a', NO_STREAM, events(3));
    await log.append('b', NO_STREAM, events(2));
    const before = await everything(log);
    await log.close();

    const again = await sqliteEventLog(path);
    expect(await everything(again)).to.deep.equal(before);
    expect(await again.append('a', 2, events(1))).to.deep.equal({ revision: 3, position: '0000000000000006' });
    await again.close();
  });

  it('knows a repeated append of its last life', async () => {
    const path = newFile();
    const log = await sqliteEventLog(path);
    const again = events(3);
    const outcome = await log.append('a', NO_STREAM, again);
    await log.close();

    const reopened = await sqliteEventLog(path);
    expect(await reopened.append('a', NO_STREAM, again)).to.deep.equal(outcome);
    await reopened.close();
  });

  it('feeds followers across the seam of old file and new events', async () => {
    const path = newFile();
    const log = await sqliteEventLog(path);
    await log.append('a', NO_STREAM, events(5));
    await log.close();

    const again = await sqliteEventLog(path);
    const seen = takeUntil(again.follow('0000000000000002', { limit: 2 }), (list) => list.length === 5);
    await again.append('a', 4, events(2));
    expect((await seen).map(({ revision }) => revision)).to.deep.equal([2, 3, 4, 5, 6]);
    await again.close();
  });

  it('gives others their turn while a follower catches up, however small its batches are', async () => {
    const path = newFile();
    const log = await sqliteEventLog(path);
    await log.append('a', NO_STREAM, events(500));
    await log.close();

    const again = await sqliteEventLog(path);
    const others = turnsOfOthers();
    await takeUntil(again.follow(ORIGIN, { limit: 10 }), (list) => list.length === 500);
    expect(await others.stop()).to.be.at.least(49);
    expect(again.stats()).to.include({ reads: 50, eventsRead: 500 });
    await again.close();
  });

  it('hands out nothing more to a follower whose signal aborts while the file is read for it', async () => {
    const path = newFile();
    const log = await sqliteEventLog(path);
    await log.append('a', NO_STREAM, events(5));
    await log.close();

    const again = await sqliteEventLog(path);
    const stop = new AbortController();
    const batches = again.follow(ORIGIN, { limit: 2, signal: stop.signal })[Symbol.asyncIterator]();
    expect((await batches.next()).value).to.have.length(2);
    const next = batches.next();
    stop.abort();
    expect(await next).to.have.property('done', true);
    await again.close();
  });

  it('copies the write-ahead log into the file as it grows, and begins it anew', async () => {
    const path = newFile();
    const log = await sqliteEventLog(path);
    const data = 'x'.repeat(400_000);
    for (let index = 0; index < 20; index++) await log.append(`s-${index}`, NO_STREAM, [anEvent(data), anEvent(data)]);
    expect(statSync(path).size, 'the file').to.be.greaterThan(8_000_000);
    expect(statSync(`${path}-wal`).size, 'the write-ahead log').to.be.lessThan(8_000_000);
    await log.close();
  });

  it('is one file when it is closed: the write-ahead log went into it', async () => {
    const path = newFile();
    const log = await sqliteEventLog(path);
    await log.append('a', NO_STREAM, events(1));
    expect(existsSync(`${path}-wal`)).to.equal(true);
    await log.close();
    expect(existsSync(path)).to.equal(true);
    expect(existsSync(`${path}-wal`)).to.equal(false);
  });
});
