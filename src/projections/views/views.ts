import type { Position } from '../../events/event.ts';
import type { Document, Placed, Projection, Totals } from '../projection.ts';

/** A small subset of MongoDB's filters. `key` names the document's own key. */
export type Condition =
  | string
  | number
  | boolean
  | null
  | Readonly<{ $in: readonly (string | number)[] }>
  | Readonly<{ $gt?: string | number; $gte?: string | number; $lt?: string | number; $lte?: string | number }>
  | Readonly<{ $prefix: string }>;
export type Where = Readonly<Record<string, Condition>>;

export type Query = Readonly<{
  where?: Where;
  /**
   * Fields to sort by, in byte order, `-` in front for descending; every document must have them. The key when absent, and
   * always as the last tie-break, in the direction of the field before it.
   */
  sort?: readonly string[];
  /** Start strictly after this document: its values of `sort` and its key. */
  after?: readonly (string | number)[];
  /** Most documents to return, 1 to LARGEST_PAGE. */
  limit: number;
}>;

/** What a view adds up, and the position that this reflects at least: its own change, which comes before its documents'. */
export type PlacedTotals = Readonly<{ position: Position; sums: Totals }>;

export const LARGEST_PAGE = 1000;

export type Page<D extends Document> = Readonly<{ items: readonly Readonly<{ key: string; value: D }>[]; more: boolean }>;

/** How far a stream's documents are: everything up to `revision` is in them. Written after the documents themselves. */
export type Cursor = Readonly<{ revision: number; at: string; position: Position }>;

/**
 * One step forward of a group: totals, documents, cursors, checkpoint, written in this order, each unless it is there as of
 * this checkpoint or a later one. A store without transactions may stop in between: whoever takes the step again has to end it
 * at the same checkpoint (`PlacedTotals.position`), or the totals count what lies before it twice.
 */
export type Commit = Readonly<{
  totals: Readonly<Record<string, Totals>>;
  documents: readonly Readonly<{ view: string; documents: readonly Placed[] }>[];
  cursors: Readonly<Record<string, Cursor>>;
  checkpoint: Position;
  /** Views whose reducer threw: they stand still until they are rebuilt. */
  faults?: Readonly<Record<string, Fault>>;
}>;

export type Fault = Readonly<{ position: Position; type: string; message: string }>;

/**
 * The stored documents of one group of views, at one version. Every adapter owes what `test/contracts/views.contract.ts` says:
 *
 * - A document carries the position of the last event in it, and a write from an older position is ignored.
 * - A deleted document leaves a tombstone with its position, which no read returns but `getPlaced`, until `sweep`.
 * - The checkpoint only moves forward. A reader that sees the checkpoint or a cursor sees all documents up to it.
 */
export type Views = Readonly<{
  get: <D extends Document>(view: Projection<D>, key: string) => Promise<D | undefined>;
  /** As `get`, and at once where the documents are at hand: then it throws what `get` rejects with. */
  getAtOnce: <D extends Document>(view: Projection<D>, key: string) => D | undefined | Promise<D | undefined>;
  /** In the order of `keys`. */
  getMany: <D extends Document>(view: Projection<D>, keys: readonly string[]) => Promise<readonly (D | undefined)[]>;
  /** With positions and tombstones, for those who apply events: deciders and projectors. Never seen: ORIGIN, undefined. */
  getPlaced: <D extends Document>(view: Projection<D>, keys: readonly string[]) => Promise<readonly Placed<D>[]>;
  find: <D extends Document>(view: Projection<D>, query: Query) => Promise<Page<D>>;
  /** @param atMost where so many are found, no more are looked for; 1 or more */
  count: <D extends Document>(view: Projection<D>, where?: Where, atMost?: number) => Promise<number>;
  /** Where nothing was added up yet: ORIGIN and no sums. */
  totals: <D extends Document>(view: Projection<D>) => Promise<PlacedTotals>;
  cursor: (stream: string) => Promise<Cursor | undefined>;
  checkpoint: () => Promise<Position>;
  faults: () => Promise<Readonly<Record<string, Fault>>>;
  commit: (step: Commit) => Promise<void>;
  /** Removes tombstones that were written more than `olderThanMs` ago. @returns how many */
  sweep: (olderThanMs: number) => Promise<number>;
  /**
   * Removes the documents of a view whose keys are before `before` in byte order, without a trace: for what no event of theirs will come
   * any more. @returns how many
   */
  forget: <D extends Document>(view: Projection<D>, before: string) => Promise<number>;
  close: () => Promise<void>;
}>;
