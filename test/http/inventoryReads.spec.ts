import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { ORIGIN } from '../../src/events/event.ts';
import { blobPage, mostReferenced } from '../../src/http/inventoryReads.ts';
import { inventory, inventoryBlobKey } from '../../src/projections/inventory.ts';
import type { Document, Group, Projection } from '../../src/projections/projection.ts';
import { neverSeen, planner, reduce } from '../../src/projections/reduce.ts';
import { sqliteViews } from '../../src/projections/views/sqlite.ts';
import { compileFind } from '../../src/projections/views/sqliteQuery.ts';
import { createIndexes, createTables } from '../../src/projections/views/sqliteSchema.ts';
import type { Query, Views } from '../../src/projections/views/views.ts';
import { as, at, content, created, imageOf, linked, pushed, unlinked } from '../support/facts.ts';
import { recordedFrom, seen } from '../support/projecting.ts';
import { costsOn } from '../support/visits.ts';

const group: Group = { name: 'reporting', views: [inventory as unknown as Projection] };

/** Views in which this has happened. */
const filled = async (told: Parameters<typeof recordedFrom>[0]) => {
  const views = sqliteViews(':memory:', group);
  const events = recordedFrom(told);
  const outcome = reduce(planner(group.views)(seen(events), {}), (_view, key) => neverSeen(key));
  const documents = [...outcome.changes].map(([{ view }, changed]) => ({
    view,
    documents: [...changed.values()].map(({ after }) => after),
  }));
  await views.commit({ totals: {}, documents, cursors: {}, checkpoint: events.at(-1)?.position ?? ORIGIN });
  return views;
};

describe('the blobs of the registry', () => {
  const layers = Array.from({ length: 50 }, (_, n) => content(`layer ${String(n).padStart(2, '0')}`));
  const sorted = [...layers].sort((a, b) => (a.digest < b.digest ? -1 : 1));

  it('come in the order of their digests, page by page, each with what is known of it', async () => {
    const views = await filled([
      created,
      ...layers.map(linked),
      pushed(imageOf('one', ...layers.slice(0, 5).map((one) => as('layer', one)))),
    ]);
    const digests: string[] = [];
    let after: Parameters<typeof blobPage>[1]['after'];
    let pages = 0;
    for (let more = true; more; pages += 1) {
      const page = await blobPage(views, { limit: 20, ...(after && { after }) });
      digests.push(...page.blobs.map(({ digest }) => digest));
      after = page.blobs.at(-1)?.digest;
      more = page.more;
    }
    expect(digests).to.deep.equal(sorted.map(({ digest }) => digest));
    expect(pages).to.equal(3);
    const { blobs } = await blobPage(views, { limit: 50 });
    expect(blobs.find(({ digest }) => digest === layers[3]?.digest)).to.deep.equal({
      ...{ digest: layers[3]?.digest, size: 8, created: Date.parse(at(4)), references: 1, links: 1 },
    });
    await views.close();
  });

  it('are not those that manifests name and nobody links', async () => {
    const sparse = imageOf('sparse', ...layers.map((one) => as('layer', one)));
    const views = await filled([created, linked(layers[0] as (typeof layers)[number]), pushed(sparse)]);
    const { blobs, more } = await blobPage(views, { limit: 1 });
    expect(blobs.map(({ digest }) => digest)).to.deep.equal([layers[0]?.digest]);
    expect(more).to.equal(false);
    await views.close();
  });

  it('are not those that nobody links any more, although their bytes are still there', async () => {
    const [kept, ...gone] = sorted.slice(0, 3) as [(typeof sorted)[number]];
    const named = pushed(imageOf('named', ...sorted.slice(0, 3).map((one) => as('layer', one))));
    const views = await filled([created, ...[kept, ...gone].map(linked), named, ...gone.map((one) => unlinked(one))]);
    expect((await blobPage(views, { limit: 1 })).blobs.map(({ digest }) => digest)).to.deep.equal([kept.digest]);
    expect((await blobPage(views, { limit: 1 })).more).to.equal(false);
    expect((await mostReferenced(views, 10)).map(({ digest }) => digest)).to.deep.equal([kept.digest]);
    await views.close();
  });

  it('are found by how many manifests name them, those that most of them name first', async () => {
    const images = layers.map((_, n) => pushed(imageOf(`image ${n}`, ...layers.slice(0, n + 1).map((one) => as('layer', one)))));
    const views = await filled([created, ...layers.map(linked), ...images]);
    expect((await mostReferenced(views, 10)).map(({ digest, references }) => [digest, references])).to.deep.equal(
      layers.slice(0, 10).map(({ digest }, n) => [digest, 50 - n]),
    );
    expect(await mostReferenced(await filled([created, ...layers.map(linked)]), 10)).to.deep.equal([]);
    await views.close();
  });

  it('are found without reading what is not asked for, however many there are that nobody links', async () => {
    const asked: Query[] = [];
    const asking = {
      find: async (_view: Projection, query: Query) => {
        asked.push(query);
        return { items: [], more: false };
      },
    };
    await mostReferenced(asking as unknown as Views, 10);
    await blobPage(asking as unknown as Views, { limit: 20, after: (sorted[9] as (typeof sorted)[number]).digest });
    const db = new DatabaseSync(':memory:');
    createTables(db, group, 'ready');
    createIndexes(db, group);
    const insert = db.prepare('insert into view_inventory (key, position, doc, written_at) values (?, ?, ?, 0)');
    const put = (key: string, document: Document) => insert.run(key, '1', JSON.stringify(document));
    for (let n = 0; n < 2000; n += 1) {
      const linked = n % 10 === 0 ? { size: 1, links: 1, references: 1, createdAt: at(0), linked: true } : { named: 9, size: 1 };
      put(inventoryBlobKey(content(`blob ${n}`).digest), linked);
    }
    for (let n = 0; n < 2000; n += 1) put(`manifest/life/${n}`, { tags: 1 });
    const cost = costsOn(db, ['view_inventory']);
    const [most, page] = asked.map((query) => cost(compileFind(inventory, query) as NonNullable<ReturnType<typeof compileFind>>));
    expect(most).to.include({ rows: 11 });
    expect(most?.visited).to.be.below(15);
    expect(most?.plan).not.to.contain('TEMP B-TREE');
    expect(page?.visited).to.be.below(25);
    expect(page).to.include({ rows: 21 });
    expect(page?.plan).not.to.contain('TEMP B-TREE');
    db.close();
  });
});
