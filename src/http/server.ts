import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { authSurface } from './auth/index.ts';
import type { HttpDeps } from './deps.ts';
import { healthRoutes } from './health.ts';
import { MANAGEMENT_WORDING, managementError } from './managementErrors.ts';
import { ociSurface } from './oci/index.ts';
import { withNameAsSegment } from './oci/path.ts';
import { refuseIn } from './refusal.ts';

/** Longest path parameter: a repository name with its slashes encoded; a sha512 digest has 135. The router's default of 100 is too short for both. */
const LONGEST_PARAMETER = 1024;

/** Most bytes of a body that is parsed in memory: logins and management calls. Blobs and manifests are read as streams. */
const LARGEST_FORM = 64 * 1024;

/** How long a client may take to send the head of a request, in ms. Bodies may take as long as they keep coming. */
const HEAD_TIMEOUT_MS = 30_000;
/** How long a connection may rest between requests, in ms: longer than the 60 s of common load balancers, which must be the ones to close. */
const KEEP_ALIVE_MS = 75_000;
/** How long a socket may be silent in the middle of a request, in ms. */
const SILENCE_MS = 300_000;

/** A line for every request, only where the level asks for it: it costs a quarter of the throughput of small reads. */
const logRequests = (app: FastifyInstance): void => {
  app.addHook('onResponse', (request, reply, done) => {
    const { method, originalUrl: url, ip } = request;
    request.log.debug({ method, url, status: reply.statusCode, ms: Math.round(reply.elapsedTime), ip }, 'request');
    done();
  });
};

/** The whole HTTP application, on no port yet. */
export const httpServer = async (deps: HttpDeps, logger: FastifyBaseLogger): Promise<FastifyInstance> => {
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    // Not `deps.newId` itself: fastify calls it with the request, which would be taken for a length.
    genReqId: () => deps.newId(),
    bodyLimit: LARGEST_FORM,
    rewriteUrl: ({ url }) => withNameAsSegment(url ?? '/'),
    routerOptions: { maxParamLength: LONGEST_PARAMETER, ignoreTrailingSlash: true, caseSensitive: true },
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    connectionTimeout: SILENCE_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
  });
  app.server.headersTimeout = HEAD_TIMEOUT_MS;
  if (logger.level === 'debug' || logger.level === 'trace') logRequests(app);

  refuseIn(app, { wording: MANAGEMENT_WORDING, body: (refusal) => ({ error: managementError(refusal) }) });
  healthRoutes(app, deps);
  await app.register(authSurface(deps), { prefix: '/auth' });
  await app.register(ociSurface(deps), { prefix: '/v2' });
  return app;
};
