import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { HttpDeps } from '../deps.ts';
import { refuseIn, type Worded } from '../refusal.ts';
import { resource } from '../resource.ts';
import { blobRoutes } from './blobs.ts';
import { catalogRoutes } from './catalog.ts';
import { challengeFor } from './challenge.ts';
import { API_VERSION, OCI_REFUSING } from './errors.ts';
import { permitRegistry } from './guard.ts';
import { manifestRoutes } from './manifests.ts';
import { referrerRoutes } from './referrers.ts';
import { tagRoutes } from './tags.ts';
import { uploadRoutes } from './uploads.ts';

/** Works out who calls, once, before the body is read. A cached bearer token is answered without a promise. */
const identify = (app: FastifyInstance, { authenticate }: HttpDeps): void => {
  app.decorateRequest('caller', undefined as never);
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(API_VERSION);
    try {
      const caller = authenticate(request.headers.authorization);
      if (!(caller instanceof Promise)) {
        request.caller = caller;
        done();
        return;
      }
      caller.then(
        (known) => {
          request.caller = known;
          done();
        },
        (error: Error) => done(error),
      );
    } catch (error) {
      done(error as Error);
    }
  });
};

/** What else a path takes that does not delete, now or ever: every 405 says so (RFC 9110, section 15.5.6). */
const allowedInstead = ({ error }: Worded, { routeOptions: { url = '' } }: FastifyRequest): Readonly<Record<string, string>> => {
  if (error.code !== 'BLOB_REFERENCED' && error.code !== 'UNSUPPORTED') return {};
  return { allow: url.includes('/manifests/') ? 'GET, HEAD, PUT' : 'GET, HEAD' };
};

/** The OCI distribution API, `/v2/`. */
export const ociSurface =
  (deps: HttpDeps): FastifyPluginAsync =>
  async (app) => {
    refuseIn(app, {
      ...OCI_REFUSING,
      headers: (refusal, request) => ({
        ...challengeFor(refusal, request, deps.settings.publicUrl),
        ...allowedInstead(refusal, request),
      }),
    });
    identify(app, deps);

    // Bodies are blobs and manifests: handlers read the request as a stream, whatever its type says.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));

    resource(app, '/', {
      GET: (request: FastifyRequest) => {
        permitRegistry(request.caller, 'version');
        return { registry: 'GhostDock Registry', version: deps.version, features: ['oauth'] };
      },
    });
    catalogRoutes(app, deps);
    tagRoutes(app, deps);
    manifestRoutes(app, deps);
    referrerRoutes(app, deps);
    uploadRoutes(app, deps);
    blobRoutes(app, deps);
  };
