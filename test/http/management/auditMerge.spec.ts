import { expect } from 'chai';
import fc from 'fast-check';
import {
  type Found,
  mergedTrails,
  type Order,
  type Place,
  type Scan,
  type Source,
} from '../../../src/http/management/auditMerge.ts';
import { readPage } from '../../../src/http/management/auditPage.ts';
import { accessTrail } from '../../../src/projections/accessTrail.ts';
import { auditTrail } from '../../../src/projections/auditTrail.ts';
import type { Projection } from '../../../src/projections/projection.ts';
import { trailKey } from '../../../src/projections/trail.ts';
import { type SqliteViews, sqliteViews } from '../../../src/projections/views/sqlite.ts';
import { positionOf } from '../../support/projecting.ts';

type Told = Readonly<{ source: Source; ms: number; position: number; who: string }>;

const timeAt = (ms: number): string => new Date(Date.UTC(2026, 0, 1) + ms).toISOString();
const keyAt = ({ source, ms, position }: Told): string =>
  source === 'facts' ? trailKey(timeAt(ms), positionOf(position)) : trailKey(timeAt(ms), positionOf(position), 0);

/** Few milliseconds, so that entries of both logs meet in one. */
const history: fc.Arbitrary<readonly Told[]> = fc.uniqueArray(
  fc.record({
    source: fc.constantFrom<Source>('facts', 'access'),
    ms: fc.nat(4),
    position: fc.integer({ min: 1, max: 12 }),
    who: fc.constantFrom('user:1', 'user:2'),
  }),
  { maxLength: 30, selector: keyAt },
);

const viewOf = (source: Source): Projection => (source === 'facts' ? auditTrail : accessTrail) as unknown as Projection;

const opened = async (told: readonly Told[], source: Source): Promise<SqliteViews> => {
  const view = viewOf(source);
  const views = sqliteViews(':memory:', { name: source, views: [view] });
  const documents = told
    .filter((one) => one.source === source)
    .map((one) => ({ key: keyAt(one), position: positionOf(one.position), value: { at: timeAt(one.ms), who: one.who } }));
  await views.commit({ totals: {}, documents: [{ view: view.view, documents }], cursors: {}, checkpoint: positionOf(99) });
  return views;
};

const withScans = async (told: readonly Told[], work: (scans: readonly Scan[]) => Promise<void>): Promise<void> => {
  const views = [await opened(told, 'access'), await opened(told, 'facts')] as const;
  const scans = (['access', 'facts'] as const).map(
    (source, n): Scan => ({ source, views: views[n] as SqliteViews, view: viewOf(source) as never, where: {} }),
  );
  try {
    await work(scans);
  } finally {
    await Promise.all(views.map((one) => one.close()));
  }
};

const placeOf = ({ source, key }: Place): string => `${source} ${key}`;
/** By time, then log, then key. */
const inOrder = (told: readonly Told[], order: Order): readonly string[] => {
  const sorted = told
    .map((one) => ({ source: one.source, key: keyAt(one), sortedBy: `${timeAt(one.ms)} ${one.source} ${keyAt(one)}` }))
    .sort((a, b) => (a.sortedBy < b.sortedBy ? -1 : 1))
    .map(placeOf);
  return order === 'asc' ? sorted : sorted.reverse();
};

/** All entries, begun anew behind each `steps` of them. */
const walked = async (scans: readonly Scan[], order: Order, pageSize: number, steps: number): Promise<readonly string[]> => {
  const found: Found[] = [];
  for (;;) {
    const trail = mergedTrails(scans, { order, behind: found.at(-1), pageSize });
    const some: Found[] = [];
    for (let next = await trail.next(); next.length > 0 && some.length < steps; next = await trail.next()) some.push(...next);
    if (some.length === 0) return found.map(placeOf);
    found.push(...some.slice(0, steps));
  }
};

describe('two logs in one order', () => {
  const size = fc.integer({ min: 1, max: 7 });

  it('have each entry once, wherever one begins and however much is read at a time', () =>
    fc.assert(
      fc.asyncProperty(history, fc.constantFrom<Order>('asc', 'desc'), size, size, (told, order, pageSize, steps) =>
        withScans(told, async (scans) => {
          expect(await walked(scans, order, pageSize, steps)).to.deep.equal(inOrder(told, order));
        }),
      ),
      { numRuns: 60 },
    ));

  it('come in pages, also of those alone that fit', () =>
    fc.assert(
      fc.asyncProperty(history, size, fc.nat(9), fc.boolean(), (told, limit, skip, isLooking) =>
        withScans(told, async (all) => {
          const scans = isLooking ? all.map((scan): Scan => ({ ...scan, fits: ({ who }) => who === 'user:1' })) : all;
          const fitting = told.filter(({ who }) => !isLooking || who === 'user:1');
          const found: string[] = [];
          let page = await readPage(scans, { before: 0, skip, limit });
          for (;;) {
            expect(page.items.length).to.be.at.most(limit);
            found.push(...page.items.map(placeOf));
            if (page.next === undefined) break;
            expect(page.next.before + page.next.skip).to.equal(found.length + skip);
            page = await readPage(scans, { ...page.next, limit });
          }
          expect(found).to.deep.equal(inOrder(fitting, 'desc').slice(skip));
        }),
      ),
      { numRuns: 60 },
    ));
});
