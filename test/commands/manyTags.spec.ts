import { expect } from 'chai';
import type { Fact } from '../../src/events/event.ts';
import { appendTo, giving, historyOf, type World, world } from '../support/executing.ts';
import { image, imageOf, push, remove, tagged, untag, withImage } from '../support/facts.ts';

const TAGS = 100_000;
const FEW = 10;
/** What fits well into one append of at most a megabyte. */
const AT_ONCE = 1500;

type Costs = Readonly<Record<string, number>>;

const minus = (after: Costs, before: Costs): Costs =>
  Object.fromEntries(Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]));

/** A repository with this many tags, in views that keep nothing in memory, so that every document is a row that is read. */
const withTags = async (count: number): Promise<World> => {
  const here = await world({ cacheBytes: 0 });
  const facts: readonly Fact[] = [...withImage, ...Array.from({ length: count }, (_, n) => tagged(`t${n}`, image))];
  for (let from = 0; from < facts.length; from += AT_ONCE) await appendTo(here.log, facts.slice(from, from + AT_ONCE));
  await here.catchUp();
  return here;
};

describe('a repository with 100,000 tags', () => {
  let few: World;
  let full: World;

  before(async () => {
    few = await withTags(FEW);
    full = await withTags(TAGS);
  });
  after(() => Promise.all([few.close(), full.close()]));

  /** What commands cost until they show, all counted: in the log, and in the views for deciding and projecting. */
  const costOf = async (here: World, work: (give: ReturnType<typeof giving>) => Promise<{ position: string }>) => {
    const projector = here.project();
    await projector.reached(await here.log.head(), Number.POSITIVE_INFINITY);
    const [log, views] = [here.log.stats(), here.views.stats()];
    const { position } = await work(giving(here.node()));
    await projector.reached(position, Number.POSITIVE_INFINITY);
    const cost = { log: minus(here.log.stats(), log), views: minus(here.views.stats(), views) };
    await projector.stop();
    return cost;
  };

  /** Numbers of tags are written out in the catalog's document and in its totals: that is all that grows, a digit at a time. */
  const sameBut = (digits: number, big: Costs, small: Costs): void => {
    const { charactersRead: bigRead = 0, charactersWritten: bigWritten = 0, ...bigRest } = big;
    const { charactersRead: smallRead = 0, charactersWritten: smallWritten = 0, ...smallRest } = small;
    expect(bigRest).to.deep.equal(smallRest);
    expect(Math.abs(bigRead - smallRead)).to.be.at.most(digits);
    expect(Math.abs(bigWritten - smallWritten)).to.be.at.most(digits);
  };

  it('is what it says', async () => {
    expect(await historyOf(full.log)).to.have.lengthOf(withImage.length + TAGS);
  });

  it('takes a push at the cost that it has in one with ten', async () => {
    const another = imageOf('another image', ...image.references);
    const inFew = await costOf(few, (give) => give(push(another, 'latest')));
    const inFull = await costOf(full, (give) => give(push(another, 'latest')));

    expect(inFull.log).to.deep.equal(inFew.log);
    sameBut(10, inFull.views, inFew.views);
    expect(inFew.log).to.include({ appends: 1 });
    expect(inFew.views).to.include({ commits: 1 });
  });

  it('takes a push that changes nothing, and the deletion of a tag, at the cost that they have in one with ten', async () => {
    const work = async (give: ReturnType<typeof giving>) => {
      await give(push(image, 'here'));
      await give(push(image, 'here'));
      return give(untag('here'));
    };
    const inFew = await costOf(few, work);
    const inFull = await costOf(full, work);

    expect(inFull.log).to.deep.equal(inFew.log);
    sameBut(20, inFull.views, inFew.views);
  });

  it('deletes a manifest without tags at the cost that it has in one with ten', async () => {
    const untagged = imageOf('an untagged image');
    const work = async (give: ReturnType<typeof giving>) => {
      await give(push(untagged));
      return give(remove(untagged));
    };
    const inFew = await costOf(few, work);
    const inFull = await costOf(full, work);

    expect(inFull.log).to.deep.equal(inFew.log);
    sameBut(20, inFull.views, inFew.views);
  });

  it('deletes 199 tags of a manifest without looking at the others', async () => {
    const before = full.views.stats();
    await giving(full.node())(remove(image));
    const { rowsRead = 0 } = minus(full.views.stats(), before);

    // A page of edges, the 200 of them that were asked for, their tags, and a few documents besides.
    expect(rowsRead).to.be.at.most(1000);
  });
});
