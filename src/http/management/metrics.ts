import type { FastifyInstance } from 'fastify';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { unlessAway } from '../reported.ts';
import { answer, TIME } from '../schemas.ts';
import { summaryOf } from '../summary.ts';
import { pullsNow } from '../totals.ts';
import { timeOf } from './route.ts';

const count = (description: string) => ({ type: 'integer', minimum: 0, description }) as const;

const METRICS = answer({
  timestamp: TIME,
  requests: answer({
    total: count('Answers of this process since its start.'),
    success: count('Those with a status below 400.'),
    errors: count('All others.'),
  }),
  registry: answer({
    pulls: {
      ...count('Manifests pulled, as the access log has recorded them. null: it cannot be read at the moment.'),
      type: ['integer', 'null'],
    },
    pushes: count('Manifests stored, ever.'),
    repositories: count('Repositories with at least one manifest.'),
    images: count('Tags, and manifests without a tag.'),
  }),
  storage: answer({
    total_size: count('Bytes of the blobs that repositories link, each blob once.'),
    blob_count: count('These blobs.'),
    manifest_count: count('Tags, and manifests without a tag, as `images`.'),
  }),
  performance: answer({
    avg_response_time: count('Whole milliseconds; of all answers of this process but transfers of blobs and streams of events.'),
    p95_response_time: count('95 of 100 of them took no longer.'),
    p99_response_time: count('99 of 100 of them took no longer.'),
  }),
});

/** `GET /api/v1/metrics`: totals of the registry, and statistics of the requests to this process. */
export const metricsRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const show = async () => {
    const { requests, performance } = deps.requests;
    const [summary, pulled] = await Promise.all([summaryOf(deps), unlessAway(pullsNow(deps))]);
    const { avgMs, p95Ms, p99Ms } = performance();
    return {
      timestamp: timeOf(new Date().toISOString()),
      requests: requests(),
      registry: {
        pulls: pulled ?? null,
        pushes: summary.pushes,
        repositories: summary.repositories,
        images: summary.totalManifests,
      },
      storage: { total_size: summary.uniqueBytes, blob_count: summary.blobs, manifest_count: summary.totalManifests },
      performance: { avg_response_time: avgMs, p95_response_time: p95Ms, p99_response_time: p99Ms },
    };
  };

  described(app, '/metrics', {
    GET: {
      action: 'monitor',
      schema: { summary: 'Shows what the registry holds and does, in numbers.', tags: ['System'], response: { 200: METRICS } },
      handler: show,
    },
  });
};
