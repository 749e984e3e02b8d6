import type { ManifestReference, ReleaseCause } from '../../events/repository.ts';
import type { Digest } from '../../oci/digest.ts';
import { type Manifest, manifestKey, manifests } from '../../projections/manifests.ts';
import { keptBy, references } from '../../projections/references.ts';
import { type Documents, document, type Keys, setUnder } from '../decider.ts';
import type { Life, RepositoryFact } from './commands.ts';

// A manifest is held by the tags that point at it, the indexes that list it, and its subject as long as that is there.

export const subjectOf = ({ references: named }: Readonly<{ references: readonly ManifestReference[] }>): Digest | undefined =>
  named.find(({ role }) => role === 'subject')?.digest;

/** The manifests that an index lists, each once. */
export const listedIn = ({ references: named }: Readonly<{ references: readonly ManifestReference[] }>): readonly Digest[] => [
  ...new Set(named.filter(({ role }) => role === 'manifest').map(({ digest }) => digest)),
];

/** What is lost, as the keys below `keptBy` name it, and the subject that goes or comes in the same step. */
export type Loss = Readonly<{
  cause: ReleaseCause;
  lost: readonly string[];
  goes?: Digest;
  comes?: Digest;
}>;

/** What must be known of a manifest that may lose as many of its tags and indexes as `lost`. */
export const releaseKeys = (repositoryId: string, digest: Digest, lost: number, known: Documents): Keys => {
  const key = manifestKey(repositoryId, digest);
  const manifest = known.get(manifests, key);
  const subject = manifest && subjectOf(manifest);
  return {
    documents: [
      document(manifests, key),
      ...(subject === undefined ? [] : [document(manifests, manifestKey(repositoryId, subject))]),
    ],
    sets: [setUnder(references, keptBy(repositoryId, digest), lost + 1)],
  };
};

const isThere = (repositoryId: string, subject: Digest, { goes, comes }: Loss, documents: Documents): boolean =>
  subject === comes || (subject !== goes && documents.get(manifests, manifestKey(repositoryId, subject)) !== undefined);

/** That a manifest is released, if what it loses was the last that held it. */
export const released = (life: Life, digest: Digest, loss: Loss, documents: Documents): readonly RepositoryFact[] => {
  const { repositoryId } = life;
  const manifest = documents.get(manifests, manifestKey(repositoryId, digest));
  if (manifest === undefined || manifest.released !== undefined) return [];
  const kept = documents.keysUnder(references, keptBy(repositoryId, digest));
  if (kept.some((key) => !loss.lost.includes(key))) return [];
  const subject = subjectOf(manifest);
  if (subject !== undefined && isThere(repositoryId, subject, loss, documents)) return [];
  const data = { ...life, digest, cause: loss.cause, ...(subject !== undefined && { subject }) };
  return [{ type: 'ManifestReleased', data }];
};

/** That a manifest is held again, if it was released. */
export const held = (
  life: Life,
  manifest: Pick<Manifest, 'digest' | 'references' | 'released'> | undefined,
  by: 'tag' | 'parent',
): readonly RepositoryFact[] => {
  if (manifest?.released === undefined) return [];
  const subject = subjectOf(manifest);
  return [{ type: 'ManifestHeld', data: { ...life, digest: manifest.digest, by, ...(subject !== undefined && { subject }) } }];
};

export const together = (keys: readonly Keys[]): Keys => ({
  documents: keys.flatMap(({ documents = [] }) => documents),
  sets: keys.flatMap(({ sets = [] }) => sets),
});
