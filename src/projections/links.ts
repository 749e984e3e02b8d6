import type { RepositoryEvents } from '../events/repository.ts';
import type { Digest } from '../oci/digest.ts';
import { projection } from './projection.ts';

export type Link = Readonly<{ digest: Digest; size: number; linkedAt: string }>;

export const linkKey = (repositoryId: string, digest: Digest): string => `${repositoryId}/${digest}`;

/** Serves `GET /v2/<name>/blobs/<digest>`: which blobs a repository may serve. Its totals count links and their bytes. */
export const links = projection<Link, RepositoryEvents>({
  view: 'links',
  version: 1,
  indexes: [],
  keysOf: ({ type, data }) => (type === 'BlobLinked' || type === 'BlobUnlinked' ? [linkKey(data.repositoryId, data.digest)] : []),
  on: {
    BlobLinked: (_link, { data, metadata }) => ({ digest: data.digest, size: data.size, linkedAt: metadata.at }),
    BlobUnlinked: () => undefined,
  },
  totals: (before, after) => ({
    links: Number(after !== undefined) - Number(before !== undefined),
    bytes: (after?.size ?? 0) - (before?.size ?? 0),
  }),
});
