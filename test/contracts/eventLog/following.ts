import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Position, Recorded } from '../../../src/events/event.ts';
import { type EventLog, NO_STREAM } from '../../../src/events/log/log.ts';
import { appendAtHead, events, everything, type OpenLog, ownStreams, rejectionOf, takeUntil, turns } from './given.ts';

/** Following a log while others append to it, and closing it. */
export const following = (open: OpenLog, under: string): void => {
  let log: EventLog;
  let prefix: string;
  let stream: string;
  let mine: ReturnType<typeof ownStreams>['mine'];
  let start: Position;
  beforeEach(async () => {
    log = await open();
    ({ prefix, stream, mine } = ownStreams(under));
    start = await log.head();
  });
  afterEach(() => log.close());

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
      const before = Promise.all(Array.from({ length: 20 }, (_, index) => log.append(`${prefix}${index}`, NO_STREAM, events(1))));
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
};
