import { ACCESS_ACTIONS } from '../../events/access.ts';
import { accessTrail } from '../../projections/accessTrail.ts';
import { auditTrail, FACT_ACTIONS } from '../../projections/auditTrail.ts';
import type { Projection } from '../../projections/projection.ts';
import { LARGEST_PAGE, type Where } from '../../projections/views/views.ts';
import type { HttpDeps } from '../deps.ts';
import type { AuditFilter } from './auditFilter.ts';
import { mergedTrails, type Scan, type TrailEntry } from './auditMerge.ts';

/** The most entries that are counted, of each log. */
export const MOST_COUNTED = 10_000;
/** The most entries that one request looks at where no index has what it asks for. */
export const MOST_EXAMINED = 5000;

type Trail = Readonly<Pick<Scan, 'source' | 'views' | 'view'> & { actions: readonly string[]; totalled: boolean }>;

const trailsOf = ({ reporting, accessViews }: HttpDeps): readonly Trail[] => [
  {
    source: 'access',
    views: accessViews,
    view: accessTrail as unknown as Projection<TrailEntry>,
    actions: ACCESS_ACTIONS,
    // What its retention ends is not subtracted.
    totalled: false,
  },
  {
    source: 'facts',
    views: reporting,
    view: auditTrail as unknown as Projection<TrailEntry>,
    actions: FACT_ACTIONS,
    totalled: true,
  },
];

const timesOf = ({ from, to }: AuditFilter): Where =>
  from === undefined && to === undefined
    ? {}
    : { key: { ...(from !== undefined && { $gte: from }), ...(to !== undefined && { $lt: to }) } };

const actionOf = (actions: readonly string[]): Where => ({
  action: actions.length === 1 ? (actions[0] as string) : { $in: actions },
});

/** Which of two indexes has less to look through. */
const shorter = async ({ views, view }: Trail, ...both: readonly [Where, Where]): Promise<Where> => {
  const [one, other] = await Promise.all(both.map((where) => views.count(view, where, MOST_EXAMINED)));
  return (one ?? 0) < (other ?? 0) ? both[0] : both[1];
};

/** No index has both who and what: what one of them finds is looked at entry by entry. */
const scanOfBoth = async (trail: Trail, who: string, about: NonNullable<AuditFilter['about']>, rest: Where): Promise<Scan> => {
  const { field, text } = about;
  const { source, views, view } = trail;
  const where = await shorter(trail, { who, ...rest }, { [field]: text, ...rest });
  return { source, views, view, where, fits: (entry) => entry.who === who && entry[field] === text };
};

const scanOf = async (trail: Trail, filter: AuditFilter): Promise<Scan | undefined> => {
  const { who, about, actions: wanted } = filter;
  const { source, views, view, actions: all, totalled } = trail;
  const actions = wanted === undefined ? all : all.filter((action) => wanted.includes(action));
  if (actions.length === 0) return undefined;
  const times = timesOf(filter);
  const rest: Where = { ...actionOf(actions), ...times };
  if (who !== undefined && about !== undefined) return scanOfBoth(trail, who, about, rest);
  if (who !== undefined) return { source, views, view, where: { who, ...rest } };
  if (about !== undefined) return { source, views, view, where: { [about.field]: about.text, ...rest } };
  const where = wanted === undefined ? times : rest;
  return { source, views, view, where, ...(totalled && times.key === undefined && { counted: actions }) };
};

/** How the entries that fit are found in both logs. */
export const scansOf = async (deps: HttpDeps, filter: AuditFilter): Promise<readonly Scan[]> => {
  const scans = await Promise.all(trailsOf(deps).map((trail) => scanOf(trail, filter)));
  return scans.filter((scan) => scan !== undefined);
};

export type Total = Readonly<{ total: number; exact: boolean }>;

const examinedTotal = async (scan: Scan): Promise<Total> => {
  const trail = mergedTrails([scan], { order: 'desc', pageSize: LARGEST_PAGE });
  let total = 0;
  let examined = 0;
  for (;;) {
    const entries = await trail.next();
    if (entries.length === 0) return { total, exact: true };
    total += entries.filter(({ fits }) => fits).length;
    examined += entries.length;
    if (examined >= MOST_EXAMINED) return { total, exact: false };
  }
};

const totalOf = async (scan: Scan): Promise<Total> => {
  const { views, view, where, fits, counted } = scan;
  if (fits !== undefined) return examinedTotal(scan);
  if (counted !== undefined) {
    const { sums } = await views.totals(view);
    return { total: counted.reduce((sum, action) => sum + (sums[action] ?? 0), 0), exact: true };
  }
  const found = await views.count(view, where, MOST_COUNTED + 1);
  return { total: Math.min(found, MOST_COUNTED), exact: found <= MOST_COUNTED };
};

/** How many entries fit: all of them, or at least so many. */
export const totalIn = async (scans: readonly Scan[]): Promise<Total> => {
  const totals = await Promise.all(scans.map(totalOf));
  return { total: totals.reduce((sum, { total }) => sum + total, 0), exact: totals.every(({ exact }) => exact) };
};
