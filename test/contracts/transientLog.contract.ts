import { expect } from 'chai';
import { NO_STREAM, type TransientLog } from '../../src/events/log/log.ts';
import { events, idsOf, ownStreams, takeUntil } from './eventLog/given.ts';

/** What a log owes beside the contract of every event log, if its old streams may go. */
export const transientLogContract = (name: string, open: () => Promise<TransientLog>, under = ''): void => {
  describe(`${name}, as a log whose old streams may go`, () => {
    let log: TransientLog;
    let stream: string;
    let other: string;
    let mine: ReturnType<typeof ownStreams>['mine'];
    beforeEach(async () => {
      log = await open();
      ({ stream, mine } = ownStreams(under));
      other = `${stream}-2`;
    });
    afterEach(() => log.close());

    const idsIn = async (of: string) => idsOf(await log.readStream(of, { limit: 4096 }));

    it('drops a stream with all its events, and no other', async () => {
      const kept = events(3);
      await log.append(stream, NO_STREAM, events(5));
      await log.append(other, NO_STREAM, kept);
      await log.drop(stream);
      expect(await idsIn(stream)).to.deep.equal([]);
      expect(await log.readStream(stream, { direction: 'backwards', limit: 1 })).to.deep.equal([]);
      expect(await idsIn(other)).to.deep.equal(idsOf(kept));
    });

    it('drops streams of thousands of events', async () => {
      for (let at = NO_STREAM; at < 2999; at += 1000) await log.append(stream, at, events(1000));
      await log.drop(stream);
      expect(await idsIn(stream)).to.deep.equal([]);
    });

    it('does nothing to a stream that is not there, or not any more', async () => {
      await log.drop(stream);
      await log.append(stream, NO_STREAM, events(1));
      await log.drop(stream);
      await log.drop(stream);
      expect(await idsIn(stream)).to.deep.equal([]);
    });

    it('gives no position out again, also where its newest events were dropped', async () => {
      const { position } = await log.append(stream, NO_STREAM, events(3));
      await log.drop(stream);
      expect((await log.append(other, NO_STREAM, events(1))).position > position).to.equal(true);
    });

    it('lets followers pass over what is gone', async () => {
      const start = await log.head();
      const kept = events(2);
      await log.append(other, NO_STREAM, kept.slice(0, 1));
      await log.append(stream, NO_STREAM, events(5));
      await log.drop(stream);
      await log.append(other, 0, kept.slice(1));
      const inOther = (list: readonly { stream: string }[]) => list.filter((event) => event.stream === other);
      const seen = await takeUntil(log.follow(start, { limit: 2 }), (list) => inOther(mine(list)).length === 2);
      expect(idsOf(mine(seen).filter((event) => event.stream === other))).to.deep.equal(idsOf(kept));
    });

    it('can be followed from an event that was dropped', async () => {
      const { position } = await log.append(stream, NO_STREAM, events(2));
      await log.drop(stream);
      const next = events(1);
      const seen = takeUntil(log.follow(position, { limit: 10 }), (list) => mine(list).length === 1);
      await log.append(other, NO_STREAM, next);
      expect(idsOf(mine(await seen))).to.deep.equal(idsOf(next));
    });
  });
};
