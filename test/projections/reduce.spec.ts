import { expect } from 'chai';
import fc from 'fast-check';
import type { Recorded } from '../../src/events/event.ts';
import type { Placed, Projection } from '../../src/projections/projection.ts';
import { added, keysIn, neverSeen, type Outcome, planner, reduce, step } from '../../src/projections/reduce.ts';
import { positionOf, projecting, recordedFrom, seen } from '../support/projecting.ts';
import { asViews, erased, folders, marks, notes, toyHistory, toys, written } from '../support/toys.ts';

const [writtenA, erasedA, marked] = recordedFrom([
  written('a', { size: 3 }),
  erased('a'),
  written('b', { marks: ['red', 'blue', 'red'] }),
]) as [Recorded, Recorded, Recorded];
const [event] = seen([writtenA]);

const reduced = (
  views: readonly Projection[],
  events: readonly Recorded[],
  documents: ReadonlyMap<string, Placed> = new Map(),
): Outcome => reduce(planner(views)(seen(events), {}), ({ view }, key) => documents.get(`${view} ${key}`) ?? neverSeen(key));

/** The documents that a batch leaves in a view, by key. */
const valuesIn = ({ changes }: Outcome, { view }: Pick<Projection, 'view'>): Readonly<Record<string, unknown>> => {
  const changed = [...changes].find(([projection]) => projection.view === view)?.[1] ?? new Map();
  return Object.fromEntries([...changed].map(([key, { after }]) => [key, after.value]));
};

const deltaOf = ({ deltas }: Outcome, { view }: Pick<Projection, 'view'>) =>
  [...deltas].find(([projection]) => projection.view === view)?.[1];

describe('a step', () => {
  const view = notes as unknown as Projection;

  it('brings a document to the position of its event', () => {
    expect(step(view, neverSeen('a'), event as never)).to.deep.include({ key: 'a', position: positionOf(1) });
  });

  it('skips what the document already holds', () => {
    const later = { key: 'a', position: positionOf(1), value: { size: 9 } };
    expect(step(view, later, event as never)).to.equal(later);
    expect(step(view, { ...later, position: positionOf(2) }, event as never).value).to.deep.equal({ size: 9 });
  });

  it('passes events by that the view has no reducer for', () => {
    const [other] = seen(recordedFrom([{ type: 'SomethingElse', data: {} }]));
    const before = { key: 'a', position: '', value: { size: 9 } };
    expect(step(view, before, other as never)).to.equal(before);
  });

  it('leaves no tombstone where there was no document', () => {
    const nothing = neverSeen('a');
    expect(step(view, nothing, seen([erasedA])[0] as never)).to.equal(nothing);
  });

  it('leaves a tombstone with its position where there was one', () => {
    const there = { key: 'a', position: positionOf(1), value: { size: 9 } };
    expect(step(view, there, seen([erasedA])[0] as never)).to.deep.equal({ key: 'a', position: positionOf(2), value: undefined });
  });
});

describe('a batch', () => {
  it('names each document that it needs once', () => {
    const plan = planner(toys.views)(seen([writtenA, erasedA, marked]), {});
    const keys = [...keysIn(plan)].map(([{ view }, wanted]) => [view, [...wanted]]);
    expect(keys).to.deep.equal([
      ['notes', ['a', 'b']],
      ['folders', ['inbox']],
      ['marks', ['red', 'blue']],
    ]);
  });

  it('ends with the position of its last event and the place of each stream', () => {
    const events = recordedFrom(
      [
        { ...written('a'), stream: 'one' },
        { ...written('b'), stream: 'two' },
        { ...written('c'), stream: 'one' },
      ].map(({ metadata: _, ...told }) => told),
    );
    const { cursors, checkpoint } = planner(toys.views)(seen(events), {});
    expect(checkpoint).to.equal(positionOf(3));
    expect(cursors).to.deep.equal({
      one: { revision: 1, at: events[2]?.metadata.at, position: positionOf(3) },
      two: { revision: 0, at: events[1]?.metadata.at, position: positionOf(2) },
    });
  });

  it('adds to the totals what its documents came to, not what they were on the way', () => {
    const again = recordedFrom([written('a', { size: 3 }), written('a', { size: 5 }), erased('a'), written('a', { size: 4 })]);
    expect(deltaOf(reduced(toys.views, again), notes)).to.deep.equal({ notes: 1, bytes: 4 });
    const there = new Map([['notes a', { key: 'a', position: '', value: { size: 10 } }]]);
    expect(deltaOf(reduced(toys.views, again, there), notes)).to.deep.equal({ notes: 0, bytes: -6 });
  });

  it('keeps a tombstone of what came and went within it, against whoever is late', () => {
    const { changes } = reduced(asViews(notes), [writtenA, erasedA]);
    expect([...changes.values()][0]?.get('a')?.after).to.deep.equal({ key: 'a', position: positionOf(2), value: undefined });
  });

  it('takes an event once for a document that it names twice', () => {
    expect(valuesIn(reduced(toys.views, [marked]), marks)).to.deep.equal({
      red: { last: 'b', notes: 1 },
      blue: { last: 'b', notes: 1 },
    });
  });
});

describe('a reducer that throws', () => {
  const broken = {
    ...marks,
    on: {
      NoteWritten: (mark: Readonly<{ notes: number }> | undefined, { data }: Recorded<string, { note: string }>, key: string) => {
        if (key === 'bad') throw new Error('cannot');
        return { last: data.note, notes: (mark?.notes ?? 0) + 1 };
      },
    },
  };
  const events = recordedFrom([
    written('a', { marks: ['red', 'blue'] }),
    written('b', { marks: ['red', 'green', 'bad', 'blue'] }),
    written('c', { marks: ['red'] }),
  ]);
  const fault = { position: positionOf(2), type: 'NoteWritten', message: 'cannot' };

  it('faults its view at that event and leaves no half of it behind', () => {
    const outcome = reduced(asViews(notes, broken), events);
    expect(outcome.faults).to.deep.equal({ marks: fault });
    expect(valuesIn(outcome, marks)).to.deep.equal({ red: { last: 'a', notes: 1 }, blue: { last: 'a', notes: 1 } });
  });

  it('does not hold the other views up', () => {
    expect(Object.keys(valuesIn(reduced(asViews(broken, notes), events), notes))).to.deep.equal(['a', 'b', 'c']);
  });

  it('is not asked again in later batches', () => {
    const plan = planner(asViews(broken, notes))(seen(events.slice(2)), { marks: fault });
    expect([...keysIn(plan)].map(([{ view }]) => view)).to.deep.equal(['notes']);
  });

  it('faults its view just so in keysOf', () => {
    const keyless = {
      ...marks,
      keysOf: (one: never) => {
        const keys = marks.keysOf(one);
        if (keys.includes('bad')) throw new Error('cannot');
        return keys;
      },
    };
    const outcome = reduced(asViews(keyless, notes), events);
    expect(outcome.faults).to.deep.equal({ marks: fault });
    expect(valuesIn(outcome, marks)).to.deep.equal({ red: { last: 'a', notes: 1 }, blue: { last: 'a', notes: 1 } });
    expect(Object.keys(valuesIn(outcome, notes))).to.deep.equal(['a', 'b', 'c']);
  });

  it('faults its view just so in totals, and takes nothing of the batch then', () => {
    const uncounted = {
      ...notes,
      totals: () => {
        throw new Error('cannot count');
      },
    };
    const outcome = reduced(asViews(uncounted, folders), events);
    expect(outcome.faults)
      .to.have.property('notes')
      .that.deep.includes({ position: positionOf(1) });
    expect(valuesIn(outcome, notes)).to.deep.equal({});
    expect(valuesIn(outcome, folders)).to.deep.equal({ inbox: { written: 3 } });
  });
});

describe('totals', () => {
  it('come out as the same text in whatever order they came about', () => {
    expect(JSON.stringify(added(added({}, { b: 1, a: 2 }), { a: -2, c: 1 }))).to.equal('{"b":1,"c":1}');
    expect(JSON.stringify(added(added({}, { c: 1 }), { b: 1 }))).to.equal('{"b":1,"c":1}');
  });
});

describe('any history', () => {
  const HISTORIES = toyHistory(40).map((history) => history.map(({ stream, event: { type, data } }) => ({ stream, type, data })));

  it('comes to the same in one batch, in many, and with every event twice', () => {
    fc.assert(
      fc.property(HISTORIES, (history) => {
        // projecting checks it; documents and totals are compared between the three.
        for (const view of toys.views) projecting(view)(...history);
      }),
    );
  });

  it('adds up to what its documents add up to', () => {
    fc.assert(
      fc.property(HISTORIES, (history) => {
        const sizes = new Map<string, number>();
        for (const { type, data } of history) {
          const { note, size } = data as { note: string; size: number };
          if (type === 'NoteWritten') sizes.set(note, size);
          else sizes.delete(note);
        }
        const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
        projecting(notes)(...history).addsUpTo({ ...(bytes > 0 && { bytes }), ...(sizes.size > 0 && { notes: sizes.size }) });
      }),
    );
  });
});
