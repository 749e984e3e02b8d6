import { expect } from 'chai';
import fc from 'fast-check';
import { isRefusal, type RegistryError } from '../../src/errors.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { Document, Group, Placed, Projection } from '../../src/projections/projection.ts';
import { type Commit, LARGEST_PAGE, type Query, type Views, type Where } from '../../src/projections/views/views.ts';
import { positionOf } from '../support/projecting.ts';

/** Opens empty views of a group, with a clock of their own. The suite closes them. */
export type OpenViews = (group: Group, clock: Readonly<{ now: () => number }>) => Promise<Views>;

type Item = Readonly<{
  colour?: string;
  size?: number;
  mixed?: string | number;
  loud?: boolean;
  owner?: string | null;
  deep?: Readonly<{ at: string }>;
}>;

const items: Projection<Item> = {
  view: 'items',
  version: 1,
  indexes: [['colour'], ['colour', 'size'], ['size'], ['mixed'], ['owner'], ['deep.at'], ['loud']],
  keysOf: () => [],
  on: {},
};
const others: Projection = { view: 'others', version: 1, indexes: [], keysOf: () => [], on: {} };
const group: Group = { name: 'contract', views: [items as unknown as Projection, others] };

const placed = (key: string, at: number, value: Document | undefined): Placed => ({ key, position: positionOf(at), value });

/** One step that writes documents of `items` at a checkpoint. */
const step = (checkpoint: number, documents: readonly Placed[] = [], rest: Partial<Commit> = {}): Commit => ({
  totals: {},
  documents: documents.length === 0 ? [] : [{ view: 'items', documents }],
  cursors: {},
  checkpoint: positionOf(checkpoint),
  ...rest,
});

const inBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Names whose order differs between byte order, dictionaries and UTF-16. */
const AWKWARD = [
  'a',
  'a-b',
  'a/b',
  'ab',
  'A',
  '_',
  'a.b',
  'a/b/c',
  'z',
  'ä',
  'é',
  '～',
  '😀',
  'a b',
  '0',
  '10',
  '9',
  "a'b",
  'a"b',
  'a%',
  'a_',
];

export const viewsContract = (name: string, open: OpenViews): void => {
  describe(`views: ${name}`, () => {
    let views: Views;
    let clock: number;

    beforeEach(async () => {
      clock = Date.UTC(2026, 0, 1);
      views = await open(group, { now: () => clock });
    });

    afterEach(async () => {
      await views.close();
    });

    const refusal = async (work: Promise<unknown>): Promise<unknown> =>
      work.then(
        () => undefined,
        (error: unknown) => error,
      );
    const keysOf = async (query: Query): Promise<readonly string[]> =>
      (await views.find(items, query)).items.map(({ key }) => key);
    const found = (where: Where): Promise<readonly string[]> => keysOf({ where, limit: LARGEST_PAGE });
    /** All pages, each begun after the last document of the one before. */
    const paged = async (
      query: Omit<Query, 'limit'>,
      limit: number,
      valuesOf: (item: Item, key: string) => (string | number)[],
    ): Promise<string[]> => {
      const keys: string[] = [];
      for (let after: (string | number)[] | undefined; ; ) {
        const page = await views.find(items, { ...query, limit, ...(after !== undefined && { after }) });
        keys.push(...page.items.map(({ key }) => key));
        const last = page.items.at(-1);
        if (!page.more || last === undefined) return keys;
        expect(page.items, 'a page with more behind it is full').to.have.lengthOf(limit);
        after = valuesOf(last.value, last.key);
      }
    };

    describe('documents', () => {
      it('gives back what was committed, and undefined for what never was', async () => {
        const value = { colour: 'red', size: 3, list: [1, 'zwei', null, { deep: true }], text: 'ä "quoted" \n\u0000 end' };
        await views.commit(step(1, [placed('one', 1, value)]));
        expect(await views.get(items, 'one')).to.deep.equal(value);
        expect(await views.get(items, 'two')).to.equal(undefined);
        expect(await views.getAtOnce(items, 'one')).to.deep.equal(value);
        expect(await views.getAtOnce(items, 'two')).to.equal(undefined);
        expect(await views.getPlaced(items, ['one', 'two'])).to.deep.equal([
          { key: 'one', position: positionOf(1), value },
          { key: 'two', position: ORIGIN, value: undefined },
        ]);
      });

      it('gives back many in the order in which they were asked for, some of them twice', async () => {
        await views.commit(step(2, [placed('a', 1, { size: 1 }), placed('b', 2, { size: 2 })]));
        expect(await views.getMany(items, ['b', 'x', 'a', 'b'])).to.deep.equal([
          { size: 2 },
          undefined,
          { size: 1 },
          { size: 2 },
        ]);
        expect(await views.getMany(items, [])).to.deep.equal([]);
      });

      it('keeps keys apart that differ in case or in bytes alone', async () => {
        await views.commit(
          step(
            AWKWARD.length,
            AWKWARD.map((key, n) => placed(key, n + 1, { size: n })),
          ),
        );
        expect(await views.getMany(items, AWKWARD)).to.deep.equal(AWKWARD.map((_key, n) => ({ size: n })));
      });

      it('keeps views apart', async () => {
        await views.commit({ ...step(1), documents: [{ view: 'others', documents: [placed('one', 1, { size: 9 })] }] });
        expect(await views.get(items, 'one')).to.equal(undefined);
        expect(await views.get(others, 'one')).to.deep.equal({ size: 9 });
      });

      it('shows what was just written to whoever had read what was there before', async () => {
        await views.commit(step(1, [placed('one', 1, { size: 1 })]));
        await views.getMany(items, ['one', 'two']);
        await views.commit(step(2, [placed('one', 2, { size: 2 }), placed('two', 2, { size: 2 })]));
        expect(await views.getMany(items, ['one', 'two'])).to.deep.equal([{ size: 2 }, { size: 2 }]);
      });
    });

    describe('older positions', () => {
      it('are refused, document by document', async () => {
        await views.commit(step(5, [placed('one', 5, { size: 5 }), placed('two', 2, { size: 2 })]));
        await views.commit(
          step(4, [placed('one', 4, { size: 4 }), placed('two', 3, { size: 3 }), placed('three', 4, { size: 4 })]),
        );
        expect(await views.getPlaced(items, ['one', 'two', 'three'])).to.deep.equal([
          placed('one', 5, { size: 5 }),
          placed('two', 3, { size: 3 }),
          placed('three', 4, { size: 4 }),
        ]);
      });

      it('change nothing at the same position either', async () => {
        await views.commit(step(5, [placed('one', 5, { size: 5 })]));
        await views.commit(step(5, [placed('one', 5, { size: 6 })]));
        expect(await views.get(items, 'one')).to.deep.equal({ size: 5 });
      });

      it('do not bring a deleted document back', async () => {
        await views.commit(step(1, [placed('one', 1, { size: 1 })]));
        await views.commit(step(3, [placed('one', 3, undefined)]));
        await views.commit(step(2, [placed('one', 2, { size: 2 })]));
        expect(await views.get(items, 'one')).to.equal(undefined);
        expect(await views.getPlaced(items, ['one'])).to.deep.equal([placed('one', 3, undefined)]);
      });

      it('leave totals and cursors as they are', async () => {
        const at = new Date(clock).toISOString();
        const cursor = (n: number) => ({ s: { revision: n, at, position: positionOf(n) } });
        await views.commit(step(5, [], { totals: { items: { n: 5 } }, cursors: cursor(5) }));
        await views.commit(step(4, [], { totals: { items: { n: 4 } }, cursors: cursor(4) }));
        expect((await views.totals(items)).sums).to.deep.equal({ n: 5 });
        expect(await views.cursor('s')).to.deep.equal(cursor(5).s);
      });
    });

    describe('deleted documents', () => {
      beforeEach(async () => {
        await views.commit(
          step(3, [
            placed('one', 1, { colour: 'red' }),
            placed('two', 2, { colour: 'red' }),
            placed('three', 3, { colour: 'red' }),
          ]),
        );
        await views.commit(step(4, [placed('two', 4, undefined)]));
      });

      it('are in no answer but that with positions', async () => {
        expect(await views.get(items, 'two')).to.equal(undefined);
        expect(await views.getMany(items, ['one', 'two'])).to.deep.equal([{ colour: 'red' }, undefined]);
        expect(await found({})).to.deep.equal(['one', 'three']);
        expect(await found({ colour: 'red' })).to.deep.equal(['one', 'three']);
        expect(await views.count(items)).to.equal(2);
        expect(await views.count(items, { colour: 'red' })).to.equal(2);
      });

      it('come back with a newer event', async () => {
        await views.commit(step(5, [placed('two', 5, { colour: 'blue' })]));
        expect(await found({ colour: 'blue' })).to.deep.equal(['two']);
      });

      it('leave no trace once they are swept, and only then', async () => {
        expect(await views.sweep(1000)).to.equal(0);
        clock += 1001;
        expect(await views.sweep(1000)).to.equal(1);
        expect(await views.getPlaced(items, ['one', 'two'])).to.deep.equal([
          placed('one', 1, { colour: 'red' }),
          { key: 'two', position: ORIGIN, value: undefined },
        ]);
        expect(await views.sweep(1000)).to.equal(0);
      });

      it('can be swept by the thousand', async () => {
        const many = Array.from({ length: 5000 }, (_, n) => placed(`x${n}`, 5, undefined));
        await views.commit(step(5, many));
        clock += 10;
        expect(await views.sweep(5)).to.equal(5001);
        expect(await found({})).to.deep.equal(['one', 'three']);
      });

      it('come back after a sweep with a newer event alone', async () => {
        clock += 10;
        await views.sweep(5);
        await views.commit(step(5, [placed('two', 5, { colour: 'blue' })]));
        expect(await views.get(items, 'two')).to.deep.equal({ colour: 'blue' });
      });
    });

    describe('forgetting', () => {
      it('removes what is before a key, whether it is there or deleted, and leaves no trace of it', async () => {
        await views.commit(
          step(1, [placed('a/1', 1, { colour: 'red' }), placed('a/2', 1, undefined), placed('b', 1, { colour: 'red' })]),
        );
        await views.get(items, 'a/1');
        expect(await views.forget(items, 'b')).to.equal(2);
        expect(await found({})).to.deep.equal(['b']);
        expect(await views.get(items, 'a/1')).to.equal(undefined);
        expect(await views.getPlaced(items, ['a/2'])).to.deep.equal([{ key: 'a/2', position: ORIGIN, value: undefined }]);
        expect(await views.forget(items, 'b')).to.equal(0);
      });

      it('removes them by the thousand, and takes newer ones', async () => {
        await views.commit(
          step(
            1,
            Array.from({ length: 2100 }, (_, n) => placed(`x${n}`, 1, { colour: 'red' })),
          ),
        );
        expect(await views.forget(items, 'y')).to.equal(2100);
        await views.commit(step(2, [placed('x1', 2, { colour: 'blue' })]));
        expect(await found({})).to.deep.equal(['x1']);
      });
    });

    describe('finding', () => {
      const SIZES = [5, 3, 3, 9, 1, 3];
      const byKey = (a: readonly [string, number], b: readonly [string, number]) => inBytes(a[0], b[0]);
      const sized = AWKWARD.map((key, n): readonly [string, number] => [key, SIZES[n % SIZES.length] ?? 0]);

      beforeEach(async () => {
        const documents = sized.map(([key, size], n) =>
          placed(key, n + 1, { colour: n % 2 === 0 ? 'red' : 'blue', size, name: key, deep: { at: key } }),
        );
        await views.commit(step(documents.length, documents));
      });

      const everything = AWKWARD.toSorted(inBytes);
      const reds = AWKWARD.filter((_key, n) => n % 2 === 0).toSorted(inBytes);

      it('goes through all documents in the byte order of their keys, whatever the size of the pages', async () => {
        for (const limit of [1, 2, 3, 7, AWKWARD.length, 100]) {
          expect(await paged({}, limit, (_item, key) => [key]), `pages of ${limit}`).to.deep.equal(everything);
        }
      });

      it('says that there is more only where there is', async () => {
        const moreIn = async (query: Query): Promise<boolean> => (await views.find(items, query)).more;
        expect(await moreIn({ limit: AWKWARD.length })).to.equal(false);
        expect(await moreIn({ limit: AWKWARD.length - 1 })).to.equal(true);
        expect(await moreIn({ where: { colour: 'red' }, limit: reds.length })).to.equal(false);
        expect(await moreIn({ where: { colour: 'green' }, limit: 1 })).to.equal(false);
      });

      it('goes backwards too', async () => {
        expect(await paged({ sort: ['-key'] }, 4, (_item, key) => [key])).to.deep.equal(everything.toReversed());
      });

      it('sorts by a field in byte order, by the key among equals, in either direction', async () => {
        const expected = sized.toSorted((a, b) => a[1] - b[1] || byKey(a, b)).map(([key]) => key);
        expect(await paged({ sort: ['size'] }, 4, ({ size }, key) => [size ?? 0, key])).to.deep.equal(expected);
        expect(await paged({ sort: ['-size'] }, 4, ({ size }, key) => [size ?? 0, key])).to.deep.equal(expected.toReversed());
        expect(await paged({ sort: ['name'] }, 4, (_item, key) => [key, key])).to.deep.equal(everything);
        expect(await paged({ sort: ['deep.at'] }, 4, (_item, key) => [key, key])).to.deep.equal(everything);
      });

      it('sorts by several fields, also where their directions differ', async () => {
        const colourOf = (key: string): string => (AWKWARD.indexOf(key) % 2 === 0 ? 'red' : 'blue');
        const expected = sized
          .toSorted((a, b) => inBytes(colourOf(a[0]), colourOf(b[0])) || b[1] - a[1] || -byKey(a, b))
          .map(([key]) => key);
        const values = ({ colour, size }: Item, key: string) => [colour ?? '', size ?? 0, key];
        expect(await paged({ sort: ['colour', '-size'] }, 3, values)).to.deep.equal(expected);
        const down = sized
          .toSorted((a, b) => inBytes(colourOf(b[0]), colourOf(a[0])) || b[1] - a[1] || -byKey(a, b))
          .map(([key]) => key);
        expect(await paged({ sort: ['-colour', '-size'] }, 3, values)).to.deep.equal(down);
      });

      it('filters by a field and pages through what is left', async () => {
        expect(await paged({ where: { colour: 'red' } }, 2, (_item, key) => [key])).to.deep.equal(reds);
        const bySize = sized
          .filter(([key]) => reds.includes(key))
          .toSorted((a, b) => a[1] - b[1] || byKey(a, b))
          .map(([key]) => key);
        expect(await paged({ where: { colour: 'red' }, sort: ['size'] }, 2, ({ size }, key) => [size ?? 0, key])).to.deep.equal(
          bySize,
        );
      });

      it('goes on after a document that is not there any more', async () => {
        expect(await keysOf({ after: ['a!'], limit: 3 })).to.deep.equal(
          everything.filter((key) => inBytes(key, 'a!') > 0).slice(0, 3),
        );
      });

      it('finds any of several values, sorted across them and each once', async () => {
        const two = { colour: { $in: ['red', 'blue', 'red', 'green'] } };
        expect(await paged({ where: two }, 4, (_item, key) => [key])).to.deep.equal(everything);
        const bySize = sized.toSorted((a, b) => b[1] - a[1] || -byKey(a, b)).map(([key]) => key);
        expect(await paged({ where: two, sort: ['-size'] }, 4, ({ size }, key) => [size ?? 0, key])).to.deep.equal(bySize);
        expect(await found({ size: { $in: [9] } })).to.have.members(sized.filter(([, size]) => size === 9).map(([key]) => key));
        expect(await found({ colour: { $in: [] } })).to.deep.equal([]);
        expect(await found({ key: { $in: ['z', 'A', 'nobody'] } })).to.deep.equal(['A', 'z']);
        expect(
          await found({ colour: { $in: Array.from({ length: 200 }, (_, n) => (n === 77 ? 'red' : `colour ${n}`)) } }),
        ).to.deep.equal(reds);
      });

      it('finds ranges, of numbers, texts and keys', async () => {
        const within = (keep: (size: number) => boolean) => sized.filter(([, size]) => keep(size)).map(([key]) => key);
        expect(await found({ size: { $gt: 3 } })).to.have.members(within((size) => size > 3));
        expect(await found({ size: { $gte: 3, $lt: 9 } })).to.have.members(within((size) => size >= 3 && size < 9));
        expect(await found({ size: { $lte: 1 } })).to.have.members(within((size) => size <= 1));
        expect(await found({ 'deep.at': { $gte: 'a', $lt: 'b' } })).to.deep.equal(
          everything.filter((key) => key >= 'a' && key < 'b'),
        );
        expect(await found({ key: { $gt: 'z' } })).to.deep.equal(['ä', 'é', '～', '😀']);
      });

      it('finds prefixes, which are bytes and no patterns', async () => {
        for (const prefix of ['a', 'a/', 'a_', 'a%', 'A', 'ä', '～', '😀', '']) {
          const expected = everything.filter((key) => key.startsWith(prefix));
          expect(await found({ key: { $prefix: prefix } }), `keys under "${prefix}"`).to.deep.equal(expected);
          expect(await found({ 'deep.at': { $prefix: prefix } }), `texts under "${prefix}"`).to.deep.equal(expected);
        }
      });

      it('joins conditions', async () => {
        expect(await found({ colour: 'red', size: { $gt: 1 }, key: { $prefix: 'a' } })).to.deep.equal(
          sized
            .filter(([key, size]) => reds.includes(key) && size > 1 && key.startsWith('a'))
            .toSorted(byKey)
            .map(([key]) => key),
        );
      });

      it('counts what it would find', async () => {
        expect(await views.count(items)).to.equal(AWKWARD.length);
        expect(await views.count(items, { colour: 'red' })).to.equal(reds.length);
        expect(await views.count(items, { size: { $gt: 3 } })).to.equal(sized.filter(([, size]) => size > 3).length);
        expect(await views.count(items, { colour: { $in: ['red', 'blue'] } })).to.equal(AWKWARD.length);
        expect(await views.count(items, { colour: 'green' })).to.equal(0);
      });

      it('counts no further than it is told', async () => {
        expect(await views.count(items, {}, 5)).to.equal(5);
        expect(await views.count(items, { colour: 'red' }, reds.length - 1)).to.equal(reds.length - 1);
        expect(await views.count(items, { colour: 'red' }, reds.length)).to.equal(reds.length);
        expect(await views.count(items, { colour: { $in: ['red', 'blue'] } }, AWKWARD.length + 1)).to.equal(AWKWARD.length);
        expect(await views.count(items, { colour: 'green' }, 1)).to.equal(0);
        for (const atMost of [0, -1, 1.5, Number.NaN])
          expect(await refusal(views.count(items, {}, atMost)), `at most ${atMost}`).to.be.instanceOf(RangeError);
      });

      it('refuses pages without end, and of nothing', async () => {
        for (const limit of [0, -1, 1.5, LARGEST_PAGE + 1, Number.NaN]) {
          expect(await refusal(views.find(items, { limit })), `a page of ${limit}`).to.be.instanceOf(RangeError);
        }
        expect(await refusal(views.find(items, { limit: 1, after: ['a', 'b'] }))).to.be.instanceOf(Error);
      });
    });

    describe('finding by kind', () => {
      beforeEach(async () => {
        const values: Readonly<Record<string, Item>> = {
          number: { mixed: 5, owner: null, loud: true },
          text: { mixed: '5', owner: '', loud: false },
          large: { mixed: 70 },
          word: { mixed: 'word', owner: 'me' },
        };
        await views.commit(
          step(
            4,
            Object.entries(values).map(([key, value], n) => placed(key, n + 1, value as Document)),
          ),
        );
      });

      it('tells a number from the text that looks like it', async () => {
        expect(await found({ mixed: 5 })).to.deep.equal(['number']);
        expect(await found({ mixed: '5' })).to.deep.equal(['text']);
        expect(await found({ mixed: { $in: [5, 'word'] } })).to.deep.equal(['number', 'word']);
      });

      it('keeps a range to the kind of its bounds', async () => {
        expect(await found({ mixed: { $gt: 5 } })).to.deep.equal(['large']);
        expect(await found({ mixed: { $lte: 70 } })).to.deep.equal(['large', 'number']);
        expect(await found({ mixed: { $gte: '5' } })).to.deep.equal(['text', 'word']);
        expect(await found({ mixed: { $lt: 'x' } })).to.deep.equal(['text', 'word']);
      });

      it('finds true, false, and null together with what is absent', async () => {
        expect(await found({ loud: true })).to.deep.equal(['number']);
        expect(await found({ loud: false })).to.deep.equal(['text']);
        expect(await found({ owner: null })).to.deep.equal(['large', 'number']);
        expect(await found({ owner: '' })).to.deep.equal(['text']);
      });
    });

    describe('totals, cursors and the checkpoint', () => {
      it('begin empty', async () => {
        expect((await views.totals(items)).sums).to.deep.equal({});
        expect(await views.cursor('s')).to.equal(undefined);
        expect(await views.checkpoint()).to.equal(ORIGIN);
        expect(await views.faults()).to.deep.equal({});
      });

      it('are as the last step left them', async () => {
        const cursor = { revision: 7, at: new Date(clock).toISOString(), position: positionOf(3) };
        await views.commit(step(3, [], { totals: { items: { n: 1, bytes: 2 ** 52 } }, cursors: { s: cursor } }));
        expect((await views.totals(items)).sums).to.deep.equal({ n: 1, bytes: 2 ** 52 });
        expect((await views.totals(others)).sums).to.deep.equal({});
        expect(await views.cursor('s')).to.deep.equal(cursor);
        expect(await views.checkpoint()).to.equal(positionOf(3));
        await views.commit(step(4, [], { totals: { items: { n: 2 } } }));
        expect((await views.totals(items)).sums).to.deep.equal({ n: 2 });
        expect(await views.cursor('s')).to.deep.equal(cursor);
      });

      it('only move forward', async () => {
        await views.commit(step(9));
        await views.commit(step(8));
        expect(await views.checkpoint()).to.equal(positionOf(9));
      });
    });

    describe('a faulted view', () => {
      const fault = { position: positionOf(2), type: 'Broken', message: 'cannot' };

      beforeEach(async () => {
        await views.commit(step(1, [placed('one', 1, { size: 1 })]));
        await views.commit(step(2, [], { faults: { items: fault } }));
      });

      it('is refused to every reader by name, with a word about the rebuild', async () => {
        const reads = [
          views.get(items, 'one'),
          (async () => views.getAtOnce(items, 'one'))(),
          views.getMany(items, ['one']),
          views.getPlaced(items, ['one']),
          views.find(items, { limit: 1 }),
          views.count(items),
          views.totals(items),
        ];
        for (const read of reads) {
          const error = await refusal(read);
          expect(isRefusal(error, 'UNAVAILABLE')).to.equal(true);
          expect((error as RegistryError).message)
            .to.contain('items')
            .and.to.match(/rebuild/i);
          expect((error as RegistryError).detail).to.include({ view: 'items' });
        }
      });

      it('leaves the other views alone', async () => {
        expect(await views.get(others, 'one')).to.equal(undefined);
        expect(await views.checkpoint()).to.equal(positionOf(2));
      });

      it('stays faulted at the first event that it could not take', async () => {
        await views.commit(step(3, [], { faults: { items: { ...fault, position: positionOf(3) } } }));
        expect(await views.faults()).to.deep.equal({ items: fault });
      });
    });

    it('never loses a change nor brings one back, whoever is late and however often a step is repeated', async () => {
      const keys = ['a', 'b', 'c'];
      const change = fc.record({ key: fc.constantFrom(...keys), deleted: fc.boolean() });
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 }),
          fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 12 }),
          async (batches, lateness) => {
            const fresh = await open(group, { now: () => clock });
            try {
              const { steps, expected } = history(batches);
              // Each step at its turn; between them any earlier one once more, as a paused projector would, and sweeps.
              for (const [n, one] of steps.entries()) {
                await fresh.commit(one);
                const [back, sweep] = lateness[n] ?? [0, false];
                if (sweep) {
                  clock += 10;
                  await fresh.sweep(5);
                }
                await fresh.commit(steps[back % (n + 1)] as Commit);
                const values = await fresh.getMany(items, keys);
                expect(values).to.deep.equal(keys.map((key) => expected[n]?.get(key)));
                expect((await fresh.find(items, { limit: 10 })).items.map(({ key }) => key)).to.deep.equal(
                  keys.filter((key) => expected[n]?.get(key) !== undefined),
                );
                expect(await fresh.checkpoint()).to.equal(one.checkpoint);
                expect((await fresh.totals(items)).sums).to.deep.equal(one.totals.items);
              }
            } finally {
              await fresh.close();
            }
          },
        ),
        { numRuns: 60 },
      );
    });
  });
};

/** Steps as a projector would make them of changes, and what the documents are after each. */
const history = (batches: readonly (readonly Readonly<{ key: string; deleted: boolean }>[])[]) => {
  const state = new Map<string, Document>();
  const expected: ReadonlyMap<string, Document>[] = [];
  let position = 0;
  const steps = batches.map((changes) => {
    const last = new Map<string, Placed>();
    for (const { key, deleted } of changes) {
      position += 1;
      const value = deleted ? undefined : { size: position };
      last.set(key, placed(key, position, value));
      if (value === undefined) state.delete(key);
      else state.set(key, value);
    }
    expected.push(new Map(state));
    return step(position, [...last.values()], { totals: { items: { n: position } } });
  });
  return { steps, expected };
};
