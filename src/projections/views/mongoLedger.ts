import type { Collection, Db } from 'mongodb';
import { RegistryError } from '../../errors.ts';
import { ORIGIN, type Position } from '../../events/event.ts';
import type { Totals } from '../projection.ts';
import { CURSORS, META } from './mongoQuery.ts';
import { type Write, writeGuarded } from './mongoWrites.ts';
import type { Commit, Cursor, Fault, PlacedTotals } from './views.ts';

type Faults = Readonly<Record<string, Fault>>;

/** How far a group of views is. `swept`: the newest position of a tombstone that was removed. */
export type LedgerState = Readonly<{ checkpoint: Position; swept: Position; faults: Faults }>;

/** What the store says beside the documents. */
export type Ledger = Readonly<{
  /** As of the last time that it was read, or moved by a commit. */
  known: () => LedgerState;
  /** Reads it. */
  refresh: () => Promise<LedgerState>;
  totals: (view: string) => Promise<PlacedTotals>;
  cursor: (stream: string) => Promise<Cursor | undefined>;
  writeTotals: (totals: Commit['totals'], checkpoint: Position) => Promise<void>;
  writeCursors: (cursors: Commit['cursors']) => Promise<void>;
  writeFaults: (faults: Faults) => Promise<void>;
  /** Moves the checkpoint forward, never back. */
  advance: (checkpoint: Position) => Promise<void>;
  /** Remembers how far tombstones are swept: what is no newer and has no document may have been deleted. */
  sweeping: (position: Position) => Promise<void>;
}>;

type StoredState = LedgerState & Readonly<{ _id: string }>;
type StoredTotals = Readonly<{ _id: string; p: Position; sums: string }>;
type StoredCursor = Readonly<{ _id: string; p: Position; revision: number; at: string }>;

const STATE = 'state';
const INITIAL: LedgerState = { checkpoint: ORIGIN, swept: ORIGIN, faults: {} };
const totalsId = (view: string): string => `totals ${view}`;

const stateOf = (stored: StoredState | null): LedgerState => {
  if (stored === null) throw new RegistryError('UNAVAILABLE', 'These views were dropped.', { reason: 'dropped' });
  const { checkpoint, swept, faults } = stored;
  return { checkpoint, swept, faults };
};

const cursorWrite = ([stream, { revision, at, position }]: readonly [string, Cursor]): Write<StoredCursor> => ({
  stored: { _id: stream, p: position, revision, at },
  size: 3 * stream.length + 128,
});

/** How far the views of a name are; undefined where there are none. */
export const checkpointOf = async (db: Db, name: string): Promise<Position | undefined> =>
  (await db.collection<StoredState>(`${name}.${META}`).findOne({ _id: STATE }))?.checkpoint;

/** Makes the state of a group where there is none yet, and reads it. */
export const openLedger = async (db: Db, name: string, guard: () => void): Promise<Ledger> => {
  const states: Collection<StoredState> = db.collection(`${name}.${META}`);
  const totals: Collection<StoredTotals> = db.collection(`${name}.${META}`);
  const cursors: Collection<StoredCursor> = db.collection(`${name}.${CURSORS}`);
  let known = INITIAL;

  const refresh = async (): Promise<LedgerState> => {
    known = stateOf(await states.findOne({ _id: STATE }));
    return known;
  };

  const change = async (filter: object, set: object): Promise<void> => {
    guard();
    const changed = await states.findOneAndUpdate({ _id: STATE, ...filter }, { $set: set }, { returnDocument: 'after' });
    if (changed === null) await refresh();
    else known = stateOf(changed);
  };

  const writeFaults = async (faults: Faults): Promise<void> => {
    for (const [view, { position, type, message }] of Object.entries(faults)) {
      await change({ [`faults.${view}`]: { $exists: false } }, { [`faults.${view}`]: { position, type, message } });
    }
  };

  // An upsert on the _id alone: of several that are here at once, one makes it.
  await states.updateOne({ _id: STATE }, { $setOnInsert: INITIAL }, { upsert: true });
  await refresh();

  return {
    known: () => known,
    refresh,
    totals: async (view) => {
      const stored = await totals.findOne({ _id: totalsId(view) });
      return stored === null ? { position: ORIGIN, sums: {} } : { position: stored.p, sums: JSON.parse(stored.sums) as Totals };
    },
    cursor: async (stream) => {
      const stored = await cursors.findOne({ _id: stream });
      return stored === null ? undefined : { revision: stored.revision, at: stored.at, position: stored.p };
    },
    writeTotals: async (all, checkpoint) => {
      const writes = Object.entries(all).map(([view, sums]) => {
        const text = JSON.stringify(sums);
        return { stored: { _id: totalsId(view), p: checkpoint, sums: text }, size: 3 * text.length + 128 };
      });
      await writeGuarded(totals, writes, guard);
    },
    writeCursors: async (all) => writeGuarded(cursors, Object.entries(all).map(cursorWrite), guard),
    writeFaults,
    advance: (checkpoint) => change({ checkpoint: { $lt: checkpoint } }, { checkpoint }),
    sweeping: (swept) => change({ swept: { $lt: swept } }, { swept }),
  };
};
