import type { RepositoryEvents } from '../events/repository.ts';
import { projection } from './projection.ts';

export type CatalogEntry = Readonly<{
  name: string;
  repositoryId: string;
  manifests: number;
  tags: number;
  lastPushedAt: string;
}>;

const counted = (entry: CatalogEntry | undefined, change: { manifests?: number; tags?: number }): CatalogEntry | undefined => {
  if (entry === undefined) return undefined;
  const manifests = entry.manifests + (change.manifests ?? 0);
  const tags = entry.tags + (change.tags ?? 0);
  return manifests > 0 ? { ...entry, manifests, tags } : undefined;
};

/**
 * Serves `GET /v2/_catalog`: the repositories that hold at least one manifest. A repository leaves with its last manifest.
 * Its totals count repositories, manifests and tags of the whole registry.
 */
export const catalog = projection<CatalogEntry, RepositoryEvents>({
  view: 'catalog',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => [data.repository],
  on: {
    ManifestPushed: (entry, { data, metadata }) => ({
      name: data.repository,
      repositoryId: data.repositoryId,
      manifests: (entry?.manifests ?? 0) + 1,
      tags: entry?.tags ?? 0,
      lastPushedAt: metadata.at,
    }),
    ManifestDeleted: (entry) => counted(entry, { manifests: -1 }),
    TagMoved: (entry, { data }) => counted(entry, { tags: data.previous === undefined ? 1 : 0 }),
    TagDeleted: (entry) => counted(entry, { tags: -1 }),
  },
  totals: (before, after) => ({
    repositories: Number(after !== undefined) - Number(before !== undefined),
    manifests: (after?.manifests ?? 0) - (before?.manifests ?? 0),
    tags: (after?.tags ?? 0) - (before?.tags ?? 0),
  }),
});
