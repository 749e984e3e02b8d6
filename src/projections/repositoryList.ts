import type { RepositoryEvents, Visibility } from '../events/repository.ts';
import { projection } from './projection.ts';

export type ListedRepository = Readonly<{
  name: string;
  repositoryId: string;
  /** Whether it holds a manifest: lists pass by what has none. */
  listed: boolean;
  visibility: Visibility;
  ownerId: number | null;
  /** Bytes of the blobs that it may serve and of its manifests, each once. What other repositories share counts in each. */
  size: number;
  manifests: number;
  tags: number;
  createdAt: string;
  /** When something was last pushed to it: a manifest, or a tag to one that was there. */
  updatedAt: string;
  /** `updatedAt` so that what is newest comes first in ascending order, and equal times by name. */
  newestFirst: string;
}>;

type OfLife = Readonly<{ repositoryId: string }>;
type Change = Readonly<{ size?: number; manifests?: number; tags?: number; pushedAt?: string }>;

/** The digits of a time turned round: a time that is later comes out smaller. */
const turnedRound = (at: string): string => at.replace(/\d/g, (digit) => String(9 - Number(digit)));

/** What is cleared away of a former life comes after the next one has begun, and is nothing to it. */
const isOf = (one: ListedRepository | undefined, { repositoryId }: OfLife): one is ListedRepository =>
  one?.repositoryId === repositoryId;

const changed = (one: ListedRepository | undefined, event: OfLife, change: Partial<ListedRepository>) =>
  isOf(one, event) ? { ...one, ...change } : one;

const counted = (one: ListedRepository | undefined, event: OfLife, change: Change): ListedRepository | undefined => {
  if (!isOf(one, event)) return one;
  const { size = 0, manifests = 0, tags = 0, pushedAt } = change;
  return {
    ...one,
    listed: one.manifests + manifests > 0,
    size: one.size + size,
    manifests: one.manifests + manifests,
    tags: one.tags + tags,
    ...(pushedAt !== undefined && { updatedAt: pushedAt, newestFirst: turnedRound(pushedAt) }),
  };
};

/**
 * Serves `GET /api/v1/repositories` where it is not by name alone, and `GET /api/registry/repositories`: every living repository under its
 * name, by newest push, size, age and id.
 */
export const repositoryList = projection<ListedRepository, RepositoryEvents>({
  view: 'repositoryList',
  version: 1,
  indexes: [['listed'], ['listed', 'newestFirst'], ['listed', 'size'], ['listed', 'createdAt'], ['repositoryId']],
  keysOf: ({ data }) => [data.repository],
  on: {
    RepositoryCreated: (_one, { data, metadata }) => ({
      name: data.repository,
      repositoryId: data.repositoryId,
      listed: false,
      visibility: data.visibility,
      ownerId: data.ownerId,
      size: 0,
      manifests: 0,
      tags: 0,
      createdAt: metadata.at,
      updatedAt: metadata.at,
      newestFirst: turnedRound(metadata.at),
    }),
    VisibilityChanged: (one, { data }) => changed(one, data, { visibility: data.visibility }),
    OwnerChanged: (one, { data }) => changed(one, data, { ownerId: data.ownerId }),
    BlobLinked: (one, { data }) => counted(one, data, { size: data.size }),
    BlobUnlinked: (one, { data }) => counted(one, data, { size: -data.size }),
    ManifestPushed: (one, { data, metadata }) => counted(one, data, { manifests: 1, size: data.size, pushedAt: metadata.at }),
    ManifestDeleted: (one, { data }) => counted(one, data, { manifests: -1, size: -data.size }),
    TagMoved: (one, { data, metadata }) =>
      counted(one, data, { tags: data.previous === undefined ? 1 : 0, pushedAt: metadata.at }),
    TagDeleted: (one, { data }) => counted(one, data, { tags: -1 }),
    RepositoryDeleted: (one, { data }) => (isOf(one, data) ? undefined : one),
  },
});
