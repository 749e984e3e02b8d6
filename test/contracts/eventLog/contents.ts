import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { NotJson } from '../../../src/events/canonical.ts';
import type { NewEvent } from '../../../src/events/event.ts';
import {
  AppendTooLarge,
  type EventLog,
  LARGEST_APPEND,
  LARGEST_EVENT,
  LARGEST_READ,
  NO_STREAM,
} from '../../../src/events/log/log.ts';
import { anEvent, type OpenLog, ownStreams, rejectionOf } from './given.ts';

/** What a log takes, and that it gives back what it took. */
export const contents = (open: OpenLog, under: string): void => {
  let log: EventLog;
  let prefix: string;
  let stream: string;
  beforeEach(async () => {
    log = await open();
    ({ prefix, stream } = ownStreams(under));
  });
  afterEach(() => log.close());

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
};
