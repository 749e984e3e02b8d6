import { canonicalJson } from '../events/canonical.ts';
import { ORIGIN } from '../events/event.ts';
import type { Document, Group, Projection } from '../projections/projection.ts';
import { pagesOf } from '../projections/views/pages.ts';
import { LARGEST_PAGE, type Page, type Views } from '../projections/views/views.ts';
import { CannotMove, goOn } from './cannotMove.ts';
import { type OnProgress, PROGRESS_EVERY } from './progress.ts';

type Entry = Readonly<{ key: string; value: Document }>;

export type Comparing = Readonly<{
  group: Group;
  source: Views;
  target: Views;
  /** Every stream of the log. */
  streams: Iterable<string>;
  onProgress?: OnProgress;
  signal?: AbortSignal | undefined;
}>;

/** What was found to be the same. */
export type Compared = Readonly<{ documents: number; cursors: number }>;

const differs = (what: string, here: unknown, there: unknown): CannotMove =>
  new CannotMove('different', `The views differ at ${what}: ${shown(here)} here, ${shown(there)} on the other side.`);

const shown = (value: unknown): string => {
  const text = value === undefined ? 'nothing' : canonicalJson(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
};

const isSame = (one: unknown, other: unknown): boolean =>
  one === undefined || other === undefined ? one === other : canonicalJson(one) === canonicalJson(other);

type Items = Page<Document>['items'];

/**
 * Keys without the position of their document: an entry of the audit trail has the position as its key, and that is another one
 * in another log. The first key of a page speaks for all of a view.
 */
const plainKeys = async (views: Views, view: Projection, items: Items): Promise<readonly string[]> => {
  const keys = items.map(({ key }) => key);
  const [first] = await views.getPlaced(view, keys.slice(0, 1));
  if (first === undefined || first.position === ORIGIN || !first.key.includes(first.position)) return keys;
  const placed = await views.getPlaced(view, keys);
  return placed.map(({ key, position }) => key.replaceAll(position, '<position>'));
};

/** In the order of the keys, which is that of the log where they are positions. */
async function* documentsIn(views: Views, view: Projection): AsyncGenerator<Entry> {
  for await (const items of pagesOf(views, view, { limit: LARGEST_PAGE })) {
    const keys = await plainKeys(views, view, items);
    for (const [index, { key, value }] of items.entries()) yield { key: keys[index] ?? key, value };
  }
}

const compareDocuments = async (
  { group, source, target, onProgress, signal }: Comparing,
  view: Projection,
  before: number,
): Promise<number> => {
  const there = documentsIn(target, view);
  let count = 0;
  for await (const here of documentsIn(source, view)) {
    goOn(signal, 'the views were being compared. The log is there and verified; run the same command again');
    const next = await there.next();
    if (next.done === true || !isSame(here, next.value)) throw differs(`${view.view}, document ${count + 1}`, here, next.value);
    count += 1;
    if (count % PROGRESS_EVERY === 0)
      onProgress?.({ doing: `Comparing the ${group.name} views`, done: before + count, unit: 'documents' });
  }
  const more = await there.next();
  if (more.done !== true) throw differs(`${view.view}, document ${count + 1}`, undefined, more.value);
  return count;
};

const compareTotals = async ({ source, target }: Comparing, view: Projection): Promise<void> => {
  const [here, there] = await Promise.all([source.totals(view), target.totals(view)]);
  if (!isSame(here.sums, there.sums)) throw differs(`the totals of ${view.view}`, here.sums, there.sums);
};

const compareCursors = async ({ source, target, streams }: Comparing): Promise<number> => {
  const plain = async (views: Views, stream: string): Promise<unknown> => {
    const cursor = await views.cursor(stream);
    return cursor && { revision: cursor.revision, at: cursor.at };
  };
  let count = 0;
  for (const stream of streams) {
    const [here, there] = await Promise.all([plain(source, stream), plain(target, stream)]);
    if (!isSame(here, there)) throw differs(`the cursor of ${stream}`, here, there);
    count += 1;
  }
  return count;
};

const mustStand = async (views: Views, side: string): Promise<void> => {
  for (const [view, { type, message }] of Object.entries(await views.faults()))
    throw new CannotMove(
      'different',
      `The view ${view} of ${side} stopped at ${type}: ${message}. Rebuild the views there first.`,
    );
};

/**
 * Compares all documents of a group, in key order, and its totals and cursors, without positions: those belong to one log each.
 * @throws CannotMove which names the first difference
 */
export const compareViews = async (comparing: Comparing): Promise<Compared> => {
  const { group, source, target, onProgress } = comparing;
  await mustStand(source, 'the source');
  await mustStand(target, 'the other side');
  let documents = 0;
  for (const view of group.views) {
    documents += await compareDocuments(comparing, view, documents);
    await compareTotals(comparing, view);
  }
  onProgress?.({ doing: `Comparing the ${group.name} views`, done: documents, unit: 'documents', finished: true });
  return { documents, cursors: await compareCursors(comparing) };
};
