import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Position } from '../../../src/events/event.ts';
import { type EventLog, NO_STREAM, WrongExpectedRevision } from '../../../src/events/log/log.ts';
import { anEvent, appendAtHead, events, everything, idsOf, type OpenLog, ownStreams, rejectionOf } from './given.ts';

/** How events get into a log: expectations, conflicts, atomicity, repetition. */
export const appending = (open: OpenLog, under: string): void => {
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
};
