import { expect } from 'chai';
import { walkTo } from '../../../src/http/management/page.ts';
import type { Projection } from '../../../src/projections/projection.ts';
import { pagesOf } from '../../../src/projections/views/pages.ts';
import type { Views } from '../../../src/projections/views/views.ts';
import { turnsDuring } from '../../support/turns.ts';

/** Numbers as a list of them, which answers within the call. */
const numbers = async (behind: number | undefined, limit: number) => {
  const first = (behind ?? -1) + 1;
  return { items: Array.from({ length: limit }, (_, n) => first + n), more: true };
};

describe('pages of a long list', () => {
  it('are found by their number with a turn for others between two reads', async () => {
    let items: readonly number[] = [];
    const turns = await turnsDuring(async () => {
      items = await walkTo({ page: 501, limit: 100 }, numbers);
    });
    expect(items).to.include.members([50_000, 50_099]).and.to.have.length(100);
    expect(turns).to.be.at.least(50);
  });

  it('follow each other with a turn for others in between', async () => {
    const find = async (_view: unknown, { after: [behind = -1] = [] }: { after?: readonly (string | number)[] }) => ({
      items: [{ key: Number(behind) + 1, value: {} }],
      more: Number(behind) < 48,
    });
    let pages = 0;
    const turns = await turnsDuring(async () => {
      const views = { find } as unknown as Pick<Views, 'find'>;
      for await (const page of pagesOf(views, { view: 'numbers' } as Projection, { limit: 1 })) pages += page.length;
    });
    expect(pages).to.equal(50);
    expect(turns).to.be.at.least(49);
  });
});
