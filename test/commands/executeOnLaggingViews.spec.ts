import { expect } from 'chai';
import type { RepositoryCommand } from '../../src/commands/repository/commands.ts';
import { TAGS_PER_APPEND } from '../../src/commands/repository/deleting.ts';
import { RegistryError } from '../../src/errors.ts';
import type { Fact } from '../../src/events/event.ts';
import { tagKey, tags } from '../../src/projections/tags.ts';
import { refusalOf } from '../identity/refusals.ts';
import { appendTo, type Give, giving, historyOf, troubled, type World, world } from '../support/executing.ts';
import {
  at,
  config,
  image,
  index,
  LIFE,
  layer,
  link,
  linked,
  otherImage,
  otherLayer,
  push,
  pushed,
  remove,
  removed,
  tagged,
  unlink,
  unlinked,
  untag,
  untagged,
  withImage,
} from '../support/facts.ts';

let here: World;

/** Each test of the suite that calls it has a world of its own. */
const inAWorld = (): void => {
  beforeEach(async () => {
    here = await world();
  });
  afterEach(() => here.close());
};

/** Everything appended, and the first `shown` events of it in the views. */
const happened = async (history: readonly Fact[], shown: number): Promise<Give> => {
  if (shown > 0) await appendTo(here.log, history.slice(0, shown));
  await here.catchUp();
  for (let from = shown; from < history.length; from += 1000) await appendTo(here.log, history.slice(from, from + 1000));
  return giving(here.node());
};

const outcomeOf = async (give: Give, command: RepositoryCommand): Promise<unknown> => {
  try {
    return (await give(command)).facts;
  } catch (error) {
    if (error instanceof RegistryError) return error.code;
    throw error;
  }
};

describe('views that lag', () => {
  inAWorld();

  const history = [
    ...withImage,
    tagged('latest', image),
    linked(otherLayer),
    pushed(otherImage),
    tagged('latest', otherImage, { digest: image.digest, since: at(0) }),
    tagged('v1', image),
    pushed(index),
    untagged('v1', image, at(0)),
    removed(image),
    unlinked(layer),
  ];
  const commands: readonly (readonly [RepositoryCommand, unknown])[] = [
    [link(layer), [linked(layer)]],
    [link(config), []],
    [unlink(config), 'BLOB_REFERENCED'],
    [unlink(layer), 'BLOB_UNKNOWN'],
    [push(image, 'latest'), 'MANIFEST_BLOB_UNKNOWN'],
    [push(otherImage, 'latest'), []],
    [push(otherImage, 'v1'), [tagged('v1', otherImage)]],
    [push(index, 'latest'), [tagged('latest', index, { digest: otherImage.digest, since: at(0) })]],
    [untag('v1'), 'TAG_UNKNOWN'],
    [remove(image), 'MANIFEST_UNKNOWN'],
    [remove(otherImage), [untagged('latest', otherImage, at(0), 'manifestDeleted'), removed(otherImage)]],
  ];

  for (let shown = 0; shown <= history.length; shown++) {
    it(`decide nothing otherwise when they have ${shown} of ${history.length} events`, async () => {
      for (const [command, expected] of commands) {
        await here.close();
        here = await world();
        expect(await outcomeOf(await happened(history, shown), command)).to.deep.equal(expected);
      }
    });
  }

  it('make the tail longer that is read of the log, and shorter again once they have caught up', async () => {
    const give = await happened(withImage, 0);
    const before = here.log.stats().eventsRead;
    await give(link(layer));
    const behind = here.log.stats().eventsRead;
    await here.catchUp();
    const caughtUp = here.log.stats().eventsRead;
    await give(link(layer));

    expect(behind - before).to.equal(withImage.length);
    expect(here.log.stats().eventsRead - caughtUp).to.equal(0);
  });
});

describe('views that are too far behind', () => {
  inAWorld();

  const moves = (count: number): readonly Fact[] => [
    ...withImage,
    ...Array.from({ length: count - withImage.length }, (_, n) => tagged(`t${n}`, image)),
  ];

  it('still serve a tail of 5,000 events', async () => {
    const give = await happened(moves(5000), 0);
    expect((await give(untag('t4995'))).facts).to.have.lengthOf(1);
  });

  it('let nothing be decided on a longer one, until they have caught up', async () => {
    const give = await happened(moves(5001), 0);
    for (const command of [untag('t4996'), untag('never'), push(image, 't0')]) {
      expect((await refusalOf(() => give(command))).code).to.equal('UNAVAILABLE');
    }
    expect(await historyOf(here.log)).to.have.lengthOf(5001);

    await here.catchUp();
    expect((await give(untag('t4996'))).facts).to.have.lengthOf(1);
  });
});

describe('an event that this release does not know', () => {
  inAWorld();

  const unheardOf: Fact = { type: 'RepositoryArchived', data: { repositoryId: LIFE } };

  it('stops decisions on its stream alone', async () => {
    const give = await happened([...withImage, unheardOf], withImage.length);
    for (const command of [link(otherLayer), link(layer), untag('never')]) {
      const refusal = await refusalOf(() => give(command));
      expect(refusal.code).to.equal('UNAVAILABLE');
      expect(refusal.message).to.contain('RepositoryArchived').and.contain('newer release');
    }
    const elsewhere = { ...link(layer), repository: 'team/other', newRepositoryId: 'life-other' };
    expect((await give(elsewhere)).facts).to.have.lengthOf(2);
  });

  it('stops them, too, when it is a later version of one that is known', async () => {
    const give = await happened(withImage, 0);
    await appendTo(here.log, [linked(otherLayer)], { version: 2 });
    expect((await refusalOf(() => give(link(otherLayer)))).code).to.equal('UNAVAILABLE');
  });

  it('stops them, too, when it comes between a decision and its append', async () => {
    await happened(withImage, withImage.length);
    const log = troubled(here.log, [() => appendTo(here.log, [unheardOf])]);
    expect((await refusalOf(() => giving(here.node({ log }))(link(otherLayer)))).code).to.equal('UNAVAILABLE');
    expect(await historyOf(here.log)).to.have.lengthOf(withImage.length + 1);
  });
});

describe('a view that faulted', () => {
  inAWorld();

  it('lets nothing be decided that needs it, and all else', async () => {
    const give = await happened(withImage, withImage.length);
    const fault = { position: '0000000000000001', type: 'TagMoved', message: 'a defect' };
    await here.views.commit({ totals: {}, documents: [], cursors: {}, checkpoint: '', faults: { tags: fault } });

    expect((await refusalOf(() => give(push(image, 'latest')))).code).to.equal('UNAVAILABLE');
    expect((await give(link(otherLayer))).facts).to.have.lengthOf(1);
  });
});

describe('deleting a manifest with 450 tags', () => {
  inAWorld();

  const history = [...withImage, ...Array.from({ length: 450 }, (_, n) => tagged(`t${n}`, image))];

  /** Asks again until the manifest is gone, as the routes do. @returns how many appends that took */
  const removeWhole = async (give: Give, between: () => Promise<void> = async () => {}): Promise<number> => {
    for (let appends = 1; ; appends += 1) {
      const { facts } = await give(remove(image));
      if (facts.some(({ type }) => type === 'ManifestDeleted')) return appends;
      await between();
    }
  };

  const leavesNothing = async (): Promise<void> => {
    const pointing = new Set<string>();
    for (const { type, data } of await historyOf(here.log)) {
      const { tag } = data as { tag?: string };
      if (type === 'TagMoved') pointing.add(String(tag));
      if (type === 'TagDeleted') pointing.delete(String(tag));
    }
    expect([...pointing]).to.deep.equal([]);
    expect((await historyOf(here.log)).at(-1)?.type).to.equal('ManifestDeleted');
    await here.catchUp();
    expect((await here.views.find(tags, { limit: 1 })).items).to.deep.equal([]);
  };

  for (const shown of [0, 2, 4, 5, 100, 300, 453, 454]) {
    it(`leaves none of them when the views have ${shown} events`, async () => {
      const appends = await removeWhole(await happened(history, shown));
      expect(appends).to.equal(Math.ceil(450 / TAGS_PER_APPEND));
      await leavesNothing();
    });
  }

  it('leaves none of them when the views catch up on the way', async () => {
    await removeWhole(await happened(history, 200), here.catchUp);
    await leavesNothing();
  });

  it('leaves none of them when somebody else sets and moves tags meanwhile', async () => {
    await happened(history, 300);
    const log = troubled(here.log, [
      () => appendTo(here.log, [tagged('z', image), untagged('t7', image, at(0))]),
      async () => {},
      () => appendTo(here.log, [tagged('a', image), tagged('t449', image)]),
    ]);
    await removeWhole(giving(here.node({ log })));
    await leavesNothing();
  });

  it('leaves none of them when two ask for it at once', async () => {
    await happened(history, 300);
    const results = await Promise.allSettled([removeWhole(giving(here.node())), removeWhole(giving(here.node()))]);

    // Who comes second finds the manifest gone, or had the last append himself.
    expect(results.some(({ status }) => status === 'fulfilled')).to.equal(true);
    await leavesNothing();
  });

  it('is of the repository that has them: another one keeps its tags of the same manifest', async () => {
    const give = await happened(history, 300);
    await give({ ...link(config), repository: 'team/other', newRepositoryId: 'life-other' });
    await give({ ...link(layer), repository: 'team/other', newRepositoryId: 'life-other' });
    await give({ ...push(image, 'latest'), repository: 'team/other', newRepositoryId: 'life-other' });
    await removeWhole(give);
    await here.catchUp();

    expect((await here.views.find(tags, { limit: 10 })).items.map(({ key }) => key)).to.deep.equal([
      tagKey('life-other', 'latest'),
    ]);
  });
});
