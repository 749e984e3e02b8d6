import { expect } from 'chai';
import fc from 'fast-check';
import type { RepositoryCommand } from '../../src/commands/repository/commands.ts';
import { TAGS_PER_APPEND } from '../../src/commands/repository/deleting.ts';
import { repositoryDecider } from '../../src/commands/repository.ts';
import { RegistryError } from '../../src/errors.ts';
import type { Fact } from '../../src/events/event.ts';
import { decideOn, repository, seen } from '../support/deciding.ts';
import { appendTo, giving, world } from '../support/executing.ts';
import {
  as,
  at,
  heldAgain,
  image,
  imageOf,
  index,
  indexOf,
  linked,
  otherImage,
  otherLayer,
  push,
  pushed,
  released,
  remove,
  removed,
  tagged,
  untag,
  untagged,
  withImage,
} from '../support/facts.ts';
import { anyCommand } from '../support/repositoryCommands.ts';
import { type Answer, answerOf, NOTHING, recountOf, statesOf, wordsOf } from '../support/repositoryModel.ts';

const withBoth = [...withImage, linked(otherLayer), pushed(otherImage)] as const;
const signature = imageOf('a signature', as('subject', image));
const previously = (n: number) => ({ digest: image.digest, since: at(n) });

describe('a manifest that nothing holds any more', () => {
  it('is released when its last tag is deleted', () =>
    repository(...withImage, tagged('latest', image))
      .when(untag('latest'))
      .thenRecords([untagged('latest', image, at(4)), released(image, 'tagDeleted')]));

  it('is released when its last tag moves away', () =>
    repository(...withBoth, tagged('latest', image))
      .when(push(otherImage, 'latest'))
      .thenRecords([tagged('latest', otherImage, previously(6)), released(image, 'tagMoved')]));

  it('is released when both of its tags move away at once', () =>
    repository(...withBoth, tagged('a', image), tagged('b', image))
      .when(push(otherImage, 'a', 'b'))
      .thenRecords([
        tagged('a', otherImage, previously(6)),
        tagged('b', otherImage, previously(7)),
        released(image, 'tagMoved'),
      ]));

  it('is released with the last index that lists it', () =>
    repository(...withBoth, pushed(index), tagged('latest', image))
      .when(remove(index))
      .thenRecords([released(otherImage, 'parentDeleted'), removed(index)]));

  it('is released with its subject', () =>
    repository(...withImage, pushed(signature))
      .when(remove(image))
      .thenRecords([released(signature, 'subjectDeleted'), removed(image)]));

  it('stays held by another tag, by an index, by its subject', async () => {
    await repository(...withImage, tagged('a', image), tagged('b', image))
      .when(untag('a'))
      .thenRecords([untagged('a', image, at(4))]);
    await repository(...withBoth, pushed(index), tagged('latest', image))
      .when(untag('latest'))
      .thenRecords([untagged('latest', image, at(7))]);
    await repository(...withImage, pushed(signature), tagged('sig', signature))
      .when(untag('sig'))
      .thenRecords([untagged('sig', signature, at(5))]);
  });

  it('is not held by a subject that is not there', () =>
    repository(...withImage, pushed(signature), removed(image), tagged('sig', signature))
      .when(untag('sig'))
      .thenRecords([untagged('sig', signature, at(6)), released(signature, 'tagDeleted')]));

  it('is held by the index that takes its tag, in the same push', () =>
    repository(...withBoth, tagged('latest', image))
      .when(push(index, 'latest'))
      .thenRecords([pushed(index), tagged('latest', index, previously(6))]));

  it('is held by the subject that takes its tag, in the same push', () =>
    repository(...withBoth.slice(0, 3), pushed(signature), tagged('latest', signature))
      .when(push(image, 'latest'))
      .thenRecords([pushed(image), tagged('latest', image, { digest: signature.digest, since: at(4) })]));

  it('is not released where nothing ever held it', async () => {
    await repository(...withImage)
      .when(push(image))
      .thenNothing();
    await repository(...withImage, pushed(signature))
      .when(remove(signature))
      .thenRecords([removed(signature)]);
  });

  it('is not released once more', () =>
    repository(
      ...withImage,
      pushed(signature),
      tagged('sig', signature),
      removed(image),
      released(signature, 'tagDeleted'),
      pushed(image),
    )
      .when(remove(image))
      .thenRecords([removed(image)]));
});

describe('a manifest that was released', () => {
  const letGo = [...withImage, tagged('latest', image), untagged('latest', image, at(4)), released(image, 'tagDeleted')] as const;

  it('is held again by a tag', () =>
    repository(...letGo)
      .when(push(image, 'v1'))
      .thenRecords([tagged('v1', image), heldAgain(image, 'tag')]));

  it('is held again by an index, which may be sparse', async () => {
    const alone = indexOf('of one', image);
    const sparse = { ...push(alone), references: alone.references.map((one) => ({ ...one, mayBeMissing: true })) };
    for (const command of [push(alone), sparse])
      await repository(...letGo)
        .when(command)
        .thenRecords([pushed(alone), heldAgain(image, 'parent')]);
  });

  it('is held again by its subject', () =>
    repository(...withImage, pushed(signature), released(signature, 'subjectDeleted'), removed(image))
      .when(push(image))
      .thenRecords([pushed(image), heldAgain(signature, 'subject')]));

  it('stays released when it is only pushed again', () =>
    repository(...letGo)
      .when(push(image))
      .thenNothing());

  it('is as new when it was deleted and pushed again', () =>
    repository(...letGo, removed(image))
      .when(push(image, 'latest'))
      .thenRecords([pushed(image), tagged('latest', image)]));
});

describe('what a push asks the views', () => {
  /** The queries that one push makes, by view: documents by their keys, or sets. */
  const asked = async (history: readonly Fact[], command: RepositoryCommand): Promise<readonly string[]> => {
    const here = await world();
    try {
      await appendTo(here.log, history);
      await here.catchUp();
      const queries: string[] = [];
      const views: typeof here.views = {
        ...here.views,
        getPlaced: (view, keys) => {
          queries.push(view.view);
          return here.views.getPlaced(view, keys);
        },
        find: (view, query) => {
          queries.push(`all under a prefix of ${view.view}`);
          return here.views.find(view, query);
        },
      };
      await giving(here.node({ views }))(command);
      return queries.sort((a, b) => a.localeCompare(b));
    } finally {
      await here.close();
    }
  };
  const once = ['links', 'manifests', 'repositories', 'tags'];

  it('is each of them once, for a new tag, a new index, and a tag that stays', async () => {
    expect(await asked(withBoth, push(imageOf('new', ...image.references), 'v1'))).to.deep.equal(once);
    expect(await asked(withBoth, push(index, 'v1', 'v2'))).to.deep.equal(once);
    expect(await asked([...withBoth, tagged('v1', image)], push(image, 'v1'))).to.deep.equal(once);
  });

  it('is what else holds a manifest, where a tag moves away from it', async () => {
    const more = ['all under a prefix of references', 'references'];
    const queries = await asked([...withBoth, tagged('v1', image)], push(otherImage, 'v1'));
    expect(queries.filter((query) => !once.includes(query))).to.deep.equal(more);
  });
});

/** What comes of a command that is asked again until it is done, an append each. */
const appendsOf = async (
  history: readonly Fact[],
  command: RepositoryCommand,
  last: string,
): Promise<readonly (readonly Fact[])[]> => {
  const facts = [...history];
  const appends: (readonly Fact[])[] = [];
  while (!appends.at(-1)?.some(({ type }) => type === last)) {
    appends.push(await decideOn(repositoryDecider, seen(facts), command));
    expect(appends.at(-1)).not.to.deep.equal([]);
    facts.push(...(appends.at(-1) ?? []));
  }
  return appends;
};

describe('an index with more manifests than one append takes', () => {
  const children = Array.from({ length: 450 }, (_, n) => imageOf(`child ${n}`));
  const large = indexOf('a large index', ...children);
  const pushedAll = [...withImage, ...children.map(pushed), pushed(large), tagged('latest', large)];

  it('lets them go in several, and goes last', async () => {
    const appends = await appendsOf(pushedAll, remove(large), 'ManifestDeleted');
    expect(appends.map(({ length }) => length)).to.deep.equal([199, 199, 54]);
    expect(appends.flat()[0]?.type).to.equal('TagDeleted');
    expect(appends.flat().at(-1)).to.deep.equal(removed(large));
    expect(recountOf(statesOf([...pushedAll, ...appends.flat()]).at(-1) ?? NOTHING).size).to.equal(450);
    for (const append of appends) expect(append.length).to.be.at.most(TAGS_PER_APPEND + 1);
  });

  it('holds them again in several, and comes last', async () => {
    const gone = [...pushedAll, ...(await appendsOf(pushedAll, remove(large), 'ManifestDeleted')).flat()];
    const appends = await appendsOf(gone, push(large, 'latest'), 'ManifestPushed');
    expect(appends.map(({ length }) => length)).to.deep.equal([150, 150, 150, 2]);
    expect(statesOf([...gone, ...appends.flat()]).at(-1)?.released.size).to.equal(0);
  });
});

describe('a subject with more attachments than one append takes', () => {
  const notes = Array.from({ length: 700 }, (_, n) => imageOf(`note ${n}`, as('subject', image)));

  it('lets all of them go', async () => {
    const history = [...withImage, ...notes.map(pushed)];
    const appends = await appendsOf(history, remove(image), 'ManifestDeleted');
    expect(statesOf([...history, ...appends.flat()]).at(-1)?.released.size).to.equal(700);
    const back = await appendsOf([...history, ...appends.flat()], push(image), 'ManifestPushed');
    expect(statesOf([...history, ...appends.flat(), ...back.flat()]).at(-1)?.released.size).to.equal(0);
  });
});

describe('a repository, whatever happens in it', () => {
  const answerTo = async (history: readonly Fact[], command: RepositoryCommand): Promise<readonly [Answer, readonly Fact[]]> => {
    try {
      const facts = await decideOn(repositoryDecider, seen(history), command);
      return [wordsOf(facts), facts];
    } catch (error) {
      if (error instanceof RegistryError) return [error.code, []];
      throw error;
    }
  };

  it('has released what was held and is not, as counting shows, and answers as its rules say', () =>
    fc.assert(
      fc.asyncProperty(fc.array(anyCommand, { minLength: 20, maxLength: 60, size: 'max' }), async (commands) => {
        const history: Fact[] = [];
        for (const command of commands) {
          const before = statesOf(history).at(-1) ?? NOTHING;
          const [answer, facts] = await answerTo(history, command);
          expect(answer).to.deep.equal(answerOf(before, command));
          history.push(...facts);
          const model = statesOf(history).at(-1) ?? NOTHING;
          expect(model.released).to.deep.equal(recountOf(model));
        }
      }),
      { numRuns: 200 },
    ));
});
