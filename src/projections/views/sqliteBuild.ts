import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ORIGIN, type Position, type Recorded } from '../../events/event.ts';
import type { Group, Placed, Projection, Seen, Totals } from '../projection.ts';
import { added, type Outcome, planner, reduce } from '../reduce.ts';
import { type Batch, finishFile, startFile } from './sqliteFill.ts';
import type { FillerData } from './sqliteFill.worker.ts';
import { type Shelf, shelfOn } from './sqliteShelf.ts';
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
  sizes?: Partial<Sizes>;
}>;

/** How much is in hand at a time. */
export type Sizes = Readonly<{
  /** Events read at once. */
  batch: number;
  /** What is handed to the writer at once: so many documents, or so many characters of them. */
  documents: number;
  characters: number;
  /** So many documents a view stay in memory, of those that changed more than once. */
  kept: number;
}>;

// Few events at once, because one may have half a mebibyte and touch 4,000 documents; larger batches are not faster (measured).
const SIZES: Sizes = { batch: 200, documents: 5_000, characters: 16_000_000, kept: 20_000 };

/** Writes on a thread of its own, one batch at a time. */
const fillingThread = (data: FillerData) => {
  const thread = new Worker(new URL('./sqliteFill.worker.ts', import.meta.url), { workerData: data });
  let writing: Promise<unknown> = Promise.resolve();
  return {
    /** Resolves once the batch before this one is committed. */
    write: async (take: () => readonly Batch[]): Promise<void> => {
      await writing;
      writing = once(thread, 'message');
      writing.catch(() => undefined);
      thread.postMessage(take());
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
export const buildFile = async ({
  file,
  group,
  read,
  prepare,
  onProgress = () => undefined,
  sizes = {},
}: Build): Promise<void> => {
  const most = { ...SIZES, ...sizes };
  const db = startFile(file, group);
  const filling = fillingThread({ path: file, views: group.views.map(({ view }) => view) });
  const shelves = new Map(group.views.map((projection) => [projection, shelfOn(db, projection, most.kept)]));
  const shelfOf = (projection: Projection): Shelf => shelves.get(projection) as Shelf;
  const placed = (projection: Projection, key: string): Placed => shelfOf(projection).read(key);
  const plan = planner(group.views);
  const summary = summing();
  let position: Position = ORIGIN;
  let events = 0;
  let documents = 0;
  let characters = 0;

  const flush = async (): Promise<void> => {
    // The batch before is committed when this resolves: until then the shelves have it.
    await filling.write(() => [...shelves].map(([{ view }, shelf]) => ({ view, ...shelf.take() })));
    documents = 0;
    characters = 0;
    onProgress({ events, position });
  };

  const take = async (batch: readonly Recorded[]): Promise<void> => {
    const planned = plan(await prepare(batch), summary.faults);
    const outcome = reduce(planned, placed);
    summary.add(outcome, planned.cursors);
    for (const [projection, changes] of outcome.changes) characters += shelfOf(projection).write(changes);
    documents = [...shelves.values()].reduce((sum, shelf) => sum + shelf.size(), 0);
    events += batch.length;
    position = planned.checkpoint;
    if (characters >= most.characters || documents >= most.documents) await flush();
  };

  try {
    const next = () => read(position, most.batch);
    for (let batch = await next(); batch.length > 0; batch = await next()) await take(batch);
    await flush();
    await filling.close();
    finishFile(db, file, group, summary.at(position));
  } catch (error) {
    await filling.terminate();
    if (db.isOpen) db.close();
    throw error;
  }
};
