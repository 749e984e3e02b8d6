import { setImmediate as turn } from 'node:timers/promises';
import type { Document, Projection } from '../projection.ts';
import type { Page, Query, Views } from './views.ts';

/**
 * Everything that a query finds, a page of `limit` at a time: each begins behind the last one, whatever has been deleted or changed
 * meanwhile. No page is empty. Others have their turn between two pages.
 * @param query its `sort` in ascending order, if it has one; `after` where to begin
 */
export async function* pagesOf<D extends Document>(
  views: Pick<Views, 'find'>,
  view: Projection<D>,
  query: Query,
): AsyncGenerator<Page<D>['items']> {
  let { after } = query;
  for (;;) {
    const { items, more } = await views.find(view, { ...query, ...(after && { after }) });
    const last = items.at(-1);
    if (last === undefined) return;
    yield items;
    if (!more) return;
    // The embedded views answer within the call: whoever takes the pages as they come would let nobody else in.
    await turn();
    after = [...(query.sort ?? []).map((field) => last.value[field] as string | number), last.key];
  }
}
