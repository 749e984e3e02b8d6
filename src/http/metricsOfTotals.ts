import type { HttpDeps } from './deps.ts';
import { type Collector, counter, type Family, gauge, untyped } from './metricFamily.ts';
import { countersAt, type Summary } from './summary.ts';
import { pullsNow, usersNow } from './totals.ts';

const familiesOf = (summary: Summary): readonly Family[] => [
  untyped('repositories_total', 'Repositories with at least one manifest.', summary.repositories),
  counter('pushes_total', 'Manifests stored, ever.', summary.pushes),
  gauge('storage_bytes', 'Bytes of the blobs that repositories link, each blob once.', summary.uniqueBytes),
  gauge('storage_logical_bytes', 'Bytes of the blobs, once for each repository that links them.', summary.logicalBytes),
  gauge('images', 'Tags, and manifests without a tag.', summary.totalManifests),
  gauge('tags', 'Tags.', summary.tags),
  gauge('manifests', 'Manifests, once for each repository that has them.', summary.manifests),
  gauge('blobs', 'Blobs that repositories link, each once.', summary.blobs),
  gauge('unreferenced_blobs', 'Linked blobs that no manifest names.', summary.unreferencedBlobs),
  gauge('unreferenced_bytes', 'Bytes of the linked blobs that no manifest names.', summary.unreferencedBytes),
  gauge('recoverable_blobs', 'Blobs that no repository links any more, whose bytes are still there.', summary.recoverableBlobs),
  gauge('recoverable_bytes', 'Bytes of the blobs that no repository links any more.', summary.recoverableBytes),
  gauge('orphaned_manifests', 'Manifests that the next collection would remove.', summary.orphanedManifests),
];

type Deps = Parameters<typeof countersAt>[0] & Pick<HttpDeps, 'views' | 'accessViews' | 'settings'>;

/** What the registry holds: from the views, without waiting until they have caught up. Each from views of its own, which may be away alone. */
export const totalsCollectors = (deps: Deps): readonly Collector[] => [
  { name: 'totals', collect: async () => familiesOf(await countersAt(deps, deps.settings.retainUntaggedDays)) },
  {
    name: 'users',
    collect: async () => [untyped('users_total', 'Users, without those that were deleted.', await usersNow(deps))],
  },
  {
    name: 'pulls',
    collect: async () => [counter('pulls_total', 'Manifests pulled, as the access log has recorded them.', await pullsNow(deps))],
  },
];
