import type { FastifyInstance } from 'fastify';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { answer } from '../schemas.ts';
import { summaryOf } from '../summary.ts';
import { COUNTER_SCHEMAS, GARBAGE, garbageOf, recoverableOf, TOTAL_REPOSITORIES } from './numbers.ts';
import { answers, COUNT, MILLISECONDS, REGISTRY_VERSION, VERSION } from './schemas.ts';
import type { Uptime } from './uptime.ts';

/** What the documented page takes for "never". */
const NO_COLLECTION_YET = '2024-01-01T00:00:00Z';

const { orphanedManifests: _orphaned, ...OF_STATUS } = COUNTER_SCHEMAS;
const STATUS = answer({
  repositories: TOTAL_REPOSITORIES,
  ...OF_STATUS,
  lastGcRun: {
    type: 'string',
    format: 'date-time',
    description: `When garbage was last collected; ${NO_COLLECTION_YET}: never.`,
  },
  logStreamClients: COUNT,
  uptime: MILLISECONDS,
  version: VERSION,
});

/** `GET /api/garbage-collect/stats` and `GET /api/web/status`: counters, flat. */
export const counterRoutes = (app: FastifyInstance, deps: HttpDeps, uptime: Uptime): void => {
  described(app, '/garbage-collect/stats', {
    GET: {
      action: 'monitor',
      schema: { summary: 'Says what a collection of garbage would find.', tags: ['Monitoring'], response: answers(GARBAGE) },
      handler: async () => {
        const summary = await summaryOf(deps);
        return { ...garbageOf(summary), ...recoverableOf(summary) };
      },
    },
  });

  const status = async () => {
    const summary = await summaryOf(deps);
    const { orphanedManifests: _, ...counters } = garbageOf(summary);
    return {
      repositories: summary.repositories,
      ...counters,
      lastGcRun: NO_COLLECTION_YET,
      logStreamClients: deps.live.logClients(),
      uptime: uptime(),
      version: REGISTRY_VERSION,
    };
  };

  described(app, '/web/status', {
    GET: {
      action: 'monitor',
      schema: { summary: 'Shows counters for a page that asks often.', tags: ['Monitoring'], response: answers(STATUS) },
      handler: status,
    },
  });
};
