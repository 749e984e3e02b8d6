import { type Tag, tagKey, tags } from '../projections/tags.ts';
import type { Views } from '../projections/views/views.ts';
import type { SizesOf } from './imageSizes.ts';

/** A tag, and the size of what it points at; undefined where that is lost. */
export type TaggedImage = Readonly<{ tag: Tag; size: number | undefined }>;

/** How often a tag is looked at whose manifest is not there: it may have moved on, or be gone. */
const LOOKS = 3;

const withSizes = async (sizesOf: SizesOf, page: readonly Tag[]): Promise<readonly TaggedImage[]> => {
  const sizes = await sizesOf(page.map(({ digest }) => digest));
  return page.map((tag, index) => ({ tag, size: sizes[index] }));
};

/**
 * Tags with the sizes of what they point at. A manifest goes after its tags: a tag that seems to lack its manifest has mostly moved, or gone,
 * between the two reads, so it is read again. What lacks it however often one looks has lost it.
 * @param sizesOf of `imageSizesIn` the same repository
 * @returns in the order of the tags, without those that have gone
 */
export const taggedImages = async (
  views: Pick<Views, 'getMany'>,
  repositoryId: string,
  sizesOf: SizesOf,
  page: readonly Tag[],
): Promise<readonly TaggedImage[]> => {
  let found = await withSizes(sizesOf, page);
  for (let look = 1; look < LOOKS; look += 1) {
    const missing = found.filter(({ size }) => size === undefined).map(({ tag }) => tag.name);
    if (missing.length === 0) return found;
    const keys = missing.map((name) => tagKey(repositoryId, name));
    const there = (await views.getMany(tags, keys)).filter((tag) => tag !== undefined);
    const again = new Map((await withSizes(sizesOf, there)).map((one) => [one.tag.name, one]));
    found = found.flatMap((one) => (one.size === undefined ? (again.get(one.tag.name) ?? []) : one));
  }
  return found;
};
