import { once } from 'node:events';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { ORIGIN, type Position, type Recorded } from '../../events/event.ts';
import type { Document, Group, Placed, Projection, Seen, Totals } from '../projection.ts';
import { added, neverSeen, type Outcome, planner, reduce } from '../reduce.ts';
import { bloomFilter } from './bloomFilter.ts';
import { finishFile, type Rows, startFile } from './sqliteFill.ts';
import type { FillerData } from './sqliteFill.worker.ts';
import { tableOf } from './sqliteSchema.ts';
import type { Cursor, Fault } from './views.ts';

export type Progress = Readonly<{ events: number; position: Position }>;

export type Build = Readonly<{
  /** A file that is not there yet. */
  file: string;
  group: Group;
  /** Events after a position, in order; none at the log's end. */
  read: (after: Position, limit: number) => Promise<readonly Recorded[]>;
  prepare: (events: readonly Recorded[]) => Promise<readonly Seen[]> | readonly Seen[];
  onProgress?: (progress: Progress) => void;
}>;

const BATCH = 1000;
/** A batch for the writer: so many documents, or so many characters of them. */
const DOCUMENTS_PER_FLUSH = 20_000;
const CHARACTERS_PER_FLUSH = 16_000_000;
/** So many documents a view are kept in memory after they were written, in any case those of the flush under way. */
const KEPT_DOCUMENTS = 20_000;
const FILTER_BITS = 27;

type Kept = Readonly<{ position: Position; text: string | null }>;

/** The documents of one view during a build. */
type Shelf = {
  readonly projection: Projection;
  readonly space: number;
  readonly select: StatementSync;
  generations: Map<string, Kept>[];
};

const recent = (generations: readonly Map<string, Kept>[]): Map<string, Kept>[] => {
  let documents = 0;
  return generations.filter((generation, age) => {
    documents += generation.size;
    return age === 0 || (generation.size > 0 && documents <= KEPT_DOCUMENTS);
  });
};

const parsed = (key: string, { position, text }: Kept): Placed => ({
  key,
  position,
  value: text === null ? undefined : (JSON.parse(text) as Document),
});

/** The documents of a build as far as it has come: what changed last in memory, the rest in the file. */
const shelvesOn = (db: DatabaseSync, group: Group) => {
  // Most documents of a history are new ones. The filter knows it without asking the file.
  const touched = bloomFilter(FILTER_BITS);
  const shelves = new Map<Projection, Shelf>();
  group.views.forEach((projection, space) => {
    const select = db.prepare(`select position, doc from ${tableOf(projection)} where key = ?`);
    select.setReturnArrays(true);
    shelves.set(projection, { projection, space, select, generations: [new Map()] });
  });

  const find = ({ generations, space, select }: Shelf, key: string): Kept | undefined => {
    if (!touched.add(space, key)) return undefined;
    for (const generation of generations) {
      const kept = generation.get(key);
      if (kept !== undefined) return kept;
    }
    const row = select.get(key) as unknown as [Position, string] | undefined;
    return row && { position: row[0], text: row[1] };
  };

  return {
    read: (projection: Projection, key: string): Placed => {
      const kept = find(shelves.get(projection) as Shelf, key);
      return kept === undefined ? neverSeen(key) : parsed(key, kept);
    },
    /** @returns characters of the changed documents */
    write: ({ changes }: Outcome): number => {
      let characters = 0;
      for (const [projection, changed] of changes) {
        const { generations } = shelves.get(projection) as Shelf;
        for (const [key, { after }] of changed) {
          const text = after.value === undefined ? null : JSON.stringify(after.value);
          generations[0]?.set(key, { position: after.position, text });
          characters += key.length + (text?.length ?? 0);
        }
      }
      return characters;
    },
    size: (): number => [...shelves.values()].reduce((sum, { generations }) => sum + (generations[0]?.size ?? 0), 0),
    /** What changed since the last call, to be written; it stays in memory for a while. */
    turn: (): readonly Rows[] =>
      [...shelves.values()].map((shelf) => {
        const rows: Rows = { view: shelf.projection.view, keys: [], positions: [], texts: [] };
        for (const [key, { position, text }] of shelf.generations[0] ?? []) {
          rows.keys.push(key);
          rows.positions.push(position);
          rows.texts.push(text);
        }
        shelf.generations = [new Map(), ...recent(shelf.generations)];
        return rows;
      }),
  };
};

/** Writes on a thread of its own, one batch at a time. */
const fillingThread = (data: FillerData) => {
  const thread = new Worker(new URL('./sqliteFill.worker.ts', import.meta.url), { workerData: data });
  let writing: Promise<unknown> = Promise.resolve();
  return {
    /** Resolves once the batch before this one is committed. */
    write: async (rows: readonly Rows[]): Promise<void> => {
      await writing;
      writing = once(thread, 'message');
      writing.catch(() => undefined);
      thread.postMessage(rows);
    },
    close: async (): Promise<void> => {
      await writing;
      thread.postMessage(null);
      await once(thread, 'exit');
    },
    terminate: () => thread.terminate(),
  };
};

/** What is written at the end: small, or at least smaller than the documents. */
const summing = () => {
  const totals = new Map<string, Totals>();
  const cursors = new Map<string, Cursor>();
  const faults: Record<string, Fault> = {};
  return {
    faults,
    add: (outcome: Outcome, moved: Readonly<Record<string, Cursor>>): void => {
      for (const [{ view }, delta] of outcome.deltas) totals.set(view, added(totals.get(view) ?? {}, delta));
      for (const stream in moved) cursors.set(stream, moved[stream] as Cursor);
      Object.assign(faults, outcome.faults);
    },
    at: (checkpoint: Position) => ({ totals, cursors, faults, checkpoint }),
  };
};

/**
 * Builds the views of a group from the log, into a file that is ready when this resolves: reads and reduces here, writes on a
 * second thread, and makes the indexes last. It ends at the end of the log; what comes after is the projector's.
 *
 * @throws UnknownEvent, and whatever `read` throws. The file is of no use then.
 */
export const buildFile = async ({ file, group, read, prepare, onProgress = () => undefined }: Build): Promise<void> => {
  const db = startFile(file, group);
  const filling = fillingThread({ path: file, views: group.views.map(({ view }) => view) });
  const shelves = shelvesOn(db, group);
  const plan = planner(group.views);
  const summary = summing();
  let position: Position = ORIGIN;
  let events = 0;
  let characters = 0;

  const flush = async (): Promise<void> => {
    await filling.write(shelves.turn());
    characters = 0;
    onProgress({ events, position });
  };

  const take = async (batch: readonly Recorded[]): Promise<void> => {
    const planned = plan(await prepare(batch), summary.faults);
    const outcome = reduce(planned, shelves.read);
    summary.add(outcome, planned.cursors);
    characters += shelves.write(outcome);
    events += batch.length;
    position = planned.checkpoint;
    if (characters > CHARACTERS_PER_FLUSH || shelves.size() > DOCUMENTS_PER_FLUSH) await flush();
  };

  try {
    for (let batch = await read(position, BATCH); batch.length > 0; batch = await read(position, BATCH)) await take(batch);
    await flush();
    await filling.close();
    finishFile(db, file, group, summary.at(position));
  } catch (error) {
    await filling.terminate();
    if (db.isOpen) db.close();
    throw error;
  }
};
