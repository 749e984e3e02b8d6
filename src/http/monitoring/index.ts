import type { FastifyPluginAsync } from 'fastify';
import { withSessions } from '../cookies.ts';
import { denying } from '../denial.ts';
import type { HttpDeps } from '../deps.ts';
import { identify } from '../identify.ts';
import { permitRoutes } from '../permit.ts';
import { limitRequests } from '../rateLimit.ts';
import { refuseIn } from '../refusal.ts';
import { compileCheck } from '../validation.ts';
import { blobRoutes } from './blobs.ts';
import { counterRoutes } from './counters.ts';
import { MONITORING_REFUSING } from './errors.ts';
import { healthRoutes } from './health.ts';
import { repositoryRoutes } from './repositories.ts';
import { sessionRoutes } from './sessions.ts';
import { stateRoutes } from './state.ts';
import { storageRoutes } from './storage.ts';
import { streamRoutes } from './streams.ts';
import { throughputRoutes } from './throughput.ts';
import { uptimeFromNow } from './uptime.ts';

/** What changes with every push belongs into no cache. */
const HEADERS = { 'cache-control': 'no-store' };

/** The monitoring API, what of `/api/` is not the management API: JSON in epoch milliseconds, and streams of events. */
export const monitoringSurface =
  (deps: HttpDeps): FastifyPluginAsync =>
  async (app) => {
    refuseIn(app, MONITORING_REFUSING);
    const authenticate = withSessions(deps);
    identify(app, { ...deps, authenticate }, HEADERS);
    limitRequests(app, deps.limits.monitoring);
    permitRoutes(app, deps, denying);
    app.setValidatorCompiler(({ schema, httpPart = 'body' }) => compileCheck(schema as object, httpPart));
    app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
    const uptime = uptimeFromNow();
    stateRoutes(app, deps, uptime);
    repositoryRoutes(app, deps);
    blobRoutes(app, deps);
    sessionRoutes(app, deps);
    healthRoutes(app, deps, uptime);
    storageRoutes(app, deps);
    counterRoutes(app, deps, uptime);
    throughputRoutes(app, deps);
    streamRoutes(app, { ...deps, authenticate });
  };
