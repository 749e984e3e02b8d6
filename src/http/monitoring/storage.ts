import type { FastifyInstance } from 'fastify';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { mostReferenced } from '../inventoryReads.ts';
import { answer } from '../schemas.ts';
import { summaryOf } from '../summary.ts';
import { BYTES_SCHEMAS, bytesOf, RECOVERABLE_SCHEMAS, recoverableOf, referencesPerBlobOf, savingsPercentOf } from './numbers.ts';
import { answers, BYTES, COUNT, DIGEST, TIMESTAMP } from './schemas.ts';

/** Of the blobs that are named most. */
const MOST = 10;

const STORAGE = answer({
  storage: answer({
    ...BYTES_SCHEMAS,
    spaceSavingsPercent: { type: 'number', minimum: 0, maximum: 100 },
    ...RECOVERABLE_SCHEMAS,
  }),
  blobs: answer({
    totalBlobs: COUNT,
    uniqueBlobs: COUNT,
    averageReferencesPerBlob: {
      type: 'number',
      minimum: 0,
      description: 'Manifests that name a blob, in the mean; 0 without any blobs.',
    },
  }),
  mostReferencedBlobs: {
    type: 'array',
    maxItems: MOST,
    items: answer({ digest: DIGEST, referenceCount: COUNT, size: BYTES }),
    description: 'The one that most manifests name comes first.',
  },
  timestamp: TIMESTAMP,
});

/** `GET /api/registry/storage`: what is stored, and what sharing it saves. */
export const storageRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const show = async () => {
    const summary = await summaryOf(deps);
    const most = await mostReferenced(deps.reporting, MOST);
    return {
      storage: { ...bytesOf(summary), spaceSavingsPercent: savingsPercentOf(summary), ...recoverableOf(summary) },
      blobs: {
        totalBlobs: summary.blobs,
        uniqueBlobs: summary.blobs,
        averageReferencesPerBlob: referencesPerBlobOf(summary),
      },
      mostReferencedBlobs: most.map(({ digest, references, size }) => ({ digest, referenceCount: references, size })),
      timestamp: Date.now(),
    };
  };

  described(app, '/registry/storage', {
    GET: {
      action: 'monitor',
      schema: {
        summary: 'Shows how much is stored, and what sharing blobs saves.',
        tags: ['Monitoring'],
        response: answers(STORAGE),
      },
      handler: show,
    },
  });
};
