import type { Position } from '../events/event.ts';
import type { Document, Placed, Projection, Seen } from '../projections/projection.ts';
import { neverSeen, step } from '../projections/reduce.ts';
import type { Views } from '../projections/views/views.ts';
import type { DocumentSet, Documents, Keys } from './decider.ts';

/** How many keys of a set are read at a time. */
const PAGE = 500;

type Shelf = Readonly<{
  view: Projection;
  documents: Map<string, Placed>;
  /** The sets that were asked for, by their prefix: the promised number of documents, and whether all that there are were read. */
  sets: Map<string, Readonly<{ limit: number; whole: boolean }>>;
}>;

type KeysInSet = Readonly<{ keys: ReadonlySet<string>; whole: boolean }>;

/**
 * What a decision is taken on: documents from the serving views, brought forward by the events that the views have not seen.
 * One of these serves all commands that are decided together; each sees what those before it decided.
 */
export type Knowledge = Readonly<{
  /** Loads what is new in `keys` and brings it to the head. @returns whether anything was new */
  learn: (keys: Keys) => Promise<boolean>;
  /** Brings everything loaded forward by facts that are decided, but not appended yet. */
  suppose: (facts: readonly Seen[]) => void;
  /** Whether events that somebody else appended touch anything that was loaded. */
  touchedBy: (events: readonly Seen[]) => boolean;
  /** Whether a document was newer than `position` when it was read: the views moved on meanwhile. */
  isAheadOf: (position: Position) => boolean;
  /** `strict`: asking for what was not loaded is a defect. */
  documents: (strict: boolean) => Documents;
}>;

const keysOf = (view: Projection, event: Seen): readonly string[] =>
  view.on[event.type] === undefined ? [] : view.keysOf(event);

const isLoaded = ({ documents, sets }: Shelf, key: string): boolean => {
  if (documents.has(key)) return true;
  for (const prefix of sets.keys()) if (key.startsWith(prefix)) return true;
  return false;
};

/** A supposed event has no position yet, so it is applied whatever the document's is. */
const suppose = (view: Projection, placed: Placed, event: Seen): Placed => {
  const reducer = view.on[event.type];
  return reducer === undefined ? placed : { ...placed, value: reducer(placed.value, event, placed.key) };
};

const presentUnder = ({ documents }: Shelf, prefix: string): readonly string[] =>
  [...documents.values()].filter(({ key, value }) => value !== undefined && key.startsWith(prefix)).map(({ key }) => key);

/** Whether a set has yet to be read: never was it for so many, or what was supposed since has used up what was read of it. */
const isShort = (shelf: Shelf, { prefix, limit }: DocumentSet): boolean => {
  const known = shelf.sets.get(prefix);
  if (known === undefined || known.limit < limit) return true;
  return !known.whole && presentUnder(shelf, prefix).length < limit;
};

/** @param tail the stream's events past its cursor, in order */
export const knowledgeOf = (views: Views, tail: readonly Seen[]): Knowledge => {
  const shelves = new Map<string, Shelf>();
  const supposed: Seen[] = [];

  const shelfOf = (view: Projection): Shelf => {
    const shelf = shelves.get(view.view) ?? { view, documents: new Map(), sets: new Map() };
    shelves.set(view.view, shelf);
    return shelf;
  };

  /** All of them or, when that fails, none. */
  const load = async (shelf: Shelf, keys: ReadonlySet<string>): Promise<void> => {
    const { view } = shelf;
    const loaded = new Map((await views.getPlaced(view, [...keys])).map((placed) => [placed.key, placed]));
    const bring = (event: Seen, forward: typeof suppose): void => {
      for (const key of keysOf(view, event)) {
        const placed = loaded.get(key);
        if (placed !== undefined) loaded.set(key, forward(view, placed, event));
      }
    };
    for (const event of tail) bring(event, step);
    for (const event of supposed) bring(event, suppose);
    for (const [key, placed] of loaded) shelf.documents.set(key, placed);
  };

  /** What of a set is known or may have been changed by events, and as many keys besides as the set promises, if there are. */
  const keysInSet = async ({ view, prefix, limit }: DocumentSet): Promise<KeysInSet> => {
    const keys = new Set([...shelfOf(view).documents.keys()].filter((key) => key.startsWith(prefix)));
    for (const event of [...tail, ...supposed]) for (const key of keysOf(view, event)) if (key.startsWith(prefix)) keys.add(key);
    const enough = keys.size + limit;
    let after: readonly string[] | undefined;
    for (;;) {
      const page = await views.find(view, {
        where: { key: { $prefix: prefix } },
        limit: Math.min(PAGE, enough),
        ...(after && { after }),
      });
      for (const { key } of page.items) if (keys.size < enough) keys.add(key);
      const last = page.items.at(-1);
      if (keys.size >= enough) return { keys, whole: false };
      if (!page.more || last === undefined) return { keys, whole: true };
      after = [last.key];
    }
  };

  const keysUnder = (view: Projection, prefix: string, strict: boolean): readonly string[] => {
    const shelf = shelves.get(view.view);
    const set = shelf?.sets.get(prefix);
    if (shelf === undefined || set === undefined) {
      if (strict) throw new Error(`The set ${view.view} ${prefix} is not among the command's keys.`);
      return [];
    }
    const names = presentUnder(shelf, prefix).map((key) => key.slice(prefix.length));
    return names.sort((a, b) => (a < b ? -1 : 1)).slice(0, set.limit);
  };

  return {
    learn: async ({ documents = [], sets = [] }) => {
      const wanted = new Map<Shelf, Set<string>>();
      const want = (shelf: Shelf, key: string): void => {
        if (shelf.documents.has(key)) return;
        wanted.set(shelf, (wanted.get(shelf) ?? new Set()).add(key));
      };
      const short = sets.filter((set) => isShort(shelfOf(set.view), set));
      const read = await Promise.all(short.map(keysInSet));
      short.forEach((set, n) => {
        for (const key of read[n]?.keys ?? []) want(shelfOf(set.view), key);
      });
      for (const { view, key } of documents) want(shelfOf(view), key);
      await Promise.all([...wanted].map(([shelf, keys]) => load(shelf, keys)));
      // Only now: of a set whose documents could not be read, nothing is known.
      short.forEach(({ view, prefix, limit }, n) => {
        const { sets: known } = shelfOf(view);
        known.set(prefix, { limit: Math.max(limit, known.get(prefix)?.limit ?? 0), whole: read[n]?.whole === true });
      });
      return short.length > 0 || wanted.size > 0;
    },

    suppose: (facts) => {
      for (const shelf of shelves.values()) {
        for (const event of facts) {
          for (const key of keysOf(shelf.view, event)) {
            if (isLoaded(shelf, key))
              shelf.documents.set(key, suppose(shelf.view, shelf.documents.get(key) ?? neverSeen(key), event));
          }
        }
      }
      supposed.push(...facts);
    },

    touchedBy: (events) =>
      [...shelves.values()].some((shelf) =>
        events.some((event) => keysOf(shelf.view, event).some((key) => isLoaded(shelf, key))),
      ),

    isAheadOf: (position) =>
      [...shelves.values()].some(({ documents }) => [...documents.values()].some((placed) => placed.position > position)),

    documents: (strict) => ({
      get: <D extends Document>(view: Projection<D>, key: string): D | undefined => {
        const placed = shelves.get(view.view)?.documents.get(key);
        if (placed === undefined && strict) throw new Error(`${view.view} ${key} is not among the command's keys.`);
        return placed?.value as D | undefined;
      },
      keysUnder: (view, prefix) => keysUnder(view as unknown as Projection, prefix, strict),
    }),
  };
};
