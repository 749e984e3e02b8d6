import type { RepositoryEvents } from '../events/repository.ts';
import type { Digest } from '../oci/digest.ts';
import { projection } from './projection.ts';
import type { Where } from './views/views.ts';

export type Tag = Readonly<{ name: string; digest: Digest; movedAt: string }>;

/** The key of a tag: all tags of a repository stand together, in byte order. */
export const tagKey = (repositoryId: string, tag: string): string => `${repositoryId}/${tag}`;

/** All tags of a life of a repository. */
export const tagsIn = (repositoryId: string): Where => ({ key: { $prefix: tagKey(repositoryId, '') } });

/** Serves `GET /v2/<name>/tags/list` and the tag half of `GET /v2/<name>/manifests/<tag>`: one document a tag. */
export const tags = projection<Tag, RepositoryEvents>({
  view: 'tags',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => ('tag' in data ? [tagKey(data.repositoryId, data.tag)] : []),
  on: {
    TagMoved: (_tag, { data, metadata }) => ({ name: data.tag, digest: data.digest, movedAt: metadata.at }),
    TagDeleted: () => undefined,
  },
});
