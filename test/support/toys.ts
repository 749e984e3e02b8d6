import fc from 'fast-check';
import type { NewEvent } from '../../src/events/event.ts';
import type { EventLog } from '../../src/events/log/log.ts';
import { type Group, type Projection, projection } from '../../src/projections/projection.ts';

// Three small views that use everything a view may: indexes, totals, several documents an event, deletion.

export type Note = Readonly<{ note: string; folder: string; size: number; pinned: boolean; at: string }>;
export type NoteEvents = Readonly<{
  NoteWritten: Readonly<{ note: string; folder: string; size: number; marks: readonly string[] }>;
  NoteErased: Readonly<{ note: string; folder: string }>;
}>;

export const notes = projection<Note, NoteEvents>({
  view: 'notes',
  version: 1,
  indexes: [['folder'], ['folder', 'size'], ['size'], ['at']],
  keysOf: ({ data }) => [data.note],
  on: {
    NoteWritten: (_note, { data: { note, folder, size }, metadata }) => ({
      note,
      folder,
      size,
      pinned: size > 5,
      at: metadata.at,
    }),
    NoteErased: () => undefined,
  },
  totals: (before, after) => ({
    notes: Number(after !== undefined) - Number(before !== undefined),
    bytes: (after?.size ?? 0) - (before?.size ?? 0),
  }),
});

export const folders = projection<Readonly<{ written: number }>, NoteEvents>({
  view: 'folders',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => [data.folder],
  on: { NoteWritten: (folder) => ({ written: (folder?.written ?? 0) + 1 }) },
});

export const marks = projection<Readonly<{ last: string; notes: number }>, NoteEvents>({
  view: 'marks',
  version: 1,
  indexes: [['last']],
  keysOf: ({ type, data }) => (type === 'NoteWritten' ? data.marks : []),
  on: { NoteWritten: (mark, { data }) => ({ last: data.note, notes: (mark?.notes ?? 0) + 1 }) },
});

export const asViews = (...views: readonly unknown[]): readonly Projection[] => views as readonly Projection[];

export const toys: Group = { name: 'toys', views: asViews(notes, folders, marks) };

let ids = 0;
const START = Date.UTC(2026, 0, 1);

export const toyEvent = <T extends keyof NoteEvents>(type: T, data: NoteEvents[T]): NewEvent => {
  ids += 1;
  return {
    id: `00000000-0000-4000-8000-${ids.toString(16).padStart(12, '0')}`,
    type,
    data,
    metadata: {
      actor: { kind: 'system', id: 'test' },
      requestId: 'request',
      correlationId: 'request',
      at: new Date(START + ids).toISOString(),
      version: 1,
    },
  };
};

export const written = (note: string, { folder = 'inbox', size = 1, marks = [] as readonly string[] } = {}): NewEvent =>
  toyEvent('NoteWritten', { note, folder, size, marks });

export const erased = (note: string, folder = 'inbox'): NewEvent => toyEvent('NoteErased', { note, folder });

/** A few streams, notes and folders, so that events meet again and again. */
export const toyHistory = (maxLength = 60): fc.Arbitrary<readonly Readonly<{ stream: string; event: NewEvent }>[]> => {
  const note = fc.constantFrom('a', 'a/b', 'a-b', 'A', '_', 'ab');
  const folder = fc.constantFrom('inbox', 'sent');
  const event = fc.oneof(
    {
      weight: 3,
      arbitrary: fc
        .record({ note, folder, size: fc.nat(10), marks: fc.array(fc.constantFrom('red', 'blue', 'green'), { maxLength: 3 }) })
        .map(({ note, ...rest }) => written(note, rest)),
    },
    { weight: 1, arbitrary: fc.tuple(note, folder).map(([one, of]) => erased(one, of)) },
  );
  return fc.array(fc.record({ stream: fc.constantFrom('notes-1', 'notes-2', 'notes-3'), event }), { maxLength });
};

type Told = Readonly<{ stream: string; event: NewEvent }>;

/** Those that follow each other in one stream, together. */
const inRuns = (events: readonly Told[]): readonly (readonly Told[])[] => {
  const runs: Told[][] = [];
  for (const one of events) {
    const last = runs.at(-1);
    if (last !== undefined && last[0]?.stream === one.stream) last.push(one);
    else runs.push([one]);
  }
  return runs;
};

/** Appends events at the ends of their streams, and answers the position of the last. */
export const appending = (log: EventLog) => {
  const revisions = new Map<string, number>();
  return async (events: readonly Told[]): Promise<string> => {
    let last = await log.head();
    for (const run of inRuns(events)) {
      const stream = run[0]?.stream ?? '';
      const fresh = run.map(({ event }) => ({ ...event, id: crypto.randomUUID() }));
      const { revision, position } = await log.append(stream, revisions.get(stream) ?? -1, fresh);
      revisions.set(stream, revision);
      last = position;
    }
    return last;
  };
};
