import fc from 'fast-check';
import type { RepositoryCommand } from '../../src/commands/repository/commands.ts';
import { repositoryDecider } from '../../src/commands/repository.ts';
import { RegistryError } from '../../src/errors.ts';
import type { Fact } from '../../src/events/event.ts';
import { decideOn, seen } from './deciding.ts';
import { as, content, imageOf, indexOf, link, push, remove, rule, unlink, untag } from './facts.ts';

// A small world, so that commands chosen at random meet: what one needs another deletes, and tags go to and fro.

const blobs = [content('blob a'), content('blob b')] as const;
const both = imageOf('both', as('config', blobs[0]), as('layer', blobs[1]));
const second = imageOf('the second', as('layer', blobs[1]));
const index = indexOf('an index', both, second);
const signature = imageOf('a signature', as('layer', blobs[0]), as('subject', second));
const ofSignature = imageOf('a note on the signature', as('subject', signature));
const outer = indexOf('an index of an index', index);

export const BLOBS = blobs;
export const MANIFESTS = [both, second, index, signature, ofSignature, outer] as const;
export const TAGS = ['latest', 'v1', 'v2'] as const;

const oneOf = <T>(things: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...things);

/** Any command to the one repository, pushes more often than deletions. */
export const anyCommand: fc.Arbitrary<RepositoryCommand> = fc.oneof(
  { weight: 4, arbitrary: oneOf(BLOBS).map(link) },
  { weight: 2, arbitrary: oneOf(BLOBS).map(unlink) },
  {
    weight: 6,
    arbitrary: fc.tuple(oneOf(MANIFESTS), fc.uniqueArray(oneOf(TAGS), { maxLength: 3 })).map(([one, tags]) => push(one, ...tags)),
  },
  { weight: 2, arbitrary: oneOf(MANIFESTS).map(remove) },
  { weight: 2, arbitrary: oneOf(TAGS).map(untag) },
  { weight: 1, arbitrary: oneOf([[], [], ['v*'], ['*2', 'latest']]).map((rules) => rule(...rules)) },
);

/** What the one repository records of these commands, given one after the other; those that it refuses leave nothing. */
export const recordedOf = async (commands: readonly RepositoryCommand[]): Promise<readonly Fact[]> => {
  const facts: Fact[] = [];
  for (const command of commands) {
    try {
      facts.push(...(await decideOn(repositoryDecider, seen(facts), command)));
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
    }
  }
  return facts;
};

/** Checks what holds for every history that the one repository can have. */
export const forAnyHistory = (check: (history: readonly Fact[]) => void): Promise<void> =>
  fc.assert(
    fc.asyncProperty(fc.array(anyCommand, { maxLength: 40, size: 'max' }), async (commands) => check(await recordedOf(commands))),
    { numRuns: 50 },
  );
