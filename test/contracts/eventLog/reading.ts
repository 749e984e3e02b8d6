import { expect } from 'chai';
import { ORIGIN, type Position, type Recorded } from '../../../src/events/event.ts';
import { type EventLog, LARGEST_READ, NO_STREAM } from '../../../src/events/log/log.ts';
import { events, everything, idsOf, type OpenLog, ownStreams } from './given.ts';

/** Pages of a stream and of everything, in both directions. */
export const reading = (open: OpenLog, under: string): void => {
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
      expect([...positions].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))).to.deep.equal(positions);
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
};
