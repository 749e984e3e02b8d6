import type { Visibility } from '../../events/repository.ts';
import { type Pulls, repositoryPulls } from '../../projections/accessPulls.ts';
import { catalog } from '../../projections/catalog.ts';
import { type Repository, repositories } from '../../projections/repositories.ts';
import { type ListedRepository, repositoryList } from '../../projections/repositoryList.ts';
import type { HttpDeps } from '../deps.ts';
import { unlessAway } from '../reported.ts';
import { answer, TEXT, TIME } from '../schemas.ts';
import { namesOfUsers } from './names.ts';
import { timeOf } from './route.ts';

const COUNT = { type: 'integer', minimum: 0 } as const;
export const VISIBILITY = { enum: ['private', 'public'] } as const;

/** What is told of a repository wherever it is told of. */
export const REPOSITORY_FIELDS = {
  name: TEXT,
  description: TEXT,
  visibility: VISIBILITY,
  owner: { type: ['string', 'null'], description: 'A username. null: nobody, so that administrators see to it.' },
  created_at: TIME,
  updated_at: { ...TIME, description: 'When a manifest, or a tag, was last pushed to it.' },
  size: {
    ...COUNT,
    type: ['integer', 'null'],
    description:
      'Bytes of its blobs and manifests, each once. What other repositories share counts in each. null: the views that tell it are being built, or behind.',
  },
  pull_count: {
    ...COUNT,
    type: ['integer', 'null'],
    description:
      'How often a manifest of it was pulled, some tenths of a second ago. null: the access log cannot be read at the moment.',
  },
  manifest_count: COUNT,
  tag_count: COUNT,
} as const;
export const REPOSITORY = answer(REPOSITORY_FIELDS);

export type Shown = Readonly<{
  name: string;
  description: string;
  visibility: Visibility;
  owner: string | null;
  created_at: string;
  updated_at: string;
  size: number | null;
  pull_count: number | null;
  manifest_count: number;
  tag_count: number;
}>;

type Deps = Pick<HttpDeps, 'views' | 'reporting' | 'accessViews'>;

/** What a life holds. */
type Held = Pick<ListedRepository, 'repositoryId' | 'manifests' | 'tags' | 'updatedAt'> & Readonly<{ size: number | null }>;

const inLife = (one: Held | undefined, { repositoryId }: Repository): Held | undefined =>
  one?.repositoryId === repositoryId ? one : undefined;

type Counted = readonly (Pulls | undefined)[];

/** While the views of the access log cannot be read nobody knows; that keeps nobody from his repositories. */
const pullsOf = ({ accessViews }: Deps, found: readonly Repository[]): Promise<Counted | undefined> => {
  const ids = found.map(({ repositoryId }) => repositoryId);
  return unlessAway(accessViews.getMany(repositoryPulls, ids));
};

/** All but the size the serving views know as well, pushes that moved a tag alone left out. */
const heldOf = async (
  { views, reporting }: Deps,
  names: readonly string[],
  current: boolean,
): Promise<readonly (Held | undefined)[]> => {
  const listed = current ? await unlessAway(reporting.getMany(repositoryList, names)) : undefined;
  if (listed !== undefined) return listed;
  const entries = await views.getMany(catalog, names);
  return entries.map((entry) => entry && { ...entry, updatedAt: entry.lastPushedAt, size: null });
};

/**
 * Repositories as they are answered. What the views that tell what they hold do not know yet, or no longer, holds nothing.
 * @param current whether the reporting views are up to date; else they are not read
 */
export const shownOf = async (deps: Deps, found: readonly Repository[], current: boolean): Promise<readonly Shown[]> => {
  if (found.length === 0) return [];
  const [held, pulls, owners] = await Promise.all([
    heldOf(
      deps,
      found.map(({ name }) => name),
      current,
    ),
    pullsOf(deps, found),
    namesOfUsers(
      deps.views,
      found.flatMap(({ ownerId }) => ownerId ?? []),
    ),
  ]);
  return found.map((repository, index) => {
    const { name, description, visibility, ownerId, createdAt } = repository;
    const one = inLife(held[index], repository);
    return {
      name,
      description,
      visibility,
      owner: ownerId === null ? null : (owners.get(ownerId) ?? null),
      created_at: timeOf(createdAt),
      updated_at: timeOf(one?.updatedAt ?? createdAt),
      size: one === undefined ? 0 : one.size,
      pull_count: pulls === undefined ? null : (pulls[index]?.pulls ?? 0),
      manifest_count: one?.manifests ?? 0,
      tag_count: one?.tags ?? 0,
    };
  });
};

type Life = Readonly<{ name: string; repositoryId: string }>;

/** The same of lives that were found in a list, in its order; without those that have ended since. */
export const shownByLife = async (deps: Deps, lives: readonly Life[], current: boolean): Promise<readonly Shown[]> => {
  if (lives.length === 0) return [];
  const found = await deps.views.getMany(
    repositories,
    lives.map(({ name }) => name),
  );
  return shownOf(
    deps,
    found.filter((repository, index): repository is Repository => repository?.repositoryId === lives[index]?.repositoryId),
    current,
  );
};
