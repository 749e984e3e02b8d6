import type { Fact } from '../events/event.ts';
import type { Document, Projection } from '../projections/projection.ts';

/** Documents that a command must see: single ones, and sets of those whose keys share a prefix. */
export type Keys = Readonly<{
  documents?: readonly DocumentKey[];
  sets?: readonly DocumentSet[];
}>;
export type DocumentKey = Readonly<{ view: Projection; key: string }>;
/** At most `limit` documents, in the order of their keys: ask for one more than needed to learn whether there are more. */
export type DocumentSet = Readonly<{ view: Projection; prefix: string; limit: number }>;

/** The named documents, brought to the head of the stream. In `decide`, asking for one that was not named is a defect and throws. */
export type Documents = Readonly<{
  get: <D extends Document>(view: Projection<D>, key: string) => D | undefined;
  /** The keys of a named set, without the prefix. */
  keysUnder: <D extends Document>(view: Projection<D>, prefix: string) => readonly string[];
}>;

/**
 * The rules of one kind of stream, pure: no clock, no ids, no I/O; what they need of those comes in the command.
 * `keysOf` is asked again with the documents found so far until it names nothing new, because the key of one document may
 * stand in another (a repository's id in the document under its name).
 * `decide` returns the new facts, none when nothing changes, or throws a RegistryError.
 */
export type Decider<C> = Readonly<{
  keysOf: (command: C, known: Documents) => Keys;
  decide: (command: C, documents: Documents) => readonly Fact[];
}>;

export const document = <D extends Document>(view: Projection<D>, key: string): DocumentKey => ({
  view: view as unknown as Projection,
  key,
});
export const setUnder = <D extends Document>(view: Projection<D>, prefix: string, limit: number): DocumentSet => ({
  view: view as unknown as Projection,
  prefix,
  limit,
});
