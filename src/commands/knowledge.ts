import type { Document, Placed, Projection, Seen } from '../projections/projection.ts';
import type { Views } from '../projections/views/views.ts';
import type { DocumentSet, Documents, Keys } from './decider.ts';

/** How many keys of a set are read at a time. */
const PAGE = 500;

type Shelf = Readonly<{
  view: Projection;
  documents: Map<string, Placed>;
  /** The sets that were asked for: prefix and promised number of documents. */
  sets: Map<string, number>;
}>;

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
const apply = ({ view, documents }: Shelf, event: Seen, key: string, supposed: boolean): void => {
  const placed = documents.get(key) ?? { key, position: '', value: undefined };
  const step = view.on[event.type];
  if (step === undefined || (!supposed && event.position <= placed.position)) return;
  documents.set(key, { key, position: supposed ? placed.position : event.position, value: step(placed.value, event, key) });
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

  const load = async (shelf: Shelf, keys: ReadonlySet<string>): Promise<void> => {
    for (const placed of await views.getPlaced(shelf.view, [...keys])) shelf.documents.set(placed.key, placed);
    for (const event of tail) for (const key of keysOf(shelf.view, event)) if (keys.has(key)) apply(shelf, event, key, false);
    for (const event of supposed) for (const key of keysOf(shelf.view, event)) if (keys.has(key)) apply(shelf, event, key, true);
  };

  /** Keys of a set as stored, and those that the tail touches; as many that no event can have removed as the set promises, if there are. */
  const keysInSet = async ({ view, prefix, limit }: DocumentSet): Promise<ReadonlySet<string>> => {
    const keys = new Set<string>();
    for (const event of [...tail, ...supposed]) for (const key of keysOf(view, event)) if (key.startsWith(prefix)) keys.add(key);
    const enough = keys.size + limit;
    let after: readonly string[] | undefined;
    for (;;) {
      const page = await views.find(view, { where: { key: { $prefix: prefix } }, limit: PAGE, ...(after && { after }) });
      for (const { key } of page.items) if (keys.size < enough) keys.add(key);
      const last = page.items.at(-1);
      if (!page.more || last === undefined || keys.size >= enough) return keys;
      after = [last.key];
    }
  };

  const keysUnder = (view: Projection, prefix: string, strict: boolean): readonly string[] => {
    const shelf = shelves.get(view.view);
    const limit = shelf?.sets.get(prefix);
    if (shelf === undefined || limit === undefined) {
      if (strict) throw new Error(`The set ${view.view} ${prefix} is not among the command's keys.`);
      return [];
    }
    const present = [...shelf.documents.values()].filter(({ key, value }) => value !== undefined && key.startsWith(prefix));
    const names = present.map(({ key }) => key.slice(prefix.length));
    return names.sort((a, b) => (a < b ? -1 : 1)).slice(0, limit);
  };

  return {
    learn: async ({ documents = [], sets = [] }) => {
      const wanted = new Map<Shelf, Set<string>>();
      const want = (shelf: Shelf, key: string): void => {
        if (shelf.documents.has(key)) return;
        wanted.set(shelf, (wanted.get(shelf) ?? new Set()).add(key));
      };
      const fresh = sets.filter(({ view, prefix, limit }) => (shelfOf(view).sets.get(prefix) ?? 0) < limit);
      for (const set of fresh) {
        for (const key of await keysInSet(set)) want(shelfOf(set.view), key);
        shelfOf(set.view).sets.set(set.prefix, set.limit);
      }
      for (const { view, key } of documents) want(shelfOf(view), key);
      for (const [shelf, keys] of wanted) await load(shelf, keys);
      return fresh.length > 0 || wanted.size > 0;
    },

    suppose: (facts) => {
      for (const shelf of shelves.values()) {
        for (const event of facts)
          for (const key of keysOf(shelf.view, event)) if (isLoaded(shelf, key)) apply(shelf, event, key, true);
      }
      supposed.push(...facts);
    },

    touchedBy: (events) =>
      [...shelves.values()].some((shelf) =>
        events.some((event) => keysOf(shelf.view, event).some((key) => isLoaded(shelf, key))),
      ),

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
