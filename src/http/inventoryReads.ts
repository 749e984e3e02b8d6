import type { Digest } from '../oci/digest.ts';
import { BLOBS, type InventoryBlob, inventory, inventoryBlobKey } from '../projections/inventory.ts';
import type { Document } from '../projections/projection.ts';
import type { Page, Views } from '../projections/views/views.ts';

/** A blob of the registry, whichever repositories link it. */
export type BlobOfRegistry = Readonly<{
  digest: Digest;
  /** Bytes. */
  size: number;
  /** Since when some repository links it, in milliseconds since 1970. */
  created: number;
  /** Manifests that name it. */
  references: number;
  /** Repositories that link it. */
  links: number;
}>;

type Item = Page<Document>['items'][number];

const blobOf = ({ key, value }: Item): BlobOfRegistry => {
  const { size, createdAt, references, links } = value as InventoryBlob;
  return { digest: key.slice(BLOBS.length) as Digest, size, created: Date.parse(createdAt), references, links };
};

/**
 * Distinct blobs in the order of their digests, without those that nobody links.
 * @param views the reporting ones
 * @param page `after`: the last digest of the page before; `limit`: 1 to `LARGEST_PAGE`
 */
export const blobPage = async (
  views: Pick<Views, 'find'>,
  { after, limit }: Readonly<{ after?: Digest; limit: number }>,
): Promise<Readonly<{ blobs: readonly BlobOfRegistry[]; more: boolean }>> => {
  const { items, more } = await views.find(inventory, {
    where: { linked: true },
    limit,
    ...(after && { after: [inventoryBlobKey(after)] }),
  });
  return { blobs: items.map(blobOf), more };
};

/** The blobs that most manifests name, the first of them the one that is named most. */
export const mostReferenced = async (views: Pick<Views, 'find'>, limit: number): Promise<readonly BlobOfRegistry[]> => {
  const { items } = await views.find(inventory, { where: { references: { $gte: 1 } }, sort: ['-references'], limit });
  return items.map(blobOf);
};
