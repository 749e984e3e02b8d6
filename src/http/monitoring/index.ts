import type { FastifyPluginAsync } from 'fastify';
import { withSessions } from '../cookies.ts';
import { denying } from '../denial.ts';
import type { HttpDeps } from '../deps.ts';
import { identify } from '../identify.ts';
import { permitRoutes } from '../permit.ts';
import { refuseIn } from '../refusal.ts';
import { compileCheck } from '../validation.ts';
import { MONITORING_REFUSING } from './errors.ts';

/** What changes with every push belongs into no cache. */
const HEADERS = { 'cache-control': 'no-store' };

/** The monitoring API, what of `/api/` is not the management API: JSON in epoch milliseconds, and streams of events. */
export const monitoringSurface =
  (deps: HttpDeps): FastifyPluginAsync =>
  async (app) => {
    refuseIn(app, MONITORING_REFUSING);
    identify(app, { ...deps, authenticate: withSessions(deps) }, HEADERS);
    permitRoutes(app, deps, denying);
    app.setValidatorCompiler(({ schema, httpPart = 'body' }) => compileCheck(schema as object, httpPart));
    app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  };
