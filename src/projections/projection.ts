import type { Position, Recorded } from '../events/event.ts';

/** A view's document: JSON, keyed by a text. It never grows with the registry or with its repository. */
export type Document = Readonly<Record<string, unknown>>;

/** What a view adds up, e.g. `{ manifests: 12, bytes: 345 }`. Whole numbers only. */
export type Totals = Readonly<Record<string, number>>;

/** An event as a reducer sees it: upcast to this release's version, its protected data fields revealed. */
export type Seen = Recorded<string, never>;

/**
 * One answer, computed from the log: a pure step per event and document. Reducers see one document, one event and the
 * document's key; they have no clock and no I/O and never throw on a valid event. `undefined` deletes the document.
 */
export type Projection<D extends Document = Document> = Readonly<{
  view: string;
  /** Raise it whenever the documents come out different: the view is then rebuilt beside the old one. */
  version: number;
  /** Fields to find documents by, in the order of the index, each list one index. Keys need none. */
  indexes: readonly (readonly string[])[];
  /** The documents that an event touches. */
  keysOf: (event: Seen) => readonly string[];
  on: Readonly<Record<string, (document: D | undefined, event: Seen, key: string) => D | undefined>>;
  /** What the change of one document adds to the view's totals. */
  totals?: (before: D | undefined, after: D | undefined) => Totals;
  /** From this event on no document with a key before the one that is given is of use: they are removed. */
  forgets?: (event: Seen) => string | undefined;
}>;

/** `Types` maps each event type to its data, so that a reducer gets its event typed. */
export const projection = <D extends Document, Types extends Readonly<Record<string, unknown>>>(
  definition: Readonly<{
    view: string;
    version: number;
    indexes: readonly (readonly string[])[];
    keysOf: (event: { [T in keyof Types & string]: Recorded<T, Types[T]> }[keyof Types & string]) => readonly string[];
    on: {
      readonly [T in keyof Types & string]?: (
        document: D | undefined,
        event: Recorded<T, Types[T]>,
        key: string,
      ) => D | undefined;
    };
    totals?: (before: D | undefined, after: D | undefined) => Totals;
    forgets?: (event: { [T in keyof Types & string]: Recorded<T, Types[T]> }[keyof Types & string]) => string | undefined;
  }>,
): Projection<D> => definition as unknown as Projection<D>;

/** A document with the position of the last event in it. `value` is undefined where the document was deleted. */
export type Placed<D extends Document = Document> = Readonly<{ key: string; position: Position; value: D | undefined }>;

/** Views that are fed together, by one projector from one checkpoint. */
export type Group = Readonly<{ name: string; views: readonly Projection[] }>;

/** The version of a group's stored form: it changes when any of its views does. */
export const versionOf = (group: Group): string =>
  group.views
    .map(({ view, version }) => `${view}${version}`)
    .sort()
    .join('-');
