import { expect } from 'chai';
import type { Fact, Metadata, Position, Recorded } from '../../src/events/event.ts';
import type { Document, Placed, Projection, Seen, Totals } from '../../src/projections/projection.ts';
import { added, neverSeen, planner, reduce } from '../../src/projections/reduce.ts';

/** What happened, and as much of its surroundings as the example is about. */
export type Told = Fact & Readonly<{ id?: string; stream?: string; metadata?: Partial<Metadata> }>;

export type Projected<D extends Document> = Readonly<{
  /** Every document of the view, by its key. */
  yields: (documents: Readonly<Record<string, D>>) => void;
  /** The view's totals, without those that are 0. */
  addsUpTo: (totals: Totals) => void;
}>;

export const positionOf = (n: number): Position => String(n).padStart(16, '0');

/** Events as a log gives them back: positions from 1 on, revisions by stream, a millisecond from one to the next. */
export const recordedFrom = (told: readonly Told[]): readonly Recorded[] => {
  const revisions = new Map<string, number>();
  return told.map(({ id, type, data, stream = 'test', metadata = {} }, index) => {
    const revision = (revisions.get(stream) ?? -1) + 1;
    revisions.set(stream, revision);
    const eventId = id ?? `00000000-0000-4000-8000-${String(index + 1).padStart(12, '0')}`;
    return {
      id: eventId,
      type,
      data,
      stream,
      revision,
      position: positionOf(index + 1),
      metadata: {
        actor: { kind: 'user', id: '1' },
        requestId: 'request',
        correlationId: 'request',
        at: new Date(Date.UTC(2026, 0, 1) + index).toISOString(),
        version: 1,
        ...metadata,
      },
    };
  });
};

export const seen = (events: readonly Recorded[]): readonly Seen[] => events as unknown as readonly Seen[];

type State = Readonly<{ documents: Map<string, Placed>; totals: Totals }>;

const applied = (projection: Projection, batches: readonly (readonly Recorded[])[]): State => {
  const plan = planner([projection]);
  const documents = new Map<string, Placed>();
  let totals: Totals = {};
  for (const batch of batches) {
    const outcome = reduce(plan(seen(batch), {}), (_of, key) => documents.get(key) ?? neverSeen(key));
    expect(outcome.faults, 'no valid event makes a reducer throw').to.deep.equal({});
    for (const [key, { after }] of outcome.changes.get(projection) ?? []) documents.set(key, after);
    totals = added(totals, outcome.deltas.get(projection) ?? {});
  }
  return { documents, totals };
};

/**
 * `projecting(tags)(created, moved).yields({ … })`: what a view makes of a history. Whatever the example, it also checks what
 * holds for every view: each event twice, and each event in a batch of its own, come to the same.
 */
export const projecting =
  <D extends Document>(view: Projection<D>) =>
  (...told: readonly Told[]): Projected<D> => {
    const projection = view as unknown as Projection;
    const events = recordedFrom(told);
    const state = applied(projection, [events]);
    const inBatches = (...batches: readonly (readonly Recorded[])[]): State => applied(projection, batches);
    expect(inBatches(events.flatMap((event) => [event, event])), 'each event twice').to.deep.equal(state);
    expect(inBatches(events, events), 'the whole history twice').to.deep.equal(state);
    expect(inBatches(...events.map((event) => [event])), 'one event a batch').to.deep.equal(state);
    return {
      yields: (expected) => {
        const there = [...state.documents].filter(([, { value }]) => value !== undefined);
        expect(Object.fromEntries(there.map(([key, { value }]) => [key, value]))).to.deep.equal(expected);
      },
      addsUpTo: (expected) => {
        expect(state.totals).to.deep.equal(expected);
      },
    };
  };
