import { LARGEST_PAGE } from '../../projections/views/views.ts';
import type { Cursors } from '../../secrets/cursors.ts';
import { type AuditFilter, refused } from './auditFilter.ts';
import { type Found, mergedTrails, type Place, type Scan } from './auditMerge.ts';
import { MOST_EXAMINED } from './auditScans.ts';
import { type PageQuery, pageOf, refuseDeep } from './page.ts';

export type AuditPageQuery = PageQuery & Readonly<{ cursor?: string }>;

/** `before`: entries that fit and stand before this. `skip`: how many of them are still to be passed by. */
type Start = Readonly<{ behind?: Place | undefined; before: number; skip: number }>;
export type Span = Start & Readonly<{ limit: number }>;

export type AuditPage = Readonly<{ items: readonly Found[]; next?: Start }>;

/** What a cursor is good for: the same question in any words. */
const listOf = ({ who, actions, about, from, to }: AuditFilter): string =>
  `audit ${JSON.stringify([who, actions, about?.field, about?.text, from, to])}`;

export const cursorOf = (cursors: Cursors, filter: AuditFilter, { next }: AuditPage): string | null =>
  next === undefined ? null : cursors.seal(next, listOf(filter));

/** Where the page begins that is asked for. @throws RegistryError `REQUEST_INVALID` */
export const spanOf = (cursors: Cursors, filter: AuditFilter, query: AuditPageQuery): Span => {
  const { page, limit } = pageOf(query);
  if (query.cursor === undefined) {
    refuseDeep({ page, limit });
    return { before: 0, skip: (page - 1) * limit, limit };
  }
  if (query.page !== undefined) throw refused('page', 'A cursor says where its page begins: it takes no page.');
  const start = cursors.open(query.cursor, listOf(filter)) as Start | undefined;
  if (start === undefined) throw refused('cursor', 'cursor must be one that this list gave, with the same filters.');
  return { ...start, limit };
};

/**
 * Reads a page. Where entries have to be looked at one by one it ends after MOST_EXAMINED of them, with as many as were found; the next one goes
 * on there.
 */
export const readPage = async (scans: readonly Scan[], { behind, before, skip, limit }: Span): Promise<AuditPage> => {
  const isLooking = scans.some(({ fits }) => fits !== undefined);
  const pageSize = isLooking ? LARGEST_PAGE : Math.min(skip + limit + 1, LARGEST_PAGE);
  const trail = mergedTrails(scans, { order: 'desc', behind, pageSize });
  const items: Found[] = [];
  let last = behind;
  let passed = 0;
  let examined = 0;
  for (;;) {
    const found = await trail.next();
    if (found.length === 0) return { items };
    for (const one of found) {
      if (items.length === limit || (isLooking && examined === MOST_EXAMINED))
        return { items, next: { behind: last, before: before + passed + items.length, skip: skip - passed } };
      examined += 1;
      last = { source: one.source, key: one.key };
      if (!one.fits) continue;
      if (passed < skip) passed += 1;
      else items.push(one);
    }
  }
};
