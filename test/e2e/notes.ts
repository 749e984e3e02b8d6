import { type Answer, Unexpected } from '../support/http.ts';

/** `blob <repository> <digest>`, `manifest <repository> <digest>` or `tag <repository> <tag>`. */
export type Key = string;
/** The digest that is there, or undefined: nothing is. */
export type Held = string | undefined;
export type Change = ReadonlyMap<Key, Held>;

/** Who looks what a registry really holds under a key. */
export type Look = (key: Key) => Promise<Held>;

/**
 * What one client was told by a registry that may die at any moment. Of the one request that had no answer, all of it or nothing
 * may have happened; everything else must be as it was told.
 */
export type Notes = Readonly<{
  held: (key: Key) => Held;
  keys: () => readonly Key[];
  /** Sends a request that makes `change` true. */
  during: (change: Change, request: () => Promise<Answer>) => Promise<Answer>;
  /** Compares what was noted since the last check, and `sample` of the older notes. @returns what is not as it was told */
  check: (look: Look, sample: (keys: readonly Key[]) => readonly Key[]) => Promise<readonly string[]>;
}>;

const refused = (error: unknown): boolean => error instanceof Unexpected && error.answer.status < 500;

const saw = async (keys: Iterable<Key>, look: Look): Promise<Map<Key, Held>> =>
  new Map(await Promise.all([...keys].map(async (key): Promise<[Key, Held]> => [key, await look(key)])));

const differences = (told: Change, actual: Change): readonly string[] =>
  [...told]
    .filter(([key, held]) => actual.get(key) !== held)
    .map(([key, held]) => `${key}: told ${held ?? 'gone'}, found ${actual.get(key) ?? 'nothing'}`);

export const notes = (): Notes => {
  const told = new Map<Key, Held>();
  const recent = new Set<Key>();
  let open: Change | undefined;

  const note = (change: Change): void => {
    for (const [key, held] of change) {
      told.set(key, held);
      recent.add(key);
    }
  };

  const during = async (change: Change, request: () => Promise<Answer>): Promise<Answer> => {
    open = change;
    try {
      const answer = await request();
      note(change);
      open = undefined;
      return answer;
    } catch (error) {
      if (refused(error)) open = undefined;
      throw error;
    }
  };

  /** Finds out what came of the request that had no answer. */
  const settle = async (look: Look): Promise<readonly string[]> => {
    if (open === undefined) return [];
    const change = open;
    open = undefined;
    const actual = await saw(change.keys(), look);
    const before = new Map([...change.keys()].map((key): [Key, Held] => [key, told.get(key)]));
    const undone = differences(before, actual);
    const done = differences(change, actual);
    // What was not there before and is not there now was never this client's: another one may push the same any time.
    note(new Map([...actual].filter(([key, held]) => held !== undefined || told.has(key))));
    return undone.length > 0 && done.length > 0 ? [`half of an unanswered request: ${done.join('; ')}`] : [];
  };

  return {
    held: (key) => told.get(key),
    keys: () => [...told.keys()],
    during,
    check: async (look, sample) => {
      const half = await settle(look);
      const keys = new Set([...recent, ...sample([...told.keys()])]);
      recent.clear();
      const expected = new Map([...keys].map((key): [Key, Held] => [key, told.get(key)]));
      return [...half, ...differences(expected, await saw(keys, look))];
    },
  };
};
