import { type Tag, tagKey, tags, tagsIn } from '../../projections/tags.ts';
import { pagesOf } from '../../projections/views/pages.ts';
import type { Views } from '../../projections/views/views.ts';
import { imageSizesIn, type SizesOf } from '../imageSizes.ts';
import { firstOf, type Part } from '../part.ts';
import { answer, TEXT, TIME } from '../schemas.ts';
import { taggedImages } from '../taggedImages.ts';
import { type PageOf, walkTo } from './page.ts';
import { timeOf } from './route.ts';

type Reading = Pick<Views, 'find' | 'getMany'>;
export type ShownTag = Readonly<{ name: string; digest: string; size: number; created_at: string }>;

/** Tags that are looked up at once with what they point at. */
const AT_ONCE = 100;

export const TAG = answer({
  name: TEXT,
  digest: TEXT,
  size: {
    type: 'integer',
    minimum: 0,
    description:
      'Bytes to pull for it: what its manifest names, each digest once, but for its subject. Of an index with what the first 100 manifests name that it lists, as far as they are there and, on one page, name no more than 100,000 things in all.',
  },
  created_at: { ...TIME, description: 'Since when it points there.' },
});

/** The parameters of an answer with the tags of a repository in it. */
export const TAG_PARAMETERS = {
  limit: { type: 'string', description: 'Most tags, from 0 on. All without it.', example: '100' },
  after: { type: 'string', maxLength: 128, description: 'Begins behind this tag, which need not be there.', example: 'v1.0.0' },
} as const;
/** Of a tag whose manifest is lost nothing can be pulled. */
const shown = async (
  views: Reading,
  repositoryId: string,
  sizesOf: SizesOf,
  page: readonly Tag[],
): Promise<readonly ShownTag[]> =>
  (await taggedImages(views, repositoryId, sizesOf, page)).map(({ tag, size = 0 }) => ({
    name: tag.name,
    digest: tag.digest,
    size,
    created_at: timeOf(tag.movedAt),
  }));

/** The tags of one life of a repository, in byte order, as pages of them. */
export async function* tagsShown(
  views: Reading,
  repositoryId: string,
  { limit, after }: Part,
): AsyncGenerator<readonly ShownTag[]> {
  const sizesOf = imageSizesIn(views, repositoryId);
  const query = { where: tagsIn(repositoryId), after: [tagKey(repositoryId, after)], limit: Math.min(limit, AT_ONCE) };
  for await (const page of firstOf(pagesOf(views, tags, query), limit)) {
    const some = page.map(({ value }) => value);
    yield await shown(views, repositoryId, sizesOf, some);
  }
}

/** The same by the number of the page. */
export const pageOfTags = async (views: Reading, repositoryId: string, page: PageOf): Promise<readonly ShownTag[]> => {
  const where = tagsIn(repositoryId);
  type Item = Readonly<{ key: string; value: Tag }>;
  const items = await walkTo<Item>(page, (behind, limit) =>
    views.find(tags, { where, limit, ...(behind && { after: [behind.key] }) }),
  );
  return shown(
    views,
    repositoryId,
    imageSizesIn(views, repositoryId),
    items.map(({ value }) => value),
  );
};
