import type { Digest } from '../../oci/digest.ts';
import { tags, tagsIn } from '../../projections/tags.ts';
import { pagesOf } from '../../projections/views/pages.ts';
import type { Views } from '../../projections/views/views.ts';
import { imageSizesIn } from '../imageSizes.ts';
import { taggedImages } from '../taggedImages.ts';

type Reading = Pick<Views, 'find' | 'getMany'>;
export type TagWithManifest = Readonly<{ tag: string; hasManifest: boolean; digest: Digest; sizeBytes: number }>;

/** Tags that are looked up at once with what they point at. */
const PAGE = 200;

/** The tags of one life of a repository with what they point at. */
export async function* tagsWithManifests(views: Reading, repositoryId: string): AsyncGenerator<readonly TagWithManifest[]> {
  const sizesOf = imageSizesIn(views, repositoryId);
  for await (const page of pagesOf(views, tags, { where: tagsIn(repositoryId), limit: PAGE })) {
    const found = await taggedImages(
      views,
      repositoryId,
      sizesOf,
      page.map(({ value }) => value),
    );
    yield found.map(({ tag: { name, digest }, size }) => ({
      tag: name,
      hasManifest: size !== undefined,
      digest,
      sizeBytes: size ?? 0,
    }));
  }
}
