import { expect } from 'chai';
import fc from 'fast-check';
import type { ClearRepository, RepositoryCommand } from '../../src/commands/repository/commands.ts';
import { repositoryDecider } from '../../src/commands/repository.ts';
import { RegistryError } from '../../src/errors.ts';
import type { Fact } from '../../src/events/event.ts';
import { type CatalogEntry, catalog } from '../../src/projections/catalog.ts';
import { endedLives } from '../../src/projections/endedLives.ts';
import { serving } from '../../src/projections/groups.ts';
import { holders } from '../../src/projections/holders.ts';
import { links } from '../../src/projections/links.ts';
import { manifests } from '../../src/projections/manifests.ts';
import type { Document, Placed, Projection } from '../../src/projections/projection.ts';
import { neverSeen, planner, reduce } from '../../src/projections/reduce.ts';
import { references } from '../../src/projections/references.ts';
import { referrers } from '../../src/projections/referrers.ts';
import { releasedManifests } from '../../src/projections/releasedManifests.ts';
import { repositories } from '../../src/projections/repositories.ts';
import { tags } from '../../src/projections/tags.ts';
import { decideOn, repository, seen } from '../support/deciding.ts';
import {
  at,
  cleared,
  config,
  created,
  end,
  ended,
  image,
  LIFE,
  layer,
  link,
  linked,
  NAME,
  pushed,
  removed,
  tagged,
  unlinked,
  untag,
  untagged,
  withImage,
} from '../support/facts.ts';
import { anyCommand } from '../support/repositoryCommands.ts';
import { answerOf, type Model, NOTHING, recountOf, statesOf, wordsOf } from '../support/repositoryModel.ts';

const all: ClearRepository = {
  type: 'ClearRepository',
  repository: NAME,
  repositoryId: LIFE,
  tags: ['latest'],
  manifests: [image.digest],
  blobs: [config.digest, layer.digest],
  last: true,
};
const full = [...withImage, tagged('latest', image)] as const;
const everythingGone = [
  untagged('latest', image, at(4), 'repositoryDeleted'),
  removed(image, 'repositoryDeleted'),
  unlinked(config, 'repositoryDeleted'),
  unlinked(layer, 'repositoryDeleted'),
] as const;

describe('deleting a repository', () => {
  it('is one fact, which says how much there was', () =>
    repository(...full)
      .when(end)
      .thenRecords([ended(1, 1)]));

  it('is one fact for an empty one too', () =>
    repository(created, linked(layer))
      .when(end)
      .thenRecords([ended(0, 0)]));

  it('is refused where there is no repository, or none any more', async () => {
    await repository().when(end).thenRefuses('REPOSITORY_UNKNOWN', { name: NAME });
    await repository(...full, ended(1, 1))
      .when(end)
      .thenRefuses('REPOSITORY_UNKNOWN');
  });

  it('lets the next push begin another life, which has nothing of the one before', async () => {
    const reborn = { ...created, data: { ...created.data, repositoryId: 'life-2' } };
    const inSecond = { ...linked(layer), data: { ...linked(layer).data, repositoryId: 'life-2' } };
    await repository(...full, ended(1, 1))
      .when({ ...link(layer), newRepositoryId: 'life-2' })
      .thenRecords([reborn, inSecond]);
    await repository(...full, ended(1, 1), reborn)
      .when(untag('latest'))
      .thenRefuses('TAG_UNKNOWN');
    await repository(...full, ended(1, 1), reborn)
      .when(end)
      .thenRecords([{ ...ended(0, 0), data: { ...ended(0, 0).data, repositoryId: 'life-2' } }]);
  });
});

describe('clearing an ended life', () => {
  it('records each thing that it had as gone, and at last that nothing is left', () =>
    repository(...full, ended(1, 1))
      .when(all)
      .thenRecords([...everythingGone, cleared]));

  it('passes by what somebody else has recorded', () =>
    repository(...full, ended(1, 1), ...everythingGone.slice(0, 3))
      .when(all)
      .thenRecords([everythingGone[3], cleared]));

  it('has nothing to do in a life that goes on, or that is cleared', async () => {
    await repository(...full)
      .when(all)
      .thenNothing();
    await repository(...full, ended(1, 1), ...everythingGone, cleared)
      .when(all)
      .thenNothing();
  });

  it('leaves the next life alone', async () => {
    const inSecond = <T extends string, D extends object>({ type, data }: Fact<T, D>) => ({
      type,
      data: { ...data, repositoryId: 'life-2' },
    });
    const second = [inSecond(created), inSecond(linked(layer)), inSecond(linked(config)), inSecond(pushed(image))];
    await repository(...full, ended(1, 1), ...second)
      .when(all)
      .thenRecords([...everythingGone, cleared]);
  });
});

type State = ReadonlyMap<Projection, Map<string, Placed>>;

/** The serving views over a history. */
const shownAfter = (history: readonly Fact[]): State => {
  const plan = planner(serving.views);
  const state = new Map(serving.views.map((view) => [view, new Map<string, Placed>()]));
  const { changes, faults } = reduce(plan(seen(history), {}), (_view, key) => neverSeen(key));
  expect(faults).to.deep.equal({});
  for (const [view, changed] of changes) for (const [key, { after }] of changed) state.get(view)?.set(key, after);
  return state;
};

const documentsIn = <D extends Document>(state: State, view: Projection<D>): readonly (readonly [string, D])[] =>
  [...(state.get(view as unknown as Projection) ?? new Map<string, Placed>())].flatMap(([key, { value }]) =>
    value === undefined ? [] : [[key, value as D] as const],
  );

/** What a reader finds under the name: only ever by the id that stands there. */
const expectShown = (state: State, model: Model): void => {
  const found = documentsIn(state, repositories).find(([name]) => name === NAME)?.[1];
  expect(found !== undefined).to.equal(model.exists);
  const entry: CatalogEntry | undefined = documentsIn(state, catalog).find(([name]) => name === NAME)?.[1];
  const { manifests: counted = 0, tags: pointers = 0 } = entry ?? {};
  expect({ counted, pointers }).to.deep.equal({ counted: model.manifests.size, pointers: model.tags.size });
  if (found === undefined) return;
  expect(found.immutableTags).to.deep.equal(model.rules);
  const own = <D extends Document>(view: Projection<D>): readonly D[] =>
    documentsIn(state, view).flatMap(([key, value]) => (key.startsWith(`${found.repositoryId}/`) ? [value] : []));
  expect(new Map(own(tags).map(({ name, digest }) => [name, digest]))).to.deep.equal(model.tags);
  expect(new Set(own(manifests).map(({ digest }) => digest))).to.deep.equal(new Set(model.manifests.keys()));
  expect(new Set(own(links).map(({ digest }) => digest))).to.deep.equal(model.blobs);
  expect(new Set(own(releasedManifests).map(({ digest }) => digest))).to.deep.equal(recountOf(model));
  const holding = documentsIn(state, holders).filter(([, { repositoryId }]) => repositoryId === found.repositoryId);
  expect(new Set(holding.map(([key]) => key.slice(0, -NAME.length - 1)))).to.deep.equal(model.blobs);
};

/** Some of what is left of the ended lives, or all of it. */
const clearing = (state: State, most: number): readonly ClearRepository[] =>
  documentsIn(state, endedLives).map(([repositoryId]) => {
    const left = <D extends Document>(view: Projection<D>): readonly D[] =>
      documentsIn(state, view).flatMap(([key, value]) => (key.startsWith(`${repositoryId}/`) ? [value] : []));
    const [names, held, blobs] = [left(tags), left(manifests), left(links)];
    const last = names.length + held.length + blobs.length <= most;
    return {
      ...all,
      repositoryId,
      last,
      tags: names.slice(0, most).map(({ name }) => name),
      manifests: held.slice(0, Math.max(0, most - names.length)).map(({ digest }) => digest),
      blobs: blobs.slice(0, Math.max(0, most - names.length - held.length)).map(({ digest }) => digest),
    };
  });

type Step = RepositoryCommand | Readonly<{ clears: number }>;
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof<fc.MaybeWeightedArbitrary<Step>[]>(
    { weight: 12, arbitrary: anyCommand },
    { weight: 2, arbitrary: fc.constant(end) },
    { weight: 2, arbitrary: fc.record({ clears: fc.nat(3) }) },
  ),
  { minLength: 20, maxLength: 60, size: 'max' },
);

describe('several lives of one name', () => {
  it('show each only what is its own, whatever of the former ones is cleared away meanwhile, and leave nothing behind', () =>
    fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const history: Fact[] = [];
        const decide = async (command: RepositoryCommand): Promise<void> => {
          const unique = 'newRepositoryId' in command ? { ...command, newRepositoryId: `life-${history.length}` } : command;
          const model = statesOf(history).at(-1) ?? NOTHING;
          const expected = command.type === 'ClearRepository' ? undefined : answerOf(model, command);
          try {
            const facts = await decideOn(repositoryDecider, seen(history), unique);
            if (expected !== undefined) expect(wordsOf(facts)).to.deep.equal(expected);
            history.push(...facts);
          } catch (error) {
            if (!(error instanceof RegistryError)) throw error;
            expect(error.code).to.equal(expected);
          }
          expectShown(shownAfter(history), statesOf(history).at(-1) ?? NOTHING);
        };
        const clear = async (most: number): Promise<void> => {
          for (const command of clearing(shownAfter(history), most)) await decide(command);
        };
        for (const step of all) await ('clears' in step ? clear(step.clears) : decide(step));
        await clear(100);
        const state = shownAfter(history);
        expect(documentsIn(state, endedLives)).to.deep.equal([]);
        const living = documentsIn(state, repositories).map(([, { repositoryId }]) => `${repositoryId}/`);
        for (const view of [tags, manifests, links, releasedManifests, references, referrers] as unknown as readonly Projection[])
          for (const [key] of documentsIn(state, view))
            expect(
              living.some((life) => key.startsWith(life)),
              key,
            ).to.equal(true);
      }),
      { numRuns: 60 },
    ));
});
