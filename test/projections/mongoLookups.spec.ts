import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { lookupsBy } from '../../src/projections/views/mongoLookups.ts';

/** A store whose queries are answered when the test says so, with what it holds then. */
const slowStore = () => {
  const held = new Map<string, number>();
  const queries: Readonly<{ keys: readonly string[]; answer: () => void; fail: (error: Error) => void }>[] = [];
  return {
    held,
    queries,
    find: (keys: readonly string[]) =>
      new Promise<ReadonlyMap<string, number>>((resolve, reject) => {
        queries.push({ keys, answer: () => resolve(new Map(held)), fail: reject });
      }),
  };
};

const keys = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => `key ${n}`);

describe('documents looked up by key', () => {
  it('come by one query when they are asked for in the same turn, each once', async () => {
    const { find, held, queries } = slowStore();
    held.set('a', 1).set('b', 2);
    const lookup = lookupsBy(find);
    const found = Promise.all(['a', 'b', 'a', 'none'].map(lookup));
    await turn();
    expect(queries.map((query) => query.keys)).to.deep.equal([['a', 'b', 'none']]);
    queries[0]?.answer();
    expect(await found).to.deep.equal([1, 2, 1, undefined]);
  });

  it('wait in company while several queries are under way', async () => {
    const { find, queries } = slowStore();
    const lookup = lookupsBy(find);
    const found: Promise<number | undefined>[] = [];
    for (const key of keys(100)) {
      found.push(lookup(key));
      await turn();
    }
    const first = queries.length;
    expect(first).to.be.lessThan(10);
    for (const query of [...queries]) query.answer();
    await turn();
    expect(queries.length).to.equal(first + 1);
    queries.at(-1)?.answer();
    await Promise.all(found);
  });

  it('are asked for in more than one query when they are very many', async () => {
    const { find, queries } = slowStore();
    const found = Promise.all(keys(1200).map(lookupsBy(find)));
    await turn();
    expect(queries.map((query) => query.keys.length)).to.deep.equal([500, 500, 200]);
    for (const { answer } of queries) answer();
    await found;
  });

  it('never join a query that was sent before', async () => {
    const { find, held, queries } = slowStore();
    const lookup = lookupsBy(find);
    const early = lookup('a');
    await turn();
    held.set('a', 1);
    const late = lookup('a');
    await turn();
    expect(queries).to.have.lengthOf(2);
    for (const { answer } of queries) answer();
    await early;
    expect(await late).to.equal(1);
  });

  it('fail together with their query, and the next query is as good as ever', async () => {
    const { find, queries } = slowStore();
    const lookup = lookupsBy(find);
    const results = Promise.allSettled(['a', 'b'].map(lookup));
    await turn();
    queries[0]?.fail(new Error('no answer'));
    expect((await results).map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    const again = lookup('a');
    await turn();
    queries[1]?.answer();
    expect(await again).to.equal(undefined);
  });
});
