import { setImmediate } from 'node:timers/promises';
import type { AccessTrailEntry } from '../../projections/accessSums.ts';
import type { AuditEntry } from '../../projections/auditTrail.ts';
import type { Projection } from '../../projections/projection.ts';
import { TIME_IN_KEY } from '../../projections/trail.ts';
import type { Views, Where } from '../../projections/views/views.ts';

/** In this order come entries of the same millisecond. */
export type Source = 'access' | 'facts';

export type TrailEntry = AuditEntry | AccessTrailEntry;

/** Entries of one log in the order of time, out of one index: each of them fits, unless `fits` has to be asked. */
export type Scan = Readonly<{
  source: Source;
  views: Pick<Views, 'find' | 'count' | 'totals'>;
  view: Projection<TrailEntry>;
  where: Where;
  fits?: (entry: TrailEntry) => boolean;
  /** Where the totals know how many they are: of these actions. */
  counted?: readonly string[];
}>;

/** Where an entry stands in both logs together. */
export type Place = Readonly<{ source: Source; key: string }>;
export type Order = 'asc' | 'desc';
/** `fits`: whether it is one of those that are asked for. */
export type Found = Place & Readonly<{ entry: TrailEntry; fits: boolean }>;

export type Merging = Readonly<{
  order: Order;
  /** Behind this place; from the first on without it. */
  behind?: Place | undefined;
  /** Entries that are read of each log at a time. */
  pageSize: number;
}>;

export type MergedTrails = Readonly<{
  /** The next entries, some of them; none at the end. */
  next: () => Promise<readonly Found[]>;
}>;

const timeOf = (key: string): string => key.slice(0, TIME_IN_KEY);

/** By time, then log, then key; all the other way round where the newest come first. */
const compare = (one: Place, other: Place): number => {
  const [mine, theirs] = [timeOf(one.key), timeOf(other.key)];
  if (mine !== theirs) return mine < theirs ? -1 : 1;
  if (one.source !== other.source) return one.source < other.source ? -1 : 1;
  return one.key < other.key ? -1 : Number(one.key > other.key);
};

/**
 * Where a log goes on, in either order, behind a place that may be in the other one: of the same millisecond all its entries stand on one side of
 * that place. Keys go on with a `/` behind their time, which is less than `0`.
 */
const keyBehind = (source: Source, place: Place): string => {
  if (source === place.source) return place.key;
  const time = timeOf(place.key);
  return source < place.source ? `${time}0` : `${time}/`;
};

type Head = { readonly scan: Scan; found: readonly Found[]; at: number; after: string | undefined; more: boolean };

/** The entries of several scans in one order, a page of each at a time: however many there are, no more is held than that. */
export const mergedTrails = (scans: readonly Scan[], { order, behind, pageSize }: Merging): MergedTrails => {
  const sign = order === 'asc' ? 1 : -1;
  const heads: readonly Head[] = scans.map((scan) => ({
    scan,
    found: [],
    at: 0,
    after: behind && keyBehind(scan.source, behind),
    more: true,
  }));

  const fill = async (head: Head): Promise<void> => {
    if (head.at < head.found.length || !head.more) return;
    const { scan, after } = head;
    const { source, views, view, where, fits } = scan;
    const sort = [order === 'asc' ? 'key' : '-key'];
    const { items, more } = await views.find(view, {
      where,
      sort,
      limit: pageSize,
      ...(after !== undefined && { after: [after] }),
    });
    head.found = items.map(({ key, value }) => ({ source, key, entry: value, fits: fits === undefined || fits(value) }));
    head.at = 0;
    head.after = items.at(-1)?.key ?? after;
    head.more = more && items.length > 0;
  };

  /** The head whose entry comes next; undefined where one has to be filled first, or all are at their end. */
  const first = (): Head | undefined => {
    let best: Head | undefined;
    for (const head of heads) {
      const entry = head.found[head.at];
      if (entry === undefined) {
        if (head.more) return undefined;
        continue;
      }
      const other = best?.found[best.at];
      if (other === undefined || sign * compare(entry, other) < 0) best = head;
    }
    return best;
  };

  let begun = false;
  const next = async (): Promise<readonly Found[]> => {
    // The embedded views answer within the call: others have their turn between two pages of them.
    if (begun) await setImmediate();
    begun = true;
    await Promise.all(heads.map(fill));
    const found: Found[] = [];
    for (let head = first(); head !== undefined; head = first()) {
      found.push(head.found[head.at] as Found);
      head.at += 1;
    }
    return found;
  };

  return { next };
};
