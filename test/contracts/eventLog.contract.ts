import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { NotJson } from '../../src/events/canonical.ts';
import { type NewEvent, ORIGIN, type Position, type Recorded } from '../../src/events/event.ts';
import {
  AppendTooLarge,
  type EventLog,
  LARGEST_APPEND,
  LARGEST_EVENT,
  LARGEST_READ,
  NO_STREAM,
  WrongExpectedRevision,
} from '../../src/events/log/log.ts';

export const anEvent = (data: unknown = { tag: 'latest' }, type = 'TagMoved'): NewEvent => ({
  id: randomUUID(),
  type,
  data,
  metadata: {
    actor: { kind: 'user', id: '1' },
    requestId: 'request-1',
    correlationId: 'request-1',
    at: '2026-01-01T00:00:00.000Z',
    version: 1,
  },
});

export const events = (count: number): readonly NewEvent[] => Array.from({ length: count }, (_, index) => anEvent({ index }));

/** Every event after a position, by pages. */
export const everything = async (log: EventLog, after: Position = ORIGIN): Promise<readonly Recorded[]> => {
  const all: Recorded[] = [];
  for (let at = after; ; ) {
    const page = await log.readAll({ after: at, limit: 500 });
    const last = page.at(-1);
    if (last === undefined) return all;
    all.push(...page);
    at = last.position;
  }
};

/** The rejection of a promise, of the kind that is expected. */
export const rejectionOf = async <E extends Error>(
  promise: Promise<unknown>,
  kind: new (...args: never[]) => E = Error as never,
): Promise<E> => {
  const error: unknown = await promise.then(
    () => new Error('Nothing was refused.'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof kind)) throw new Error(`Expected ${kind.name}, got ${String(error)}`, { cause: error });
  return error;
};

/** Takes from a follower until `enough` says so. */
export const takeUntil = async (
  batches: AsyncIterable<readonly Recorded[]>,
  enough: (seen: readonly Recorded[]) => boolean,
): Promise<readonly Recorded[]> => {
  const seen: Recorded[] = [];
  for await (const batch of batches) {
    seen.push(...batch);
    if (enough(seen)) break;
  }
  return seen;
};

const turns = async (count: number): Promise<void> => {
  for (let left = count; left > 0; left--) await turn();
};

/** Appends at the stream's head, again and again until nobody is in between. */
const appendAtHead = async (log: EventLog, stream: string, added: readonly NewEvent[]): Promise<number> => {
  const [last] = await log.readStream(stream, { direction: 'backwards', limit: 1 });
  for (let expected = last?.revision ?? NO_STREAM; ; ) {
    try {
      return (await log.append(stream, expected, added)).revision;
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision)) throw error;
      expected = error.actual;
    }
  }
};

const idsOf = (list: readonly NewEvent[]): readonly string[] => list.map(({ id }) => id);

/**
 * What every event log owes to those who use it. `open` may give a new log or another handle on one that is shared and
 * full of other people's events: each test keeps to streams of its own, and assumes nothing of positions but their order.
 */
export const eventLogContract = (name: string, open: () => Promise<EventLog>): void => {
  describe(`${name}, as an event log`, () => {
    let log: EventLog;
    let stream: string;
    let start: Position;
    let prefix: string;
    const mine = (list: readonly Recorded[]): readonly Recorded[] => list.filter((event) => event.stream.startsWith(prefix));

    beforeEach(async () => {
      log = await open();
      prefix = `test-${randomUUID()}.`;
      stream = `${prefix}repository-library/alpine`;
      start = await log.head();
    });
    afterEach(() => log.close());

    describe('append', () => {
      it('begins a stream at revision 0 and answers with the place of the last event', async () => {
        const outcome = await log.append(stream, NO_STREAM, events(3));
        expect(outcome.revision).to.equal(2);
        const [last] = await log.readStream(stream, { direction: 'backwards', limit: 1 });
        expect(last?.position).to.equal(outcome.position);
        expect(last?.revision).to.equal(2);
      });

      it('goes on from the expected revision', async () => {
        await log.append(stream, NO_STREAM, events(2));
        expect((await log.append(stream, 1, events(1))).revision).to.equal(2);
        expect((await log.append(stream, 2, events(2))).revision).to.equal(4);
      });

      it('records each event as it was given, with stream, revision and position', async () => {
        const [first, second] = [anEvent({ tag: 'a' }), anEvent({ tag: 'b' }, 'TagDeleted')];
        const { position } = await log.append(stream, NO_STREAM, [first, second]);
        const read = await log.readStream(stream, { limit: 10 });
        expect(read[0]).to.deep.equal({ ...first, stream, revision: 0, position: read[0]?.position });
        expect(read[1]).to.deep.equal({ ...second, stream, revision: 1, position });
      });

      for (const [what, expected] of [
        ['a revision although there is no stream', 0],
        ['one far ahead', 17],
      ] as const)
        it(`refuses to expect ${what}`, async () => {
          const error = await rejectionOf(log.append(stream, expected, events(1)), WrongExpectedRevision);
          expect(error).to.include({ stream, expected, actual: NO_STREAM });
          expect(await log.readStream(stream, { limit: 10 })).to.deep.equal([]);
        });

      for (const [what, expected] of [
        ['no stream although there is one', NO_STREAM],
        ['an older revision', 1],
        ['a later revision', 3],
      ] as const)
        it(`refuses to expect ${what}, and says where the stream is`, async () => {
          const first = events(3);
          await log.append(stream, NO_STREAM, first);
          const error = await rejectionOf(log.append(stream, expected, events(2)), WrongExpectedRevision);
          expect(error).to.include({ stream, expected, actual: 2 });
          expect(idsOf(await log.readStream(stream, { limit: 10 }))).to.deep.equal(idsOf(first));
        });

      it('keeps the events of one append together, whoever else appends', async () => {
        const appends = Array.from({ length: 20 }, (_, index) => ({ stream: `${prefix}${index}`, added: events(5) }));
        await Promise.all(appends.map((append) => log.append(append.stream, NO_STREAM, append.added)));
        const all = mine(await everything(log, start));
        expect(all).to.have.length(100);
        for (const append of appends) {
          const first = all.findIndex(({ id }) => id === append.added[0]?.id);
          expect(idsOf(all.slice(first, first + 5))).to.deep.equal(idsOf(append.added));
        }
      });

      it('lets one of many with the same expectation win', async () => {
        const results = await Promise.allSettled(Array.from({ length: 10 }, () => log.append(stream, NO_STREAM, events(2))));
        expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
        for (const result of results)
          if (result.status === 'rejected') expect(result.reason).to.be.instanceOf(WrongExpectedRevision);
        expect(await log.readStream(stream, { limit: 100 })).to.have.length(2);
      });

      it('gives 50 who append to one stream at once a place each, without a gap', async () => {
        const added = Array.from({ length: 50 }, () => anEvent());
        const revisions = await Promise.all(added.map((event) => appendAtHead(log, stream, [event])));
        expect([...revisions].sort((one, other) => one - other)).to.deep.equal(added.map((_, index) => index));
        const read = await log.readStream(stream, { limit: 100 });
        expect(read.map(({ revision }) => revision)).to.deep.equal(added.map((_, index) => index));
        expect(new Set(idsOf(read))).to.deep.equal(new Set(idsOf(added)));
      });

      it('refuses an append without events', async () => {
        await rejectionOf(log.append(stream, NO_STREAM, []));
        expect(await log.readStream(stream, { limit: 1 })).to.deep.equal([]);
      });
    });

    describe('a repeated append', () => {
      const first = events(3);

      it('answers as the first one did and writes nothing', async () => {
        const again = events(3);
        const outcome = await log.append(stream, NO_STREAM, again);
        expect(await log.append(stream, NO_STREAM, again)).to.deep.equal(outcome);
        expect(await log.readStream(stream, { limit: 10 })).to.have.length(3);
      });

      it('answers as the first one did after others have gone on', async () => {
        const again = events(2);
        await log.append(stream, NO_STREAM, events(1));
        const outcome = await log.append(stream, 0, again);
        await log.append(stream, 2, events(4));
        expect(await log.append(stream, 0, again)).to.deep.equal(outcome);
        expect(await log.readStream(stream, { limit: 10 })).to.have.length(7);
      });

      it('answers both when they are under way at the same time', async () => {
        const again = events(2);
        const [one, other] = await Promise.all([log.append(stream, NO_STREAM, again), log.append(stream, NO_STREAM, again)]);
        expect(one).to.deep.equal(other);
        expect(await log.readStream(stream, { limit: 10 })).to.have.length(2);
      });

      for (const [what, changed] of [
        ['another event at its end', [...first.slice(0, 2), anEvent()]],
        ['another event at its start', [anEvent(), ...first.slice(1)]],
        ['one event more', [...first, anEvent()]],
        ['its events in another order', [...first].reverse()],
      ] as const)
        it(`is none with ${what}`, async () => {
          const recorded = first.map((event) => ({ ...event, id: randomUUID() }));
          const withNewIds = changed.map((event) => recorded[first.indexOf(event)] ?? event);
          await log.append(stream, NO_STREAM, recorded);
          await rejectionOf(log.append(stream, NO_STREAM, withNewIds), WrongExpectedRevision);
          expect(idsOf(await log.readStream(stream, { limit: 10 }))).to.deep.equal(idsOf(recorded));
        });

      it('is none with another expectation that is wrong as well', async () => {
        const again = events(2);
        await log.append(stream, NO_STREAM, again);
        await log.append(stream, 1, events(2));
        await rejectionOf(log.append(stream, 0, again), WrongExpectedRevision);
      });
    });

    describe('limits', () => {
      const ofBytes = (bytes: number): NewEvent => anEvent('x'.repeat(bytes - 2));

      it('takes an event of the largest size, and gives it back', async () => {
        const large = ofBytes(LARGEST_EVENT);
        await log.append(stream, NO_STREAM, [large]);
        const [read] = await log.readStream(stream, { limit: 1 });
        expect(read?.data).to.equal(large.data);
      });

      it('refuses a larger event, counting bytes and not characters', async () => {
        await rejectionOf(log.append(stream, NO_STREAM, [ofBytes(LARGEST_EVENT + 1)]), AppendTooLarge);
        await rejectionOf(log.append(stream, NO_STREAM, [anEvent('é'.repeat(LARGEST_EVENT / 2))]), AppendTooLarge);
        expect(await log.readStream(stream, { limit: 1 })).to.deep.equal([]);
      });

      it('refuses a larger append whole, and takes a smaller one after it', async () => {
        const third = ofBytes(Math.ceil(LARGEST_APPEND / 3));
        const more = [{ ...third, id: randomUUID() }, third, { ...third, id: randomUUID() }];
        await rejectionOf(log.append(stream, NO_STREAM, more), AppendTooLarge);
        expect(await log.readStream(stream, { limit: 1 })).to.deep.equal([]);
        expect((await log.append(stream, NO_STREAM, more.slice(0, 2))).revision).to.equal(1);
      });

      for (const limit of [0, -1, 1.5, LARGEST_READ + 1, Number.NaN])
        it(`refuses to read ${limit} events`, async () => {
          await rejectionOf(log.readAll({ limit }));
          await rejectionOf(log.readStream(stream, { limit }));
        });
    });

    describe('what an event may hold', () => {
      it('is any JSON value, and comes back as it went in', async () => {
        const json = fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' }).map((value) => JSON.parse(JSON.stringify(value)));
        await fc.assert(
          fc.asyncProperty(fc.array(json, { minLength: 1, maxLength: 5 }), async (values) => {
            const target = `${prefix}${randomUUID()}`;
            await log.append(
              target,
              NO_STREAM,
              values.map((value) => anEvent({ value })),
            );
            const read = await log.readStream(target, { limit: 10 });
            expect(read.map(({ data }) => data)).to.deep.equal(values.map((value) => ({ value })));
          }),
          { numRuns: 30 },
        );
      });

      it('is text of every script, also in the name of a stream', async () => {
        const data = {
          ключ: 'смысл',
          鍵: '意味',
          emoji: '👩‍👩‍👧‍👦',
          rtl: 'مفتاح',
          control: '\u0000\u001f\u2028\u007f',
          quote: '"\\',
        };
        await log.append(`${stream}-ключ👍`, NO_STREAM, [anEvent(data)]);
        const [read] = await log.readStream(`${stream}-ключ👍`, { limit: 1 });
        expect(read?.data).to.deep.equal(data);
        expect(read?.stream).to.equal(`${stream}-ключ👍`);
      });

      for (const [what, data] of [
        ['undefined', { tag: undefined }],
        ['NaN', { size: Number.NaN }],
        ['a bigint', { size: 1n }],
        ['a date', { at: new Date(0) }],
        ['a lone surrogate', { tag: '\ud800' }],
      ] as const)
        it(`is not ${what}, which JSON would lose`, async () => {
          const error = await rejectionOf(log.append(stream, NO_STREAM, [anEvent(), anEvent({ list: [data] })]), NotJson);
          expect(error.message).to.match(/data\.list\[0\]\.(tag|size|at) /);
          expect(await log.readStream(stream, { limit: 1 })).to.deep.equal([]);
        });
    });

    describe('reading a stream', () => {
      let ids: readonly string[];
      beforeEach(async () => {
        const added = events(10);
        ids = idsOf(added);
        await log.append(stream, NO_STREAM, added.slice(0, 4));
        await log.append(`${prefix}other`, NO_STREAM, events(3));
        await log.append(stream, 3, added.slice(4));
      });

      const read = async (options: Parameters<EventLog['readStream']>[1]): Promise<readonly string[]> =>
        idsOf(await log.readStream(stream, options));

      it('goes from the first event on', async () => {
        expect(await read({ limit: 100 })).to.deep.equal(ids);
        expect(await read({ limit: 3 })).to.deep.equal(ids.slice(0, 3));
      });

      it('goes from a revision on, that one included', async () => {
        expect(await read({ from: 7, limit: 100 })).to.deep.equal(ids.slice(7));
        expect(await read({ from: 7, limit: 2 })).to.deep.equal(ids.slice(7, 9));
        expect(await read({ from: 9, limit: 1 })).to.deep.equal(ids.slice(9));
      });

      it('goes backwards from the last event', async () => {
        expect(await read({ direction: 'backwards', limit: 100 })).to.deep.equal([...ids].reverse());
        expect(await read({ direction: 'backwards', limit: 1 })).to.deep.equal([ids[9]]);
      });

      it('goes backwards from a revision, that one included', async () => {
        expect(await read({ direction: 'backwards', from: 2, limit: 100 })).to.deep.equal([ids[2], ids[1], ids[0]]);
        expect(await read({ direction: 'backwards', from: 0, limit: 5 })).to.deep.equal([ids[0]]);
      });

      it('is empty past the end and where there is no stream', async () => {
        expect(await read({ from: 10, limit: 10 })).to.deep.equal([]);
        expect(await log.readStream(`${prefix}none`, { limit: 10 })).to.deep.equal([]);
        expect(await log.readStream(`${prefix}none`, { direction: 'backwards', limit: 10 })).to.deep.equal([]);
      });
    });

    describe('reading everything', () => {
      let all: readonly Recorded[];
      beforeEach(async () => {
        for (const [index, count] of [2, 1, 3, 1].entries()) await log.append(`${prefix}${index}`, NO_STREAM, events(count));
        all = mine(await everything(log, start));
      });
      const at = (index: number): Position => all[index]?.position ?? ORIGIN;

      it('goes in the order of the appends, each in a stream in its order', () => {
        expect(all.map((event) => [event.stream.slice(prefix.length), event.revision])).to.deep.equal([
          ['0', 0],
          ['0', 1],
          ['1', 0],
          ['2', 0],
          ['2', 1],
          ['2', 2],
          ['3', 0],
        ]);
      });

      it('has positions of one width whose byte order is the order of the log, after the origin', () => {
        const positions = all.map(({ position }) => position);
        expect([...positions].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))).to.deep.equal(
          positions,
        );
        expect(new Set(positions)).to.have.property('size', positions.length);
        expect(new Set(positions.map((position) => position.length))).to.have.property('size', 1);
        expect(at(0) > ORIGIN).to.equal(true);
      });

      it('goes on strictly after a position', async () => {
        const next = mine(await log.readAll({ after: at(2), limit: 100 }));
        expect(next).to.deep.equal(all.slice(3));
        expect(mine(await log.readAll({ after: at(6), limit: 10 }))).to.deep.equal([]);
      });

      it('goes backwards from the end, or strictly before a position', async () => {
        const last = await log.readAll({ direction: 'backwards', limit: LARGEST_READ });
        expect(mine(last)).to.deep.equal([...all].reverse());
        const before = await log.readAll({ direction: 'backwards', before: at(3), limit: 2 });
        expect(mine(before)).to.deep.equal([all[2], all[1]]);
        expect(await log.readAll({ direction: 'backwards', before: ORIGIN, limit: 2 })).to.deep.equal([]);
      });

      it('returns no more than the limit', async () => {
        expect(await log.readAll({ after: start, limit: 3 })).to.have.length(3);
        expect(await log.readAll({ direction: 'backwards', limit: 3 })).to.have.length(3);
      });

      it('tells the position of the newest event', async () => {
        expect(await log.head()).to.equal(at(6));
        const { position } = await log.append(`${prefix}3`, 0, events(2));
        expect(await log.head()).to.equal(position);
      });
    });

    describe('following', () => {
      it('hands out what is there and then what comes', async () => {
        await log.append(stream, NO_STREAM, events(5));
        const seen = takeUntil(log.follow(start, { limit: 2 }), (list) => mine(list).length === 9);
        await log.append(stream, 4, events(3));
        await turns(3);
        await log.append(stream, 7, events(1));
        expect(mine(await seen)).to.deep.equal(mine(await everything(log, start)));
      });

      it('begins strictly after a position', async () => {
        const { position } = await log.append(stream, NO_STREAM, events(3));
        await log.append(stream, 2, events(2));
        const seen = await takeUntil(log.follow(position, { limit: 10 }), (list) => mine(list).length === 2);
        expect(mine(seen).map(({ revision }) => revision)).to.deep.equal([3, 4]);
      });

      it('hands out between one and `limit` events at a time', async () => {
        await log.append(stream, NO_STREAM, events(20));
        const sizes: number[] = [];
        let seen = 0;
        for await (const batch of log.follow(start, { limit: 6 })) {
          sizes.push(batch.length);
          seen += mine(batch).length;
          if (seen === 20) break;
        }
        for (const size of sizes) expect(size).to.be.within(1, 6);
      });

      it('waits while there is nothing, and ends when its signal aborts', async () => {
        const stop = new AbortController();
        const { position } = await log.append(stream, NO_STREAM, events(1));
        const seen = takeUntil(log.follow(position, { limit: 5, signal: stop.signal }), () => false);
        await turns(3);
        stop.abort();
        expect(mine(await seen)).to.deep.equal([]);
      });

      it('hands out nothing when its signal has aborted before', async () => {
        await log.append(stream, NO_STREAM, events(1));
        expect(await takeUntil(log.follow(start, { limit: 5, signal: AbortSignal.abort() }), () => false)).to.deep.equal([]);
      });

      it('ends for everybody when the log closes', async () => {
        const { position } = await log.append(stream, NO_STREAM, events(1));
        const followers = [start, position].map((after) => takeUntil(log.follow(after, { limit: 5 }), () => false));
        await turns(3);
        await log.close();
        await Promise.all(followers);
      });

      it('goes on for one follower when another one stops', async () => {
        const stop = new AbortController();
        const stopped = takeUntil(log.follow(start, { limit: 5, signal: stop.signal }), () => false);
        const going = takeUntil(log.follow(start, { limit: 5 }), (list) => mine(list).length === 2);
        await log.append(stream, NO_STREAM, events(1));
        stop.abort();
        await stopped;
        await log.append(stream, 0, events(1));
        expect(mine(await going)).to.have.length(2);
      });
    });

    describe('followers while others append', () => {
      type Scenario = Readonly<{
        writers: readonly (readonly Readonly<{ target: number; count: number; pause: number }>[])[];
        followers: readonly Readonly<{ begins: number; fromHead: boolean; limit: number; pause: number }>[];
      }>;

      const scenarios: fc.Arbitrary<Scenario> = fc.record({
        writers: fc.array(
          fc.array(fc.record({ target: fc.nat(2), count: fc.integer({ min: 1, max: 4 }), pause: fc.nat(3) }), { maxLength: 8 }),
          { minLength: 1, maxLength: 4 },
        ),
        followers: fc.array(
          fc.record({ begins: fc.nat(20), fromHead: fc.boolean(), limit: fc.constantFrom(1, 2, 3, 7, 100), pause: fc.nat(5) }),
          { minLength: 1, maxLength: 4 },
        ),
      });

      const write = async (script: Scenario['writers'][number], run: string): Promise<void> => {
        for (const { target, count, pause } of script) {
          await turns(pause);
          await appendAtHead(log, `${run}${target}`, events(count));
        }
      };

      const follow = async (script: Scenario['followers'][number], from: Position, end: Promise<Position>, stop: AbortSignal) => {
        await turns(script.begins);
        const after = script.fromHead ? await log.head() : from;
        const seen: Recorded[] = [];
        let last: Position | undefined;
        const over = new AbortController();
        const stopAtEnd = end.then((position) => {
          last = position;
          if ((seen.at(-1)?.position ?? after) >= position) over.abort();
        });
        for await (const batch of log.follow(after, { limit: script.limit, signal: AbortSignal.any([over.signal, stop]) })) {
          seen.push(...batch);
          if (last !== undefined && (batch.at(-1)?.position ?? '') >= last) break;
          await turns(script.pause);
        }
        await stopAtEnd;
        return { after, seen };
      };

      it('see exactly what is in the log, in its order, whatever the interleaving', async () => {
        await fc.assert(
          fc.asyncProperty(scenarios, async ({ writers, followers }) => {
            const run = `${prefix}${randomUUID()}-`;
            const from = await log.head();
            const stop = new AbortController();
            const { promise: end, resolve: ended } = Promise.withResolvers<Position>();
            const following = followers.map((script) => follow(script, from, end, stop.signal));
            try {
              await Promise.all(writers.map((script) => write(script, run)));
              ended(await log.head());
              const all = (await everything(log, from)).filter((event) => event.stream.startsWith(run));
              for (const { after, seen } of await Promise.all(following))
                expect(seen.filter((event) => event.stream.startsWith(run))).to.deep.equal(
                  all.filter(({ position }) => position > after),
                );
            } finally {
              stop.abort();
            }
          }),
          { numRuns: 40 },
        );
      });
    });

    describe('closing', () => {
      it('answers what was appended before, and refuses what comes after', async () => {
        const before = Promise.all(
          Array.from({ length: 20 }, (_, index) => log.append(`${prefix}${index}`, NO_STREAM, events(1))),
        );
        const closed = log.close();
        await rejectionOf(log.append(stream, NO_STREAM, events(1)));
        expect(await before).to.have.length(20);
        await closed;
      });

      it('may be asked for twice', async () => {
        await Promise.all([log.close(), log.close()]);
        await log.close();
      });
    });
  });
};
