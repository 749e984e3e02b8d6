import { expect } from 'chai';
import { type Feed, feedOf } from '../../src/live/feed.ts';

type Watched = Readonly<{ feed: Feed<number>; tell: (value: number) => void; begun: () => number; ended: () => number }>;

const watched = (): Watched => {
  const tells: ((value: number) => void)[] = [];
  let ended = 0;
  const feed = feedOf<number>(async (tell) => {
    tells.push(tell);
    return () => {
      ended += 1;
    };
  });
  return { feed, tell: (value) => tells.at(-1)?.(value), begun: () => tells.length, ended: () => ended };
};

/** Until all promises that are settled have been heard of. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a feed', () => {
  it('begins with the first who watches, once for all, and ends with the last', async () => {
    const { feed, begun, ended } = watched();
    expect([begun(), feed.watchers()]).to.deep.equal([0, 0]);
    const [one, two] = await Promise.all([feed.join(), feed.join()]);
    expect([begun(), feed.watchers()]).to.deep.equal([1, 2]);
    one.leave();
    one.leave();
    await settled();
    expect([ended(), feed.watchers()]).to.deep.equal([0, 1]);
    two.leave();
    await settled();
    expect([ended(), feed.watchers()]).to.deep.equal([1, 0]);
    await feed.join();
    expect([begun(), ended()], 'it begins anew').to.deep.equal([2, 1]);
  });

  it('tells everybody who listens, and nobody who has left', async () => {
    const { feed, tell } = watched();
    const heard: string[] = [];
    const [one, two] = await Promise.all([feed.join(), feed.join()]);
    one.listen((value) => heard.push(`one ${value}`));
    two.listen((value) => heard.push(`two ${value}`));
    tell(1);
    one.leave();
    one.listen((value) => heard.push(`after ${value}`));
    tell(2);
    expect(heard).to.deep.equal(['one 1', 'two 1', 'two 2']);
  });

  it('that cannot begin tells why, counts nobody, and is tried again by the next', async () => {
    const begins = [
      () => {
        throw new Error('no log');
      },
      () => () => undefined,
    ];
    const feed = feedOf<number>(() => (begins.shift() as () => () => void)());
    const failures = await Promise.all([feed.join().catch(String), feed.join().catch(String)]);
    expect(failures).to.deep.equal(['Error: no log', 'Error: no log']);
    expect(feed.watchers()).to.equal(0);
    await feed.join();
    expect(feed.watchers()).to.equal(1);
  });
});
