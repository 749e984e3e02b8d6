import type { FastifyPluginAsync } from 'fastify';
import { withSessions } from '../cookies.ts';
import { denying } from '../denial.ts';
import type { HttpDeps } from '../deps.ts';
import { identify } from '../identify.ts';
import { CHALLENGING } from '../managementErrors.ts';
import { permitRoutes } from '../permit.ts';
import { limitRequests } from '../rateLimit.ts';
import { refuseIn } from '../refusal.ts';
import { compileCheck } from '../validation.ts';
import { auditRoutes } from './audit.ts';
import { grantRoutes } from './grants.ts';
import { openHealth } from './health.ts';
import { metricsRoutes } from './metrics.ts';
import { profileRoutes } from './profile.ts';
import { repositoryRoutes } from './repositories.ts';
import { repositoryListRoutes } from './repositoriesList.ts';
import { signingKeyRoutes } from './signingKeys.ts';
import { teamRoutes } from './teams.ts';
import { tokenRoutes } from './tokens.ts';
import { userRoutes } from './users.ts';

/** Accounts and tokens belong into no cache. */
const HEADERS = { 'cache-control': 'no-store' };

/** All of it that has to know who asks. */
const routes =
  (deps: HttpDeps): FastifyPluginAsync =>
  async (app) => {
    refuseIn(app, CHALLENGING);
    identify(app, { ...deps, authenticate: withSessions(deps) }, HEADERS);
    limitRequests(app, deps.limits.api);
    permitRoutes(app, deps, denying);
    app.setValidatorCompiler(({ schema, httpPart = 'body' }) => compileCheck(schema as object, httpPart));
    metricsRoutes(app, deps);
    profileRoutes(app, deps);
    userRoutes(app, deps);
    tokenRoutes(app, deps);
    repositoryListRoutes(app, deps);
    repositoryRoutes(app, deps);
    grantRoutes(app, deps);
    teamRoutes(app, deps);
    signingKeyRoutes(app, deps);
    auditRoutes(app, deps);
  };

/** The management API, `/api/v1/`: JSON in, JSON out, a file a resource. */
export const managementSurface =
  (deps: HttpDeps): FastifyPluginAsync =>
  async (app) => {
    // The schemas of answers describe them and are checked by the tests. Handlers name each field that they give.
    app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
    // Beside the others, and not below what tells callers apart and limits them.
    await app.register(openHealth(deps));
    await app.register(routes(deps));
  };
