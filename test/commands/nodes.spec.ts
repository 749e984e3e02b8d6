import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { v5 as uuidv5 } from 'uuid';
import type { Outcome } from '../../src/commands/execute.ts';
import type { RepositoryCommand } from '../../src/commands/repository/commands.ts';
import { RegistryError } from '../../src/errors.ts';
import type { Recorded } from '../../src/events/event.ts';
import { catalog } from '../../src/projections/catalog.ts';
import { links } from '../../src/projections/links.ts';
import { manifests } from '../../src/projections/manifests.ts';
import { releasedManifests } from '../../src/projections/releasedManifests.ts';
import { tags } from '../../src/projections/tags.ts';
import { type Give, giving, historyOf, type Mishap, troubled, type World, world } from '../support/executing.ts';
import { at, NAME } from '../support/facts.ts';
import { anyCommand } from '../support/repositoryCommands.ts';
import { type Answer, answerOf, type Model, NOTHING, recountOf, statesOf, wordsOf } from '../support/repositoryModel.ts';

const NODES = 3;

/** Commands given at once, each through one of the nodes, while the projector runs or stands still. */
type Round = Readonly<{ projecting: boolean; given: readonly Readonly<{ node: number; command: RepositoryCommand }>[] }>;
type Answered = Readonly<{ command: RepositoryCommand; commandId: string; answer: Answer }>;

const rounds: fc.Arbitrary<readonly Round[]> = fc.array(
  fc.record({
    projecting: fc.boolean(),
    given: fc.array(fc.record({ node: fc.nat(NODES - 1), command: anyCommand }), { minLength: 1, maxLength: 6, size: 'max' }),
  }),
  { minLength: 1, maxLength: 12, size: 'max' },
);
/** For each node, what its appends meet, and by how many seconds its clock is wrong. */
const troubles = fc.array(
  fc.record({
    skew: fc.integer({ min: -5, max: 5 }),
    mishaps: fc.array(fc.constantFrom<'none' | 'answerLost' | 'requestLost'>('none', 'none', 'answerLost', 'requestLost'), {
      maxLength: 30,
      size: 'max',
    }),
  }),
  { minLength: NODES, maxLength: NODES },
);

/** A projector that can be held between its batches. */
const heldProjector = (here: World) => {
  let held = Promise.withResolvers<void>();
  held.resolve();
  return {
    projector: here.project(() => held.promise),
    hold: (hold: boolean): void => {
      held.resolve();
      held = Promise.withResolvers<void>();
      if (!hold) held.resolve();
    },
  };
};

const answerIn = async (work: Promise<Outcome>): Promise<Answer> => {
  try {
    return wordsOf((await work).facts);
  } catch (error) {
    if (error instanceof RegistryError) return error.code;
    throw error;
  }
};

const isSame = (a: Answer, b: Answer): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * Every answer is one that the repository would have given at some moment while the command was under way: what was recorded,
 * at the moment before it stands in the history; a refusal or "so already", at any moment of the round.
 */
const expectAnswered = (history: readonly Recorded[], from: number, { command, commandId, answer }: Answered): void => {
  const states = statesOf(history);
  if (typeof answer === 'string' || answer.length === 0) {
    const possible = states.slice(from).map((state) => answerOf(state, command));
    expect(
      possible.some((one) => isSame(one, answer)),
      `${command.type}: ${answer}, not ${JSON.stringify(possible)}`,
    ).to.equal(true);
    return;
  }
  const ids = answer.map((_, index) => uuidv5(String(index), commandId));
  const first = history.findIndex(({ id }) => id === ids[0]);
  expect(first).to.be.at.least(from);
  expect(history.slice(first, first + ids.length).map(({ id }) => id)).to.deep.equal(ids);
  expect(answer).to.deep.equal(answerOf(states[first] ?? NOTHING, command));
};

const expectSound = (history: readonly Recorded[], states: readonly Model[]): void => {
  expect(history.map(({ revision }) => revision)).to.deep.equal(history.map((_, n) => n));
  expect(new Set(history.map(({ id }) => id)).size).to.equal(history.length);
  history.forEach(({ metadata }, n) => {
    expect(metadata.at >= (history[n - 1]?.metadata.at ?? ''), 'time goes back').to.equal(true);
  });
  for (const { tags: pointers, manifests: held, blobs } of states) {
    for (const digest of pointers.values()) expect(held.has(digest), `a tag points at ${digest}`).to.equal(true);
    for (const { digest, role } of [...held.values()].flat())
      if (role === 'config' || role === 'layer') expect(blobs.has(digest), `a manifest needs ${digest}`).to.equal(true);
  }
};

const expectShown = async ({ views }: World, model: Model): Promise<void> => {
  const all = { limit: 100 };
  const shown = {
    blobs: new Set((await views.find(links, all)).items.map(({ value }) => value.digest)),
    manifests: new Set((await views.find(manifests, all)).items.map(({ value }) => value.digest)),
    tags: new Map((await views.find(tags, all)).items.map(({ value }) => [value.name, value.digest])),
    released: new Set((await views.find(releasedManifests, all)).items.map(({ value }) => value.digest)),
  };
  const { blobs, tags: pointers } = model;
  const held = { blobs, manifests: new Set(model.manifests.keys()), tags: pointers, released: recountOf(model) };
  expect(shown).to.deep.equal(held);
  const marked = (await views.find(manifests, all)).items.filter(({ value }) => value.released !== undefined);
  expect(new Set(marked.map(({ value }) => value.digest))).to.deep.equal(shown.released);
  const counted = { listed: model.manifests.size > 0, manifests: model.manifests.size, tags: model.tags.size };
  const entry = await views.get(catalog, NAME);
  if (model.exists) expect(entry).to.include(counted);
  else expect(entry).to.equal(undefined);
};

const nodeIn = (here: World, skew: number, mishaps: readonly ('none' | 'answerLost' | 'requestLost')[]): Give => {
  const clock = () => new Date(Date.parse(at(100)) + skew * 1000);
  const met = mishaps.map((mishap): Mishap => (mishap === 'none' ? () => turn() : mishap));
  return giving(here.node({ log: troubled(here.log, met), clock }));
};

describe('several nodes on one log, with views that come and go', () => {
  it('answer as one repository would, whatever happens to their appends, and end in the state that the history tells', async () => {
    await fc.assert(
      fc.asyncProperty(rounds, troubles, async (all, nodesTroubles) => {
        const here = await world();
        const { projector, hold } = heldProjector(here);
        try {
          const nodes = nodesTroubles.map(({ skew, mishaps }) => nodeIn(here, skew, mishaps));
          for (const { projecting, given } of all) {
            hold(!projecting);
            const from = (await historyOf(here.log)).length;
            const answered = await Promise.all(
              given.map(async ({ node, command }): Promise<Answered> => {
                const commandId = randomUUID();
                return { command, commandId, answer: await answerIn((nodes[node] as Give)(command, { commandId })) };
              }),
            );
            const history = await historyOf(here.log);
            for (const one of answered) expectAnswered(history, from, one);
          }
          const history = await historyOf(here.log);
          const states = statesOf(history);
          expectSound(history, states);
          hold(false);
          await projector.reached(await here.log.head(), Number.POSITIVE_INFINITY);
          await expectShown(here, states.at(-1) ?? NOTHING);
        } finally {
          hold(false);
          await here.close();
        }
      }),
      { numRuns: 100 },
    );
  });
});
