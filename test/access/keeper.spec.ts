import { expect } from 'chai';
import { sealOf } from '../../src/access/dayRecords.ts';
import { accessEvent, dayStreams } from '../../src/access/dayStreams.ts';
import { dayAfter } from '../../src/access/days.ts';
import { accessKeeper, type Keeper } from '../../src/access/keeper.ts';
import { merkleTree } from '../../src/access/merkle.ts';
import type { AccessEntry, AccessEvents } from '../../src/events/access.ts';
import { leafOf } from '../../src/events/canonical.ts';
import { eventstoreEventLog } from '../../src/events/log/eventstore.ts';
import type { TransientLog } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { type AccessStreams, accessStreamsUnder } from '../../src/events/streams.ts';
import type { AccessSeal } from '../../src/projections/accessSeals.ts';
import { eventStoreUrl, freshPrefix } from '../support/eventstore/given.ts';
import { entriesIn, OTHER_DIGEST, pull } from './entries.ts';

const NOTHING = merkleTree().root();

type Summed = AccessEvents['AccessDaySummed'];

const onLog = (open: (prefix: string) => Promise<TransientLog>): void => {
  let streams: AccessStreams;
  let log: TransientLog;
  let clock: Date;
  let seals: AccessSeal[];
  beforeEach(async () => {
    streams = accessStreamsUnder(freshPrefix());
    log = await open(streams.prefix);
    clock = new Date('2026-03-01T12:00:00.000Z');
    seals = [];
  });
  afterEach(() => log.close());

  const now = (): Date => clock;
  const daysOf = () => dayStreams({ log, streams, now });
  const batch = (...entries: readonly AccessEntry[]) => accessEvent('AccessRecorded', { entries }, now());
  const record = (day: string, ...entries: readonly AccessEntry[]) =>
    daysOf().append(day, [batch(...(entries.length === 0 ? [pull({ at: `${day}T12:00:00.000Z` })] : entries))]);
  const recordsOf = async (day: string) => log.readStream(streams.ofDay(day), { limit: 4096 });

  /** A node of the registry, as far as its days go. */
  const keeperOf = (changed: Partial<Parameters<typeof accessKeeper>[0]> = {}): Keeper =>
    accessKeeper({
      log,
      streams,
      closeDay: daysOf().close,
      firstRecorded: async () => '2026-03-01',
      firstSealed: async () => seals[0]?.day,
      lastSealed: async () => seals.at(-1)?.day,
      isSealed: async (day) => seals.some((seal) => seal.day === day),
      seal: async (seal) => {
        if (!seals.some(({ day }) => day === seal.day)) seals.push(seal);
      },
      retentionDays: 90,
      now,
      ...changed,
    });

  const at = (text: string): void => {
    clock = new Date(text);
  };

  describe('are sealed', () => {
    it('ten minutes after their end, with what was recorded on them', async () => {
      await record('2026-03-01', pull(), pull());
      await record('2026-03-01', pull());
      const events = await recordsOf('2026-03-01');
      at('2026-03-02T00:09:59.999Z');
      expect(await keeperOf().sealDays()).to.deep.equal([]);
      at('2026-03-02T00:10:00.000Z');
      expect(await keeperOf().sealDays()).to.deep.equal(['2026-03-01']);
      const tree = merkleTree();
      for (const event of events) tree.add(leafOf(event));
      expect(seals).to.deep.equal([{ day: '2026-03-01', events: 2, entries: 3, dropped: 0, root: tree.root() }]);
    });

    it('each one after a time without any node, also those on which nothing happened', async () => {
      await record('2026-03-01');
      await record('2026-03-04');
      at('2026-03-05T08:00:00.000Z');
      await keeperOf().sealDays();
      expect(seals.map(({ day, entries, root }) => [day, entries, root === NOTHING])).to.deep.equal([
        ['2026-03-01', 1, false],
        ['2026-03-02', 0, true],
        ['2026-03-03', 0, true],
        ['2026-03-04', 1, false],
      ]);
    });

    it('on from the last one that is, and once', async () => {
      await record('2026-03-01');
      at('2026-03-02T08:00:00.000Z');
      await keeperOf().sealDays();
      expect(await keeperOf().sealDays()).to.deep.equal([]);
      at('2026-03-03T08:00:00.000Z');
      expect(await keeperOf().sealDays()).to.deep.equal(['2026-03-02']);
    });

    it('alike by two nodes at a time', async () => {
      await record('2026-03-01');
      at('2026-03-03T08:00:00.000Z');
      const found: AccessSeal[] = [];
      const seal = async (one: AccessSeal): Promise<void> => {
        found.push(one);
        if (!seals.some(({ day }) => day === one.day)) seals.push(one);
      };
      await Promise.all([keeperOf({ seal }).sealDays(), keeperOf({ seal }).sealDays()]);
      for (const one of found) expect(one).to.deep.equal(seals.find(({ day }) => day === one.day));
      expect(seals.map(({ day }) => day)).to.deep.equal(['2026-03-01', '2026-03-02']);
    });

    it('for good: what is late stands in the first later day that is open', async () => {
      const slow = daysOf();
      await slow.append('2026-03-01', [batch(pull())]);
      at('2026-03-03T08:00:00.000Z');
      await keeperOf().sealDays();
      await slow.append('2026-03-01', [batch(pull({ requestId: 'late' }))]);
      expect(await sealOf({ log, streams }, '2026-03-01')).to.deep.equal(seals[0]);
      expect(entriesIn(await recordsOf('2026-03-03')).map(({ requestId }) => requestId)).to.deep.equal(['late']);
    });
  });

  it('are written by several nodes at a time, and nothing is lost or there twice', async () => {
    const ids = Array.from({ length: 5 }, (_, node) => Array.from({ length: 20 }, (_one, n) => `request-${node}-${n}`));
    // Each as a recorder does: one append after the other.
    const write = async (mine: readonly string[]): Promise<void> => {
      const days = daysOf();
      for (const requestId of mine) await days.append('2026-03-01', [batch(pull({ requestId }))]);
    };
    await Promise.all(ids.map(write));
    const recorded = entriesIn(await recordsOf('2026-03-01')).map(({ requestId }) => requestId);
    expect(recorded).to.have.members(ids.flat());
  });

  describe('are dropped', () => {
    const sums = async (): Promise<readonly Summed[]> =>
      (await log.readStream(streams.sums, { limit: 4096 })).map(({ data }) => data as Summed);

    it('when they are sealed and older than the retention, and not before', async () => {
      await record('2026-03-01');
      await record('2026-03-02');
      at('2026-03-04T08:00:00.000Z');
      const keeper = keeperOf({ retentionDays: 2 });
      expect(await keeper.dropDays()).to.deep.equal([]);
      await keeper.sealDays();
      expect(await keeper.dropDays()).to.deep.equal(['2026-03-01']);
      expect(await recordsOf('2026-03-01')).to.deep.equal([]);
      expect(await recordsOf('2026-03-02')).to.have.length(2);
      at('2026-03-05T00:00:00.000Z');
      expect(await keeper.dropDays()).to.deep.equal(['2026-03-02']);
    });

    it('but for their sums: pulls by manifest, and when whom was seen last', async () => {
      const times = { first: '2026-03-01T10:00:00.000Z', last: '2026-03-01T11:00:00.000Z' };
      await record('2026-03-01', pull({ at: times.first, tokenId: '12' }), pull({ at: times.last, bytes: 100 }));
      await record(
        '2026-03-01',
        pull({ at: times.last, digest: OTHER_DIGEST }),
        pull({ at: times.first, action: 'blob.pull', actor: 'anonymous:anonymous' }),
        pull({ at: times.first, action: 'user.login', method: 'password', actor: 'user:9' }),
      );
      at('2026-07-01T08:00:00.000Z');
      const keeper = keeperOf();
      await keeper.sealDays();
      await keeper.dropDays();
      const [first] = await sums();
      expect(first).to.deep.equal({
        day: '2026-03-01',
        pulls: [
          { repositoryId: 'life-1', digest: pull().digest, pulls: 2, bytes: 600, lastPulledAt: times.last },
          { repositoryId: 'life-1', digest: OTHER_DIGEST, pulls: 1, bytes: 500, lastPulledAt: times.last },
        ],
        seen: [
          { who: 'user:7', lastSeenAt: times.last },
          { who: 'token:12', lastSeenAt: times.first },
          { who: 'user:9', lastSeenAt: times.first, lastLoginAt: times.first },
        ],
        last: true,
      });
    });

    it('with sums in parts, where one event does not hold them, each part once whatever interrupts it', async () => {
      const many = (from: number) =>
        Array.from({ length: 150 }, (_, n) => pull({ repositoryId: `life-${from + n}`, resource: `team/app-${from + n}` }));
      for (let from = 0; from < 1500; from += 150) await record('2026-03-01', ...many(from));
      at('2026-07-01T08:00:00.000Z');
      await keeperOf().sealDays();
      let appends = 0;
      const dying: TransientLog = {
        ...log,
        append: async (...args) => {
          appends += 1;
          if (appends === 2) throw new Error('The process ends here.');
          return log.append(...args);
        },
      };
      await keeperOf({ log: dying })
        .dropDays()
        .catch(() => undefined);
      expect(await recordsOf('2026-03-01')).to.have.length(11);
      await keeperOf().dropDays();
      const parts = (await sums()).filter(({ day }) => day === '2026-03-01');
      expect(parts.map(({ last }) => last)).to.deep.equal([false, false, true]);
      const lives = parts.flatMap(({ pulls }) => pulls.map(({ repositoryId }) => repositoryId));
      expect(new Set(lives).size).to.equal(1500);
      expect(lives).to.have.length(1500);
    });

    it('day after day, none left out, up to what is kept', async () => {
      for (let day = '2026-03-01'; day < '2026-03-06'; day = dayAfter(day)) await record(day);
      at('2026-06-01T08:00:00.000Z');
      const keeper = keeperOf();
      await keeper.sealDays();
      await keeper.dropDays();
      expect((await sums()).map(({ day }) => day)).to.deep.equal(['2026-03-01', '2026-03-02']);
      expect(await recordsOf('2026-03-02')).to.deep.equal([]);
      expect(await recordsOf('2026-03-03')).to.have.length(2);
    });

    it('again where a crash came between their sums and their end', async () => {
      await record('2026-03-01');
      at('2026-07-01T08:00:00.000Z');
      await keeperOf({ retentionDays: 121 }).sealDays();
      const dying: TransientLog = { ...log, drop: () => Promise.reject(new Error('The process ends here.')) };
      await keeperOf({ log: dying, retentionDays: 121 })
        .dropDays()
        .catch(() => undefined);
      expect(await recordsOf('2026-03-01')).to.have.length(2);
      await keeperOf({ retentionDays: 121 }).dropDays();
      expect(await recordsOf('2026-03-01')).to.deep.equal([]);
      expect(await sums()).to.have.length(1);
    });
  });
};

describe('The days of the access log, embedded', () => onLog(() => sqliteEventLog(':memory:')));

describe('The days of the access log on an event store', () => {
  const url = eventStoreUrl();
  onLog((prefix) => eventstoreEventLog(url(), { prefix }));
});
