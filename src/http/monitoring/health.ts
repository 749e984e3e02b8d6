import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { catalog } from '../../projections/catalog.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { patiently } from '../inTime.ts';
import { answer, TEXT } from '../schemas.ts';
import { type Summary, summaryOf } from '../summary.ts';
import { answers, COUNT, MILLISECONDS, TIMESTAMP } from './schemas.ts';
import type { Uptime } from './uptime.ts';

/** In the very words that the clients of this API know. */
const GARBAGE_WARNING = 'Unreferenced blobs or orphaned manifests detected - consider running garbage collection';

const BOOLEAN = { type: 'boolean' } as const;
const COUNT_IF_KNOWN = { ...COUNT, type: ['integer', 'null'], description: 'null: it cannot be told at the moment.' } as const;

const HEALTH = answer({
  status: { enum: ['healthy', 'degraded'] },
  timestamp: TIMESTAMP,
  uptime: MILLISECONDS,
  checks: answer({ repositoryListing: BOOLEAN, statisticsAccess: BOOLEAN, databaseConnectivity: BOOLEAN }),
  metrics: answer({
    totalRepositories: COUNT_IF_KNOWN,
    totalManifests: COUNT_IF_KNOWN,
    totalBlobs: COUNT_IF_KNOWN,
    activeSessions: COUNT_IF_KNOWN,
    logStreamClients: COUNT,
  }),
  warnings: { type: 'array', items: TEXT, description: 'What somebody should see to now and then.' },
  problems: { type: 'array', items: TEXT, description: 'What makes it degraded.' },
});
const UNHEALTHY = {
  ...answer({ status: { const: 'unhealthy' }, error: TEXT, message: TEXT, timestamp: TIMESTAMP }),
  description: 'The registry is of no use. Where it cannot even tell who asks, only `error` and `message` stand here.',
  required: ['error', 'message'],
};

/** How long each check may take, in ms: longer than the counters wait for views that are behind. */
const PATIENCE_MS = 6000;

/** What it comes to, or undefined where it cannot be had, or not in time. */
const trying = <T>(ask: () => Promise<T>): (() => Promise<T | undefined>) => {
  const asked = patiently(PATIENCE_MS, ask);
  return () => asked().catch(() => undefined);
};

const warningsOf = (summary: Summary | undefined): readonly string[] =>
  summary !== undefined && (summary.unreferencedBlobs > 0 || summary.orphanedManifests > 0) ? [GARBAGE_WARNING] : [];

/** `GET /api/registry/health`: tries what the other routes of this API need. 200 as long as the registry is of use, else 503. */
export const healthRoutes = (app: FastifyInstance, deps: HttpDeps, uptime: Uptime): void => {
  const list = trying(() => deps.views.find(catalog, { where: { listed: true }, limit: 1 }));
  const summarize = trying(() => summaryOf(deps));
  const count = trying(() => deps.blobs.uploads.count());

  const check = async () => {
    const [listed, summary, sessions] = await Promise.all([list(), summarize(), count()]);
    return {
      listed: listed !== undefined,
      summary,
      sessions,
      problems: [
        ...(listed === undefined ? ['Repositories cannot be listed.'] : []),
        ...(summary === undefined ? ['The counters cannot be read.'] : []),
        ...(sessions === undefined ? ['Uploads under way cannot be listed.'] : []),
      ],
    };
  };

  const show = async (_request: FastifyRequest, reply: FastifyReply) => {
    const [{ status, database, problems: ofParts }, { listed, summary, sessions, problems }] = await Promise.all([
      deps.health(),
      check(),
    ]);
    const timestamp = Date.now();
    const all = [...ofParts, ...problems];
    if (status === 'unhealthy')
      return reply.code(503).send({ status, error: 'Health check failed', message: all.join(' '), timestamp });
    return {
      status: all.length === 0 ? 'healthy' : 'degraded',
      timestamp,
      uptime: uptime(),
      checks: {
        repositoryListing: listed,
        statisticsAccess: summary !== undefined,
        databaseConnectivity: database !== 'unhealthy',
      },
      metrics: {
        totalRepositories: summary?.repositories ?? null,
        totalManifests: summary?.totalManifests ?? null,
        totalBlobs: summary?.blobs ?? null,
        activeSessions: sessions ?? null,
        logStreamClients: deps.live.logClients(),
      },
      warnings: warningsOf(summary),
      problems: all,
    };
  };

  described(app, '/registry/health', {
    GET: {
      action: 'monitor',
      schema: {
        summary: 'Checks the registry, and says what it holds.',
        tags: ['Monitoring'],
        response: answers(HEALTH, { 503: UNHEALTHY }),
      },
      handler: show,
    },
  });
};
