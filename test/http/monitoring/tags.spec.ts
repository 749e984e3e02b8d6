import { expect } from 'chai';
import { tagsWithManifests } from '../../../src/http/monitoring/tags.ts';
import type { Views } from '../../../src/projections/views/views.ts';

const digest = (n: number): string => `sha256:${String(n).repeat(64)}`;

/** Views of which each read sees a later state than the one before: tags and the digests of the manifests that are there. */
const movingViews = (states: readonly Readonly<{ tags: Readonly<Record<string, number>>; manifests: readonly number[] }>[]) => {
  let read = 0;
  const now = () => states[Math.min(read++, states.length - 1)] as (typeof states)[number];
  const documentOf = (name: string, n: number) => ({ name, digest: digest(n), movedAt: '' });
  return {
    find: async () => ({
      items: Object.entries(now().tags).map(([name, n]) => ({ key: `life/${name}`, value: documentOf(name, n) })),
      more: false,
    }),
    getMany: async ({ view }: { view: string }, keys: readonly string[]) => {
      const { tags, manifests } = now();
      return keys.map((key) => {
        const named = key.slice('life/'.length);
        if (view === 'tags') return tags[named] === undefined ? undefined : documentOf(named, tags[named]);
        const there = manifests.some((n) => digest(n) === named);
        return there ? { digest: named, references: [{ digest: digest(9), size: 7, role: 'layer' }], pushedAt: '' } : undefined;
      });
    },
  } as unknown as Views;
};

const read = async (views: Views) => {
  const pages = [];
  for await (const page of tagsWithManifests(views, 'life')) pages.push(page);
  return pages.flat().map(({ tag, hasManifest, digest: named, sizeBytes }) => [tag, hasManifest, named, sizeBytes]);
};

describe('tags that change while they are read', () => {
  it('stand where they have moved to, if what they pointed at is gone', async () => {
    const views = movingViews([
      { tags: { a: 1, b: 1 }, manifests: [1] },
      { tags: { a: 1, b: 2 }, manifests: [2] },
      { tags: { a: 2, b: 2 }, manifests: [2] },
    ]);
    expect(await read(views)).to.deep.equal([
      ['a', true, digest(2), 7],
      ['b', true, digest(2), 7],
    ]);
  });

  it('are left out if they are gone themselves: “Verify repository consistency after operations” finds nothing wrong', async () => {
    const views = movingViews([
      { tags: { a: 1, b: 2 }, manifests: [1, 2] },
      { tags: { b: 2 }, manifests: [2] },
    ]);
    expect(await read(views)).to.deep.equal([['b', true, digest(2), 7]]);
  });

  it('`hasManifest` is false for a tag whose manifest is not there, however often one looks', async () => {
    const views = movingViews([{ tags: { a: 1, b: 2 }, manifests: [2] }]);
    expect(await read(views)).to.deep.equal([
      ['a', false, digest(1), 0],
      ['b', true, digest(2), 7],
    ]);
  });
});
