import type { ManifestReference, ReleaseCause, RepositoryEvents } from '../events/repository.ts';
import type { Digest } from '../oci/digest.ts';
import { projection } from './projection.ts';

export type Manifest = Readonly<{
  digest: Digest;
  mediaType: string;
  size: number;
  artifactType?: string;
  /** At most 4,000: needed to say in `ManifestDeleted` what is released. */
  references: readonly ManifestReference[];
  pushedAt: string;
  /** Since when nothing holds it that something held: no tag, no index, no subject that is there. */
  released?: Readonly<{ since: string; cause: ReleaseCause }>;
}>;

const held = ({ released: _released, ...manifest }: Manifest): Manifest => manifest;

export const manifestKey = (repositoryId: string, digest: Digest): string => `${repositoryId}/${digest}`;

/** Serves `GET /v2/<name>/manifests/<digest>`: one document a manifest and repository. The bytes are a blob. */
export const manifests = projection<Manifest, RepositoryEvents>({
  view: 'manifests',
  version: 2,
  indexes: [],
  keysOf: ({ data }) => ('digest' in data ? [manifestKey(data.repositoryId, data.digest)] : []),
  on: {
    ManifestPushed: (_manifest, { data, metadata }) => ({
      digest: data.digest,
      mediaType: data.mediaType,
      size: data.size,
      ...(data.artifactType !== undefined && { artifactType: data.artifactType }),
      references: data.references,
      pushedAt: metadata.at,
    }),
    ManifestReleased: (manifest, { data, metadata }) =>
      manifest && { ...manifest, released: { since: metadata.at, cause: data.cause } },
    ManifestHeld: (manifest) => manifest && held(manifest),
    ManifestDeleted: () => undefined,
  },
});
