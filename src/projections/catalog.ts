import type { RepositoryEvents, Visibility } from '../events/repository.ts';
import { projection } from './projection.ts';

export type CatalogEntry = Readonly<{
  name: string;
  repositoryId: string;
  /** Whether it holds a manifest: lists pass by what has none. */
  listed: boolean;
  visibility: Visibility;
  ownerId: number | null;
  manifests: number;
  tags: number;
  createdAt: string;
  lastPushedAt: string;
}>;

type OfLife = Readonly<{ repositoryId: string }>;

/** What is cleared away of a former life comes after the next one has begun, and is nothing to it. */
const isOf = (entry: CatalogEntry | undefined, { repositoryId }: OfLife): entry is CatalogEntry =>
  entry?.repositoryId === repositoryId;

const changed = (entry: CatalogEntry | undefined, event: OfLife, change: Partial<CatalogEntry>): CatalogEntry | undefined =>
  isOf(entry, event) ? { ...entry, ...change } : entry;

const counted = (
  entry: CatalogEntry | undefined,
  event: OfLife,
  change: Readonly<{ manifests?: number; tags?: number; lastPushedAt?: string }>,
): CatalogEntry | undefined => {
  if (!isOf(entry, event)) return entry;
  const { lastPushedAt = entry.lastPushedAt } = change;
  const manifests = entry.manifests + (change.manifests ?? 0);
  return { ...entry, listed: manifests > 0, manifests, tags: entry.tags + (change.tags ?? 0), lastPushedAt };
};

const isListed = (entry: CatalogEntry | undefined): boolean => entry?.listed === true;
const isPublic = (entry: CatalogEntry | undefined): boolean => isListed(entry) && entry?.visibility === 'public';

/**
 * Serves `GET /v2/_catalog` and `GET /api/v1/repositories`: repositories, of which those are listed that hold at least one manifest. By the
 * indexes what a caller may read is found in a few scans: all, what is public, what is private and his, what is private under a prefix.
 * Its totals count what is listed, and the manifests and tags of the whole registry.
 */
export const catalog = projection<CatalogEntry, RepositoryEvents>({
  view: 'catalog',
  version: 3,
  indexes: [['listed'], ['listed', 'visibility'], ['listed', 'visibility', 'ownerId']],
  keysOf: ({ data }) => [data.repository],
  on: {
    RepositoryCreated: (_entry, { data, metadata }) => ({
      name: data.repository,
      repositoryId: data.repositoryId,
      listed: false,
      visibility: data.visibility,
      ownerId: data.ownerId,
      manifests: 0,
      tags: 0,
      createdAt: metadata.at,
      lastPushedAt: metadata.at,
    }),
    VisibilityChanged: (entry, { data }) => changed(entry, data, { visibility: data.visibility }),
    OwnerChanged: (entry, { data }) => changed(entry, data, { ownerId: data.ownerId }),
    ManifestPushed: (entry, { data, metadata }) => counted(entry, data, { manifests: 1, lastPushedAt: metadata.at }),
    ManifestDeleted: (entry, { data }) => counted(entry, data, { manifests: -1 }),
    TagMoved: (entry, { data }) => counted(entry, data, { tags: data.previous === undefined ? 1 : 0 }),
    TagDeleted: (entry, { data }) => counted(entry, data, { tags: -1 }),
    RepositoryDeleted: (entry, { data }) => (isOf(entry, data) ? undefined : entry),
  },
  totals: (before, after) => ({
    repositories: Number(isListed(after)) - Number(isListed(before)),
    publicRepositories: Number(isPublic(after)) - Number(isPublic(before)),
    manifests: (after?.manifests ?? 0) - (before?.manifests ?? 0),
    tags: (after?.tags ?? 0) - (before?.tags ?? 0),
  }),
});
