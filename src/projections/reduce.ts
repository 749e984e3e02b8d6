import { ORIGIN, type Position } from '../events/event.ts';
import type { Document, Placed, Projection, Seen, Totals } from './projection.ts';
import type { Cursor, Fault } from './views/views.ts';

/**
 * A document brought one event further: the only `evolve` there is, for projectors, rebuilds and deciders alike.
 * An event at or before the document's position, or of a type without a reducer, changes nothing. A document that was not
 * there and still is not keeps its position, so that an event that finds nothing to change leaves no tombstone.
 */
export const step = <D extends Document>(projection: Projection<D>, placed: Placed<D>, event: Seen): Placed<D> => {
  const reducer = projection.on[event.type];
  if (reducer === undefined || event.position <= placed.position) return placed;
  const value = reducer(placed.value, event, placed.key);
  if (value === undefined && placed.value === undefined) return placed;
  return { key: placed.key, position: event.position, value };
};

/** The document of a key that no event has touched. */
export const neverSeen = (key: string): Placed => ({ key, position: ORIGIN, value: undefined });

type Touch = Readonly<{ projection: Projection; event: Seen; keys: readonly string[] }>;

/** Which documents a batch touches, in the order of its events. */
export type Plan = Readonly<{
  touches: readonly Touch[];
  cursors: Readonly<Record<string, Cursor>>;
  checkpoint: Position;
  faults: Readonly<Record<string, Fault>>;
}>;

/** A document before and after a batch. */
export type Change = { readonly before: Placed; after: Placed };

export type Outcome = Readonly<{
  changes: ReadonlyMap<Projection, ReadonlyMap<string, Change>>;
  /** What the batch adds to the totals of each view. */
  deltas: ReadonlyMap<Projection, Totals>;
  /** The views that faulted in this batch. */
  faults: Readonly<Record<string, Fault>>;
}>;

const faultOf = ({ position, type }: Seen, error: unknown): Fault => ({
  position,
  type,
  message: error instanceof Error ? error.message : String(error),
});

const subscribersOf = (views: readonly Projection[]): ReadonlyMap<string, readonly Projection[]> => {
  const byType = new Map<string, Projection[]>();
  for (const projection of views) {
    for (const type of Object.keys(projection.on)) byType.set(type, [...(byType.get(type) ?? []), projection]);
  }
  return byType;
};

/**
 * First half of a batch: asks the views which documents it touches. What stands in `standing`, the views that faulted
 * earlier, is passed by. The second half is `reduce`, once the documents are at hand.
 */
export const planner = (
  views: readonly Projection[],
): ((events: readonly Seen[], standing: Readonly<Record<string, Fault>>) => Plan) => {
  const subscribers = subscribersOf(views);
  return (events, standing) => {
    const touches: Touch[] = [];
    const cursors: Record<string, Cursor> = {};
    const faults: Record<string, Fault> = {};
    for (const event of events) {
      cursors[event.stream] = { revision: event.revision, at: event.metadata.at, position: event.position };
      for (const projection of subscribers.get(event.type) ?? []) {
        if (standing[projection.view] !== undefined || faults[projection.view] !== undefined) continue;
        const touched = keysOf(projection, event, faults);
        if (touched.length === 0) continue;
        touches.push({ projection, event, keys: touched });
      }
    }
    return { touches, cursors, faults, checkpoint: events.at(-1)?.position ?? ORIGIN };
  };
};

const keysOf = (projection: Projection, event: Seen, faults: Record<string, Fault>): readonly string[] => {
  try {
    return projection.keysOf(event);
  } catch (error) {
    faults[projection.view] = faultOf(event, error);
    return [];
  }
};

/** The documents that a batch needs, each once. */
export const keysIn = ({ touches }: Plan): ReadonlyMap<Projection, ReadonlySet<string>> => {
  const wanted = new Map<Projection, Set<string>>();
  for (const { projection, keys } of touches) {
    const known = wanted.get(projection);
    if (known === undefined) wanted.set(projection, new Set(keys));
    else for (const key of keys) known.add(key);
  }
  return wanted;
};

/**
 * Second half of a batch: every planned document through its events. A reducer that throws faults its own view from that
 * event on, which leaves no half of an event behind; the others go on.
 */
export const reduce = (plan: Plan, placed: (projection: Projection, key: string) => Placed): Outcome => {
  const changes = new Map<Projection, Map<string, Change>>();
  const faults: Record<string, Fault> = { ...plan.faults };
  for (const touch of plan.touches) {
    const { view } = touch.projection;
    // A view whose keysOf threw later in the batch is still fed the events before.
    if (faults[view] !== undefined && faults[view] !== plan.faults[view]) continue;
    const changed = changes.get(touch.projection) ?? new Map<string, Change>();
    changes.set(touch.projection, changed);
    try {
      apply(touch, changed, placed);
    } catch (error) {
      faults[view] = faultOf(touch.event, error);
    }
  }
  return { changes, faults, deltas: deltasOf(changes, faults) };
};

const apply = (
  { projection, event, keys }: Touch,
  changed: Map<string, Change>,
  placed: (of: Projection, key: string) => Placed,
) => {
  const undo: [string, Change, Placed][] = [];
  try {
    for (const key of keys) {
      const change = changed.get(key);
      const current = change?.after ?? placed(projection, key);
      const next = step(projection, current, event);
      if (next === current) continue;
      const made = change ?? { before: current, after: next };
      if (change === undefined) changed.set(key, made);
      else made.after = next;
      if (keys.length > 1) undo.push([key, made, current]);
    }
  } catch (error) {
    for (const [key, made, was] of undo.reverse()) {
      made.after = was;
      if (was === made.before) changed.delete(key);
    }
    throw error;
  }
};

const deltasOf = (
  changes: Map<Projection, Map<string, Change>>,
  faults: Record<string, Fault>,
): ReadonlyMap<Projection, Totals> => {
  const deltas = new Map<Projection, Totals>();
  for (const [projection, changed] of changes) {
    if (projection.totals === undefined) continue;
    try {
      deltas.set(projection, deltaOf(projection.totals, changed));
    } catch (error) {
      // Totals and documents stay together: without the one the view takes nothing of this batch.
      faults[projection.view] = { position: lowestOf(changed), type: 'totals', message: String(error) };
      changes.delete(projection);
    }
  }
  return deltas;
};

const deltaOf = (totals: NonNullable<Projection['totals']>, changed: ReadonlyMap<string, Change>): Totals => {
  const sums: Record<string, number> = {};
  for (const { before, after } of changed.values()) {
    const delta = totals(before.value, after.value);
    for (const name in delta) sums[name] = (sums[name] ?? 0) + (delta[name] ?? 0);
  }
  return sums;
};

const inOrder = (a: string, b: string): number => (a < b ? -1 : 1);

const lowestOf = (changed: ReadonlyMap<string, Change>): Position =>
  [...changed.values()].map(({ after }) => after.position).sort(inOrder)[0] ?? ORIGIN;

/** Totals after a change: names in order and zeros left out, so that equal totals are equal texts however they came about. */
export const added = (totals: Totals, delta: Totals): Totals => {
  const sums: Record<string, number> = {};
  for (const name of [...new Set([...Object.keys(totals), ...Object.keys(delta)])].sort(inOrder)) {
    const sum = (totals[name] ?? 0) + (delta[name] ?? 0);
    if (sum !== 0) sums[name] = sum;
  }
  return sums;
};
