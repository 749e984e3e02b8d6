import type { ReleaseCause, RepositoryEvents } from '../events/repository.ts';
import type { Digest } from '../oci/digest.ts';
import { manifestKey } from './manifests.ts';
import { projection } from './projection.ts';

export type ReleasedManifest = Readonly<{
  repositoryId: string;
  repository: string;
  digest: Digest;
  since: string;
  cause: ReleaseCause;
}>;

/**
 * Manifests that were held and are not any more, oldest first by `since`: what a collection begins with. Those of a life that has ended
 * stay until it is cleared: compare the id before doing anything to the repository of that name. Its totals count them.
 */
export const releasedManifests = projection<ReleasedManifest, RepositoryEvents>({
  view: 'releasedManifests',
  version: 1,
  indexes: [['since'], ['cause', 'since']],
  keysOf: ({ data }) => ('digest' in data ? [manifestKey(data.repositoryId, data.digest)] : []),
  on: {
    ManifestReleased: (_manifest, { data, metadata }) => ({
      repositoryId: data.repositoryId,
      repository: data.repository,
      digest: data.digest,
      since: metadata.at,
      cause: data.cause,
    }),
    ManifestHeld: () => undefined,
    ManifestDeleted: () => undefined,
  },
  totals: (before, after) => ({ manifests: Number(after !== undefined) - Number(before !== undefined) }),
});
