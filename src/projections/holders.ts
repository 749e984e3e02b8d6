import type { RepositoryEvents } from '../events/repository.ts';
import type { Digest } from '../oci/digest.ts';
import { projection } from './projection.ts';

/** In which life of its repository: the blobs of a former one are unlinked after the next may have linked them. */
export type Holder = Readonly<{ repositoryId: string }>;

/** The prefix of the repositories that hold a blob; what follows is a repository's name. */
export const holdersOf = (digest: Digest): string => `${digest}/`;

/**
 * Which repositories hold a blob: what a mount without a source looks through. Between the end of a life and its last unlinked blob it
 * names repositories that are gone: whoever reads it asks each of them whether it has the blob.
 */
export const holders = projection<Holder, RepositoryEvents>({
  view: 'holders',
  version: 2,
  indexes: [],
  keysOf: ({ type, data }) =>
    type === 'BlobLinked' || type === 'BlobUnlinked' ? [`${holdersOf(data.digest)}${data.repository}`] : [],
  on: {
    BlobLinked: (_holder, { data }) => ({ repositoryId: data.repositoryId }),
    BlobUnlinked: (holder, { data }) => (holder?.repositoryId === data.repositoryId ? undefined : holder),
  },
});
