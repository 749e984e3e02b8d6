import fc from 'fast-check';
import type { ClearRepository, RepositoryCommand } from '../../src/commands/repository/commands.ts';
import { repositoryDecider } from '../../src/commands/repository.ts';
import { RegistryError } from '../../src/errors.ts';
import type { Fact } from '../../src/events/event.ts';
import type { RepositoryEvents } from '../../src/events/repository.ts';
import { decideOn, seen } from './deciding.ts';
import type { Told } from './projecting.ts';
import { anyCommand, BLOBS, MANIFESTS, TAGS } from './repositoryCommands.ts';

// What a few repositories may have recorded side by side, life after life, each cleared while the next one is under way already.

const NAMES = ['team/app', 'team/base', 'other'] as const;

type Order =
  | Readonly<{ kind: 'give'; name: string; command: RepositoryCommand }>
  | Readonly<{ kind: 'end'; name: string }>
  | Readonly<{ kind: 'clear'; life: number; stage: number }>;

const name = fc.constantFrom(...NAMES);
const order: fc.Arbitrary<Order> = fc.oneof(
  { weight: 24, arbitrary: fc.record({ kind: fc.constant('give' as const), name, command: anyCommand }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('end' as const), name }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('clear' as const), life: fc.nat(5), stage: fc.nat(3) }) },
);

const digestsOf = (things: readonly Readonly<{ digest: ClearRepository['blobs'][number] }>[]) =>
  things.map(({ digest }) => digest);

type Life = Readonly<{ repositoryId: string; repository: string }>;

/** Tags go before manifests and manifests before blobs, as much of them as one gets to. */
const clearing = ({ repository, repositoryId }: Life, stage: number): ClearRepository => ({
  type: 'ClearRepository',
  repository,
  repositoryId,
  tags: TAGS.slice(0, stage === 0 ? 1 : TAGS.length),
  manifests: digestsOf(MANIFESTS).slice(0, [0, 2, MANIFESTS.length, MANIFESTS.length][stage]),
  blobs: digestsOf(BLOBS).slice(0, [0, 0, 1, BLOBS.length][stage]),
  last: stage === 3,
});

/** What the registry records of these orders, in the order of its log; those that it refuses leave nothing. */
const recordedOf = async (orders: readonly Order[]): Promise<readonly Told[]> => {
  const told: (Fact & Readonly<{ stream: string }>)[] = [];
  const lives = { begun: 0, ended: [] as Life[] };
  const give = async (command: RepositoryCommand): Promise<void> => {
    const stream = `test.repository-${command.repository}`;
    const history = told.filter((one) => one.stream === stream);
    try {
      const facts = await decideOn(repositoryDecider, seen(history), command);
      told.push(...facts.map((fact) => ({ ...fact, stream })));
      for (const { type, data } of facts)
        if (type === 'RepositoryDeleted') lives.ended.push(data as RepositoryEvents['RepositoryDeleted']);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
    }
  };
  for (const one of orders) {
    const ended = one.kind === 'clear' ? lives.ended[one.life % lives.ended.length] : undefined;
    if (ended !== undefined && one.kind === 'clear') await give(clearing(ended, one.stage));
    else if (one.kind === 'end') await give({ type: 'DeleteRepository', repository: one.name });
    else if (one.kind === 'give') {
      lives.begun += 1;
      const life = 'newRepositoryId' in one.command && { newRepositoryId: `life-${lives.begun}` };
      await give({ ...one.command, repository: one.name, ...life });
    }
  }
  return told;
};

/** Checks what holds for every history of a few repositories, of which some are deleted and pushed to again. */
export const forAnyLives = (check: (history: readonly Told[]) => Promise<void> | void, numRuns: number): Promise<void> =>
  fc.assert(
    fc.asyncProperty(fc.array(order, { minLength: 20, maxLength: 120, size: 'max' }), async (orders) =>
      check(await recordedOf(orders)),
    ),
    { numRuns },
  );
