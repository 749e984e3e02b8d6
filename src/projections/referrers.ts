import type { ManifestReference, RepositoryEvents } from '../events/repository.ts';
import type { Digest } from '../oci/digest.ts';
import { projection } from './projection.ts';

/** A manifest as a descriptor, but for its annotations: those are in its bytes, however many they are. */
export type Referrer = Readonly<{
  /** What all referrers of one subject share, for the index. */
  subject: string;
  digest: Digest;
  mediaType: string;
  size: number;
  artifactType?: string;
}>;

export const subjectKey = (repositoryId: string, subject: Digest): string => `${repositoryId}/${subject}`;
export const referrerKey = (repositoryId: string, subject: Digest, digest: Digest): string =>
  `${subjectKey(repositoryId, subject)}/${digest}`;

const subjectOf = (references: readonly ManifestReference[]): Digest | undefined =>
  references.find(({ role }) => role === 'subject')?.digest;

/** Serves `GET /v2/<name>/referrers/<digest>`: the manifests that name a subject, which need not be there (yet). */
export const referrers = projection<Referrer, RepositoryEvents>({
  view: 'referrers',
  version: 1,
  indexes: [['subject', 'artifactType']],
  keysOf: ({ type, data }) => {
    if (type !== 'ManifestPushed' && type !== 'ManifestDeleted') return [];
    const subject = subjectOf(data.references);
    return subject === undefined ? [] : [referrerKey(data.repositoryId, subject, data.digest)];
  },
  on: {
    ManifestPushed: (_referrer, { data }, key) => ({
      subject: key.slice(0, -data.digest.length - 1),
      digest: data.digest,
      mediaType: data.mediaType,
      size: data.size,
      ...(data.artifactType !== undefined && { artifactType: data.artifactType }),
    }),
    ManifestDeleted: () => undefined,
  },
});
