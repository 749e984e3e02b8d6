import { expect } from 'chai';
import { document, setUnder } from '../../src/commands/decider.ts';
import { type Knowledge, knowledgeOf } from '../../src/commands/knowledge.ts';
import type { Fact } from '../../src/events/event.ts';
import { references, taggedBy } from '../../src/projections/references.ts';
import { tagKey, tags } from '../../src/projections/tags.ts';
import { seen } from '../support/deciding.ts';
import { appendTo, type World, world } from '../support/executing.ts';
import { at, image, LIFE, otherImage, tagged, untagged, withImage } from '../support/facts.ts';

const prefix = taggedBy(LIFE, image.digest);
const key = (tag: string): string => tagKey(LIFE, tag);

let here: World;

/** Facts in the views, and facts behind them in the tail. */
const knowingOf = async (shown: readonly Fact[], tail: readonly Fact[]): Promise<Knowledge> => {
  await appendTo(here.log, shown);
  await here.catchUp();
  return knowledgeOf(here.views, seen(tail, 'test', shown.length));
};

const five = ['a', 'b', 'c', 'd', 'e'].map((tag) => tagged(tag, image));
/** Five tags in the views, and these facts behind them. */
const knowing = (...tail: readonly Fact[]): Promise<Knowledge> => knowingOf([...withImage, ...five], tail);

/** Each test of the suite that calls it has a world of its own. */
const inAWorld = (): void => {
  beforeEach(async () => {
    here = await world();
  });
  afterEach(() => here.close());
};

describe('what a command knows', () => {
  inAWorld();

  it('is what it named, and asking for anything else is a defect', async () => {
    const knowledge = await knowing();
    await knowledge.learn({ documents: [document(tags, key('a')), document(tags, key('never'))] });
    const documents = knowledge.documents(true);

    expect(documents.get(tags, key('a'))?.digest).to.equal(image.digest);
    expect(documents.get(tags, key('never'))).to.equal(undefined);
    expect(() => documents.get(tags, key('b'))).to.throw('not among the command');
    expect(() => documents.keysUnder(references, prefix)).to.throw('not among the command');
  });

  it('is nothing yet of what it has not named, while it looks for its keys', async () => {
    const documents = (await knowing()).documents(false);

    expect(documents.get(tags, key('a'))).to.equal(undefined);
    expect(documents.keysUnder(references, prefix)).to.deep.equal([]);
  });

  it('is read once: naming the same again teaches nothing', async () => {
    const knowledge = await knowing();
    const keys = { documents: [document(tags, key('a'))], sets: [setUnder(references, prefix, 2)] };

    expect(await knowledge.learn(keys)).to.equal(true);
    const before = here.views.stats();
    expect(await knowledge.learn(keys)).to.equal(false);
    expect(here.views.stats()).to.deep.equal(before);
  });

  it('has the events of the tail in it', async () => {
    const knowledge = await knowing(tagged('a', otherImage), untagged('b', image, at(0)), tagged('f', image));
    await knowledge.learn({ documents: ['a', 'b', 'f'].map((tag) => document(tags, key(tag))) });
    const documents = knowledge.documents(true);

    expect(documents.get(tags, key('a'))?.digest).to.equal(otherImage.digest);
    expect(documents.get(tags, key('b'))).to.equal(undefined);
    expect(documents.get(tags, key('f'))?.digest).to.equal(image.digest);
  });
});

describe('what a command knows of a set', () => {
  inAWorld();

  const known = async (knowledge: Knowledge, limit: number) => {
    await knowledge.learn({ sets: [setUnder(references, prefix, limit)] });
    return knowledge.documents(true).keysUnder(references, prefix);
  };

  it('is the first of its keys, and never more than it asked for', async () => {
    expect(await known(await knowing(), 2)).to.deep.equal(['a', 'b']);
  });

  it('is all of them where there are no more', async () => {
    expect(await known(await knowing(), 6)).to.deep.equal(['a', 'b', 'c', 'd', 'e']);
  });

  it('has what the tail adds, and lacks what it takes away', async () => {
    const knowledge = await knowing(untagged('a', image, at(0)), tagged('0', image), untagged('b', image, at(0)));
    expect(await known(knowledge, 3)).to.deep.equal(['0', 'c', 'd']);
  });

  it('is read again when more are asked for', async () => {
    const knowledge = await knowing();
    await known(knowledge, 1);
    expect(await known(knowledge, 4)).to.deep.equal(['a', 'b', 'c', 'd']);
  });

  it('is read again when more are asked for, even if as many happen to be known', async () => {
    const knowledge = await knowing(tagged('0', image), tagged('1', image));
    await known(knowledge, 1);
    expect(await known(knowledge, 3)).to.deep.equal(['0', '1', 'a']);
  });

  it('is found behind however many that the tail takes away', async () => {
    const many = Array.from({ length: 1100 }, (_, n) => `t${String(n).padStart(4, '0')}`);
    const shown = [...withImage, ...many.map((tag) => tagged(tag, image))];
    const gone = many.slice(0, 1050).map((tag) => untagged(tag, image, at(0)));

    expect(await known(await knowingOf(shown, gone), 3)).to.deep.equal(['t1050', 't1051', 't1052']);
  });

  it('is read again when too few are left of what was read', async () => {
    const knowledge = await knowing();
    await known(knowledge, 2);
    knowledge.suppose(seen([untagged('a', image, at(0)), untagged('b', image, at(0))]));
    expect(await known(knowledge, 2)).to.deep.equal(['c', 'd']);
  });

  it('is not read again when there were no more', async () => {
    const knowledge = await knowing();
    await known(knowledge, 6);
    knowledge.suppose(seen([untagged('a', image, at(0))]));
    expect(await knowledge.learn({ sets: [setUnder(references, prefix, 6)] })).to.equal(false);
    expect(await known(knowledge, 6)).to.deep.equal(['b', 'c', 'd', 'e']);
  });

  it('has what was supposed before it was asked for', async () => {
    const knowledge = await knowing();
    knowledge.suppose(seen([untagged('a', image, at(0)), tagged('b0', image)]));
    expect(await known(knowledge, 6)).to.deep.equal(['b', 'b0', 'c', 'd', 'e']);
  });
});

describe("somebody else's events", () => {
  inAWorld();

  const learnt = async (): Promise<Knowledge> => {
    const knowledge = await knowing();
    await knowledge.learn({ documents: [document(tags, key('never'))], sets: [setUnder(references, prefix, 1)] });
    return knowledge;
  };

  it('touch a document that was looked for, even in vain', async () => {
    expect((await learnt()).touchedBy(seen([tagged('never', otherImage)]))).to.equal(true);
  });

  it('touch a set when they add to it or take from it, even beyond what was read', async () => {
    expect((await learnt()).touchedBy(seen([tagged('z', image)]))).to.equal(true);
    expect((await learnt()).touchedBy(seen([untagged('e', image, at(0))]))).to.equal(true);
  });

  it('touch nothing else', async () => {
    expect((await learnt()).touchedBy(seen([tagged('z', otherImage), ...withImage]))).to.equal(false);
    expect((await learnt()).touchedBy([])).to.equal(false);
  });
});
