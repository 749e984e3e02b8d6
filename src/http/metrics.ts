import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { withSessions } from './cookies.ts';
import { denying } from './denial.ts';
import type { HttpDeps } from './deps.ts';
import { identify } from './identify.ts';
import { patiently } from './inTime.ts';
import { CHALLENGING } from './managementErrors.ts';
import { type Collector, type Family, gauge } from './metricFamily.ts';
import { requestCollector } from './metricsOfRequests.ts';
import { totalsCollectors } from './metricsOfTotals.ts';
import { CONTENT_TYPE, metricsText } from './metricsText.ts';
import { permitRoutes } from './permit.ts';
import { refuse } from './refusal.ts';
import { resource } from './resource.ts';
import type { RouteDescription } from './routeDescription.ts';

const HEADERS = { 'cache-control': 'no-store' };

/** How long a scrape waits for a part of the registry, in ms: all are asked at the same time, and Prometheus waits for 10 s. */
const PATIENCE_MS = 2000;

const METRICS: RouteDescription = {
  summary: 'Tells Prometheus everything that can be counted.',
  tags: ['Health'],
  response: { 200: { description: 'Samples.', content: { 'text/plain': { schema: { type: 'string' } } } } },
};

type Collected = Readonly<{ name: string; families: readonly Family[] | undefined }>;

/** @returns what asks the collector: undefined when it failed or took too long, and then without asking again while it hangs */
const bounded = ({ name, collect }: Collector, patienceMs: number): (() => Promise<Collected>) => {
  const ask = patiently(patienceMs, async () => collect());
  return () =>
    ask().then(
      (families) => ({ name, families }),
      () => ({ name, families: undefined }),
    );
};

/** Asks all collectors at once, and says which of them had an answer. */
export const collecting = (
  collectors: readonly Collector[],
  patienceMs: number = PATIENCE_MS,
): (() => Promise<readonly Family[]>) => {
  const asks = collectors.map((collector) => bounded(collector, patienceMs));
  return async () => {
    const collected = await Promise.all(asks.map((ask) => ask()));
    const answered = gauge(
      'collector_success',
      'Whether a part of the registry could tell its metrics in time. Those of one that could not are missing.',
      collected.map(({ name, families }) => ({ value: families === undefined ? 0 : 1, labels: { collector: name } })),
    );
    return [...collected.flatMap(({ families }) => families ?? []), answered];
  };
};

const metricsRoute = (app: FastifyInstance, deps: HttpDeps, action: 'open' | 'monitor'): void => {
  // At the first scrape: routes only keep what they are given until somebody calls.
  let collect: ReturnType<typeof collecting> | undefined;
  resource(app, '/metrics', {
    GET: {
      action,
      handler: async (_request: FastifyRequest, reply: FastifyReply) => {
        const version = gauge('version_info', 'The release that runs.', [{ value: 1, labels: { version: deps.version } }]);
        collect ??= collecting([...deps.collectors, requestCollector(deps.requests), ...totalsCollectors(deps)]);
        reply.headers(HEADERS).type(CONTENT_TYPE);
        return await metricsText([version, ...(await collect())]);
      },
      says: METRICS,
    },
  });
};

/**
 * `GET /metrics`, for Prometheus. Only who may `monitor` reads it, by Basic or a bearer token, unless GHOSTDOCK_METRICS says that it is open.
 */
export const metricsRoutes = async (app: FastifyInstance, deps: HttpDeps): Promise<void> => {
  const { metrics } = deps.settings;
  if (metrics === 'off') return;
  // In a context of its own: what stands beside it asks nobody who he is.
  await app.register(async (own) => {
    own.setErrorHandler((error, request, reply) => refuse(error, request, reply, CHALLENGING));
    if (metrics === 'open') return metricsRoute(own, deps, 'open');
    identify(own, { ...deps, authenticate: withSessions(deps) }, HEADERS);
    permitRoutes(own, deps, denying);
    metricsRoute(own, deps, 'monitor');
  });
};
