import { answer } from '../schemas.ts';
import type { Summary } from '../summary.ts';
import { BYTES, COUNT, RATIO } from './schemas.ts';

const COUNTERS = {
  totalBlobs: { ...COUNT, description: 'Distinct blobs that some repository holds; manifests are none.' },
  totalManifests: { ...COUNT, description: 'Tags, and manifests without a tag.' },
  unreferencedBlobs: { ...COUNT, description: 'Blobs that no manifest names.' },
  orphanedManifests: { ...COUNT, description: 'Manifests that the next collection would remove.' },
  estimatedSpaceToFree: { ...COUNT, description: 'Bytes of the blobs that no manifest names.' },
} as const;
export const TOTAL_REPOSITORIES = { ...COUNT, description: 'Repositories with at least one manifest.' } as const;
export const COUNTER_SCHEMAS = COUNTERS;
export const RECOVERABLE_SCHEMAS = {
  recoverableBlobs: { ...COUNT, description: 'Blobs that no repository holds any more, whose bytes are still there.' },
  recoverableBytes: { ...BYTES, description: 'Bytes of these.' },
} as const;
export const GARBAGE = answer({ ...COUNTERS, ...RECOVERABLE_SCHEMAS });

/** The five counters about garbage. */
export const garbageOf = ({ blobs, totalManifests, unreferencedBlobs, orphanedManifests, unreferencedBytes }: Summary) => ({
  totalBlobs: blobs,
  totalManifests,
  unreferencedBlobs,
  orphanedManifests,
  estimatedSpaceToFree: unreferencedBytes,
});

/** What awaits reclaiming: in none of the other counters. */
export const recoverableOf = ({ recoverableBlobs, recoverableBytes }: Summary) => ({ recoverableBlobs, recoverableBytes });

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

/** What sharing blobs saves: `total` counts a blob once for each repository that holds it. */
export const BYTES_SCHEMAS = {
  totalBytes: { ...BYTES, description: 'Bytes of the blobs of all repositories: what two of them hold counts twice.' },
  uniqueBytes: { ...BYTES, description: 'Bytes of these, each blob once.' },
  spaceSavings: { ...BYTES, description: 'Bytes that are stored once and not again.' },
  deduplicationRatio: RATIO,
} as const;

export const bytesOf = ({ logicalBytes, uniqueBytes }: Summary) => ({
  totalBytes: logicalBytes,
  uniqueBytes,
  spaceSavings: logicalBytes - uniqueBytes,
  deduplicationRatio: ratio(uniqueBytes, logicalBytes),
});

export const savingsPercentOf = ({ logicalBytes, uniqueBytes }: Summary): number =>
  100 * ratio(logicalBytes - uniqueBytes, logicalBytes);

export const referencesPerBlobOf = ({ blobReferences, blobs }: Summary): number => ratio(blobReferences, blobs);
