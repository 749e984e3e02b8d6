import { expect } from 'chai';
import fc from 'fast-check';
import type { Recorded } from '../../src/events/event.ts';
import { AppendOutcomeUnknown, type EventLog, LARGEST_APPEND, LogFull } from '../../src/events/log/log.ts';
import { CannotMove } from '../../src/moving/cannotMove.ts';
import { type Copied, type Copying, copy } from '../../src/moving/copy.ts';
import { eventsIn, type Moved } from '../../src/moving/moved.ts';
import { everything, rejectionOf } from '../contracts/eventLog/given.ts';
import { type Append, factOf, histories, logOf, oneByOne, PREFIX, sha256Of, withoutPositions } from './histories.ts';

const copying = (source: EventLog, target: EventLog, more: Partial<Copying> = {}): Promise<Copied> =>
  copy({ events: () => eventsIn(source), target, streamPrefix: PREFIX, pause: async () => undefined, ...more });

/** What goes wrong at an append: nothing was written, or it was and nobody heard of it, or all ends there. */
type Trouble = 'refused' | 'lost' | 'unheard' | 'ended' | 'stopped';

const TROUBLES: readonly Trouble[] = ['refused', 'lost', 'unheard', 'ended', 'stopped'];

/** A log whose append number `at` has some trouble, once. */
const troubled = (log: EventLog, at: number, trouble: Trouble, stop: () => void): EventLog => {
  let count = 0;
  return {
    ...log,
    append: async (stream, expected, events) => {
      count += 1;
      if (count !== at) return log.append(stream, expected, events);
      if (trouble === 'refused') throw new LogFull('No room.');
      if (trouble === 'lost') throw new AppendOutcomeUnknown('Who knows?');
      const appended = await log.append(stream, expected, events);
      if (trouble === 'unheard') throw new AppendOutcomeUnknown('Who knows?');
      if (trouble === 'ended') throw new Error('The process ends here.');
      stop();
      return appended;
    },
  };
};

/** Copies again and again, each time with the next trouble, until one of them gets to its end. */
const insisting = async (
  source: EventLog,
  target: EventLog,
  troubles: readonly (readonly [number, Trouble])[],
): Promise<Copied> => {
  for (const [at, trouble] of troubles) {
    const stopping = new AbortController();
    try {
      return await copying(
        source,
        troubled(target, at, trouble, () => stopping.abort()),
        { signal: stopping.signal },
      );
    } catch (error) {
      expect(error).to.be.instanceOf(CannotMove);
      expect((error as CannotMove).reason).to.equal('stopped');
    }
  }
  return copying(source, target);
};

const watched = (log: EventLog, appends: Append[]): EventLog => ({
  ...log,
  append: (stream, expected, events) => {
    appends.push({ stream, expected, events });
    return log.append(stream, expected, events);
  },
});

const bytesOf = (events: readonly unknown[]): number => Buffer.byteLength(JSON.stringify(events));

/** A source that makes its events while they are asked for, and knows how many it has handed out. */
const endless = (count: number, streams: number, onEvent: () => void): (() => AsyncIterable<Moved>) =>
  async function* () {
    for (let number = 0; number < count; number++) {
      onEvent();
      // Seven of a stream, then seven of the next: as pushes come.
      const turn = Math.floor(number / 7);
      const round = Math.floor(turn / streams);
      yield { ...factOf(number), stream: `${PREFIX}.repository-${turn % streams}`, revision: round * 7 + (number % 7) };
    }
  };

describe('A copy of a log', () => {
  it('is the same log but for the positions, however often it was broken off on the way', async function () {
    this.timeout(120_000);
    const trouble = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.constantFrom(...TROUBLES));
    await fc.assert(
      fc.asyncProperty(histories({ appends: 25, events: 40 }), fc.array(trouble, { maxLength: 6 }), async (appends, troubles) => {
        const source = await logOf(appends);
        const target = await logOf([]);
        const copied = await insisting(source, target, troubles);
        const there = await everything(target);
        const here = await everything(source);
        expect(withoutPositions(there)).to.deep.equal(withoutPositions(here));
        expect(copied.events).to.equal(here.length);
        expect(copied.sha256).to.equal(sha256Of(here));
        await source.close();
        await target.close();
      }),
      { numRuns: 60 },
    );
  });

  const unknown = (failures: number, appends: Append[], target: EventLog, alsoWrites: boolean): EventLog => {
    let left = failures;
    return {
      ...target,
      append: async (stream, expected, events) => {
        appends.push({ stream, expected, events });
        left -= 1;
        if (left >= 0 && !alsoWrites) throw new AppendOutcomeUnknown('Who knows?');
        const appended = await target.append(stream, expected, events);
        if (left >= 0) throw new AppendOutcomeUnknown('Who knows?');
        return appended;
      },
    };
  };

  for (const alsoWrites of [true, false]) {
    it(`repeats an append whose outcome is unknown, which ${alsoWrites ? 'was' : 'was not'} written`, async () => {
      const source = await logOf(oneByOne(['one', 'one', 'two']));
      const target = await logOf([]);
      const appends: Append[] = [];
      const pauses: number[] = [];
      const pause = async (ms: number) => void pauses.push(ms);
      const copied = await copying(source, unknown(3, appends, target, alsoWrites), { pause });
      expect(copied.events).to.equal(3);
      expect(appends.slice(1, 4)).to.deep.equal(Array(3).fill(appends[0]));
      expect(pauses).to.deep.equal([100, 200, 400]);
      expect(withoutPositions(await everything(target))).to.deep.equal(withoutPositions(await everything(source)));
    });
  }

  it('gives up an append that nobody ever answers, and says how to go on', async () => {
    const source = await logOf(oneByOne(['one']));
    const appends: Append[] = [];
    const error = await rejectionOf(copying(source, unknown(99, appends, await logOf([]), false)), CannotMove);
    expect(error.reason).to.equal('stopped');
    expect(error.message).to.contain('Run the same command again');
    expect(appends).to.have.lengthOf(8);
  });

  it('does not close a gap in the revisions of its source', async () => {
    const events = async function* (): AsyncIterable<Moved> {
      for (const revision of [0, 1, 3]) yield { ...factOf(revision), stream: `${PREFIX}.one`, revision };
    };
    const target = await logOf([]);
    const error = await rejectionOf(copy({ events, target, streamPrefix: PREFIX }), CannotMove);
    expect(error.message).to.contain('the source is not in order');
    expect(await everything(target)).to.have.lengthOf(2);
  });

  it('takes runs of one stream in one append, in the order of the log and within what an append may have', async () => {
    await fc.assert(
      fc.asyncProperty(histories({ appends: 20, events: 150 }), async (history) => {
        const source = await logOf(history);
        const target = await logOf([]);
        const appends: Append[] = [];
        await copying(source, watched(target, appends));
        for (const { events } of appends) {
          expect(events.length).to.be.at.most(200);
          if (events.length > 1) expect(bytesOf(events)).to.be.at.most(512 * 1024);
        }
        expect(appends.flatMap(({ events }) => events.map(({ id }) => id))).to.deep.equal(
          history.flatMap(({ events }) => events.map(({ id }) => id)),
        );
        await source.close();
        await target.close();
      }),
      { numRuns: 20 },
    );
  });

  it('needs one append for a run over several reads, and a new one where the stream changes', async () => {
    const source = await logOf(oneByOne([...Array(450).fill('one'), 'two', 'one', 'one']));
    const target = await logOf([]);
    const appends: Append[] = [];
    await copying(source, watched(target, appends));
    expect(
      appends.map(({ stream, expected, events }) => [stream.slice(PREFIX.length + 1), expected, events.length]),
    ).to.deep.equal([
      ['one', -1, 200],
      ['one', 199, 200],
      ['one', 399, 50],
      ['two', -1, 1],
      ['one', 449, 2],
    ]);
  });

  it('takes the largest events that a log may hold', async () => {
    const large = (number: number) => ({ ...factOf(number), data: { text: 'x'.repeat(500_000) } });
    const stream = `${PREFIX}.keys`;
    const source = await logOf([
      { stream, expected: -1, events: [large(1)] },
      { stream, expected: 0, events: [large(2)] },
    ]);
    const target = await logOf([]);
    expect(LARGEST_APPEND).to.be.lessThan(1_000_001);
    expect((await copying(source, target)).events).to.equal(2);
  });

  it('holds a run and no more, however long the log is', async function () {
    this.timeout(120_000);
    const COUNT = 200_000;
    let handedOut = 0;
    let taken = 0;
    let mostInFlight = 0;
    const events = endless(COUNT, 40, () => {
      handedOut += 1;
      mostInFlight = Math.max(mostInFlight, handedOut - taken);
    });
    // Takes everything and keeps nothing, so that reading it back finds nothing.
    const target: EventLog = {
      ...(await logOf([])),
      append: async (_stream, expected, run) => {
        taken += run.length;
        return { revision: expected + run.length, position: '' };
      },
    };
    const error = await rejectionOf(copy({ events, target, streamPrefix: PREFIX }), CannotMove);
    expect(error.message).to.contain('Event 1 ').and.to.contain('is missing on the other side');
    expect(taken).to.equal(COUNT);
    expect(mostInFlight).to.be.within(1, 201);
  });

  it('reads a log by pages of at most 200 events', async () => {
    const source = await logOf(oneByOne(Array(1000).fill('keys')));
    const limits: number[] = [];
    let held = 0;
    const paged: EventLog = {
      ...source,
      readAll: async (options) => {
        limits.push(options.limit);
        expect(held).to.equal(0);
        const page = await source.readAll(options);
        held = page.length;
        return page;
      },
    };
    for await (const _ of eventsIn(paged)) held -= 1;
    expect(limits).to.deep.equal(Array(5).fill(200));
  });

  it('tells how far it is, of how many where that is known', async () => {
    const source = await logOf(oneByOne(Array(250).fill('keys')));
    const target = await logOf([]);
    const told: string[] = [];
    await copying(source, target, {
      total: 250,
      onProgress: ({ doing, done, of, finished }) => told.push(`${doing} ${done}/${of}${finished === true ? '.' : ''}`),
    });
    expect(told).to.deep.equal([
      'Copying 100/250',
      'Copying 200/250',
      'Copying 250/250.',
      'Verifying 100/250',
      'Verifying 200/250',
      'Verifying 250/250.',
    ]);
  });
});

describe('A copy into a log that is not empty', () => {
  it('appends only what is missing', async () => {
    const history = oneByOne(['one', 'one', 'two', 'one', 'two']);
    const source = await logOf(history);
    const target = await logOf(history.slice(0, 3));
    const appends: Append[] = [];
    const copied = await copying(source, watched(target, appends));
    expect(copied.alreadyThere).to.equal(3);
    expect(appends.flatMap(({ events }) => events)).to.have.lengthOf(2);
  });

  it('has nothing to do where all is there, and verifies it all the same', async () => {
    const history = oneByOne(['one', 'two']);
    const copied = await copying(await logOf(history), await logOf(history));
    expect(copied).to.deep.include({ events: 2, alreadyThere: 2 });
  });

  const foreign: readonly (readonly [string, readonly Append[], RegExp])[] = [
    [
      'begins with another event',
      [{ stream: `${PREFIX}.one`, expected: -1, events: [factOf(99)] }],
      /another log: its event 1 is/,
    ],
    [
      'has another event later on',
      [...oneByOne(['one']), { stream: `${PREFIX}.one`, expected: 0, events: [factOf(99)] }],
      /its event 2 is/,
    ],
    [
      'has the same events in another order',
      [
        { stream: `${PREFIX}.two`, expected: -1, events: [factOf(1)] },
        { stream: `${PREFIX}.one`, expected: -1, events: [factOf(0)] },
      ],
      /its event 1 is/,
    ],
    ['has the same event in another stream', [{ stream: `${PREFIX}.two`, expected: -1, events: [factOf(0)] }], /its event 1 is/],
    ['has more than the source', oneByOne(['one', 'two', 'one', 'one']), /has more events than the 3 of the source/],
  ];
  for (const [what, history, message] of foreign) {
    it(`is refused where that ${what}, and writes nothing`, async () => {
      const target = await logOf(history);
      const before = await everything(target);
      const error = await rejectionOf(copying(await logOf(oneByOne(['one', 'two', 'one'])), target), CannotMove);
      expect(error.message).to.match(message);
      expect(error.reason).to.equal('refused');
      expect(await everything(target)).to.deep.equal(before);
    });
  }

  it('is refused where streams have another prefix', async () => {
    const source = await logOf([{ stream: 'other.keys', expected: -1, events: [factOf(1)] }]);
    const error = await rejectionOf(copying(source, await logOf([])), CannotMove);
    expect(error.message).to.contain('other.keys').and.to.contain('GHOSTDOCK_STREAM_PREFIX');
  });

  it('ends where somebody else appends meanwhile', async () => {
    const source = await logOf(oneByOne(['one', 'two', 'one']));
    const target = await logOf([]);
    let first = true;
    const shared: EventLog = {
      ...target,
      append: async (stream, expected, events) => {
        if (first) await target.append(`${PREFIX}.two`, -1, [factOf(77)]);
        first = false;
        return target.append(stream, expected, events);
      },
    };
    const error = await rejectionOf(copying(source, shared), CannotMove);
    expect(error.message).to.contain('somebody else writes to it');
    expect(error.reason).to.equal('different');
  });
});

describe('The verification of a copy', () => {
  /** A log that gives back something else than it was given. */
  const altering = async (alter: (events: readonly Recorded[]) => readonly Recorded[]): Promise<EventLog> => {
    const log = await logOf([]);
    return { ...log, readAll: async (options) => alter(await log.readAll(options)) };
  };
  const history = oneByOne(['one', 'one', 'two', 'one']);
  const replacing = (number: number, change: Partial<Recorded>) => (events: readonly Recorded[]) =>
    events.map((event, index) => (index === number - 1 ? { ...event, ...change } : event));

  const faults: readonly (readonly [string, (events: readonly Recorded[]) => readonly Recorded[], RegExp])[] = [
    ['another type', replacing(3, { type: 'Other' }), /^Event 3 differs: here SigningKeyRotated .* on the other side Other /],
    ['other data', replacing(2, { data: { keyId: 'key-1' } }), /^Event 2 differs/],
    ['another time', replacing(4, { metadata: { ...factOf(3).metadata, at: '2026-02-01T00:00:00.000Z' } }), /^Event 4 differs/],
    ['an event that is missing', (events) => events.filter(({ id }) => id !== factOf(1).id), /^Event 2 differs/],
    ['a read that ends early', (events) => events.filter(({ id }) => id !== factOf(3).id), /gave fewer events than it has/],
    ['one event twice', (events) => (events.length === 0 ? [] : [...events, ...events.slice(-1)]), /more events than the 4/],
  ];
  for (const [what, alter, message] of faults) {
    it(`finds ${what}`, async () => {
      const target = await altering(alter);
      const error = await rejectionOf(copying(await logOf(history), target), CannotMove);
      expect(error.message).to.match(message);
    });
  }

  it('believes what somebody else has vouched for, and not what it read a second time', async () => {
    const source = await logOf(history);
    const expected = { events: 4, sha256: '0'.repeat(64) };
    const error = await rejectionOf(copying(source, await logOf([]), { expected }), CannotMove);
    expect(error.reason).to.equal('different');
    expect(error.message).to.contain('the source gave something else when it was copied');
  });
});
