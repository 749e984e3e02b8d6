import { METHODS } from 'node:http';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { RegistryError } from '../errors.ts';
import { recordRefusals } from './accessRecords.ts';
import { authSurface } from './auth/index.ts';
import { watchConnections } from './connections.ts';
import { continueWhenRead } from './continuing.ts';
import type { HttpDeps } from './deps.ts';
import { healthRoutes } from './health.ts';
import { managementSurface } from './management/index.ts';
import { MANAGEMENT_REFUSING } from './managementErrors.ts';
import { metricsRoutes } from './metrics.ts';
import { MONITORING_REFUSING } from './monitoring/errors.ts';
import { monitoringSurface } from './monitoring/index.ts';
import { API_VERSION, OCI_REFUSING } from './oci/errors.ts';
import { ociSurface } from './oci/index.ts';
import { withNameAsSegment } from './oci/path.ts';
import { refuseSecondHosts } from './oneHost.ts';
import { describeRoutes } from './openapi.ts';
import { type Surface, surfaceOf } from './openapiErrors.ts';
import { refuseUnknownHosts } from './openMode.ts';
import { prefixIn, servePrefixed } from './origin.ts';
import { demandActions } from './permit.ts';
import { referenceRoutes } from './reference.ts';
import { loggedUrl, pathOf, type Refusing, refuse, refuseIn } from './refusal.ts';
import { refuseForeign } from './sameOrigin.ts';
import { type KeyPair, tlsOptions } from './tls.ts';
import { trustIn } from './trust.ts';
import { refuseUnreadable } from './unreadable.ts';

/**
 * Longest path parameter: longer than any that fits into the head of a request, also with its slashes encoded. So it is the rules of
 * names, tags and digests that refuse what is too long, in their own words, and not the router.
 */
const LONGEST_PARAMETER = 64 * 1024;

/** Most bytes of a body that is parsed in memory: logins and management calls. Blobs and manifests are read as streams. */
const LARGEST_FORM = 64 * 1024;

/** How long a client may take to send the head of a request, in ms. Bodies may take as long as they keep coming. */
const HEAD_TIMEOUT_MS = 30_000;
/** How long a connection may rest between requests, in ms: longer than the 60 s of common load balancers, which must be the ones to close. */
const KEEP_ALIVE_MS = 75_000;
/** How long a socket may be silent in the middle of a request, in ms. */
const SILENCE_MS = 300_000;

/** How each surface words what is refused before any route is found. */
const REFUSING: Readonly<Record<Surface, Refusing>> = {
  Registry: OCI_REFUSING,
  Management: MANAGEMENT_REFUSING,
  Monitoring: MONITORING_REFUSING,
  Login: MANAGEMENT_REFUSING,
};

/** A line for every request, only where the level asks for it: it costs a quarter of the throughput of small reads. */
const logRequests = (app: FastifyInstance): void => {
  app.addHook('onResponse', (request, reply, done) => {
    const { method, ip } = request;
    const url = loggedUrl(request);
    request.log.debug({ method, url, status: reply.statusCode, ms: Math.round(reply.elapsedTime), ip }, 'request');
    done();
  });
};

/** Methods that no resource takes are known to the router all the same, so that they are refused with 405 and `Allow`. */
const knowEveryMethod = (app: FastifyInstance): void => {
  for (const method of METHODS) {
    // CONNECT never gets to a router; fastify would want a body's type of QUERY before it refuses it.
    if (method === 'QUERY' || (method !== 'CONNECT' && !app.supportedMethods.includes(method)))
      app.addHttpMethod(method, { overrideExisting: true });
  }
};

export type HttpServer = FastifyInstance;
export type Logger = FastifyBaseLogger;

/** Every route that there is. Each says what its caller must be allowed to do. */
export const addSurfaces = async (app: FastifyInstance, deps: HttpDeps): Promise<void> => {
  demandActions(app);
  await describeRoutes(app, deps.version, deps.settings.publicUrl);
  healthRoutes(app, deps);
  await metricsRoutes(app, deps);
  await app.register(authSurface(deps), { prefix: '/auth' });
  await app.register(managementSurface(deps), { prefix: '/api/v1' });
  await app.register(monitoringSurface(deps), { prefix: '/api' });
  await app.register(referenceRoutes, { prefix: '/api' });
  await app.register(ociSurface(deps), { prefix: '/v2' });
};

/** The whole HTTP application, on no port yet. With `tls` it speaks that and nothing else; `useCertificate` renews it. */
export const httpServer = async (deps: HttpDeps, logger: Logger, tls?: KeyPair): Promise<HttpServer> => {
  const { publicUrl, trustedProxies } = deps.settings;
  const prefix = prefixIn(publicUrl);
  const trusts = trustedProxies.length === 0 ? undefined : trustIn(trustedProxies);
  const app: HttpServer = Fastify({
    // The server is one of HTTP either way; the types of TLS are of use to `useCertificate` alone.
    https: (tls === undefined ? null : tlsOptions(tls)) as null,
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    // Not `deps.newId` itself: fastify calls it with the request, which would be taken for a length.
    genReqId: () => deps.newId(),
    trustProxy: trusts ?? false,
    bodyLimit: LARGEST_FORM,
    rewriteUrl: ({ url }) => withNameAsSegment(url ?? '/', prefix),
    routerOptions: { maxParamLength: LONGEST_PARAMETER, ignoreTrailingSlash: true, caseSensitive: true },
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    connectionTimeout: SILENCE_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    // A path that the router cannot read belongs to no surface: its beginning tells whose words it is refused with.
    frameworkErrors: (error, request, reply) => {
      const surface = surfaceOf(request.raw.url ?? '');
      if (surface === 'Registry') reply.headers(API_VERSION);
      const path = pathOf(request).slice(0, 300);
      const refusal = new RegistryError('REQUEST_INVALID', 'The path is not percent-encoded UTF-8.', { path }, { cause: error });
      void refuse(refusal, request, reply, REFUSING[surface]);
    },
    clientErrorHandler: (error, socket) => refuseUnreadable(error, socket, connections.beneath(socket)),
  });
  const connections = watchConnections(app, tls !== undefined);
  continueWhenRead(app.server);
  knowEveryMethod(app);
  app.server.headersTimeout = HEAD_TIMEOUT_MS;
  servePrefixed(app, { publicUrl, trusts });
  if (logger.level === 'debug' || logger.level === 'trace') logRequests(app);

  deps.requests.watch(app);
  recordRefusals(app, deps);
  refuseSecondHosts(app);
  if (!deps.settings.auth) refuseUnknownHosts(app, deps.settings);
  refuseForeign(app, publicUrl);
  refuseIn(app, MANAGEMENT_REFUSING);
  await addSurfaces(app, deps);
  return app;
};
