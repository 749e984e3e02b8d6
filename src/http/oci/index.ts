import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify';
import { challengeOf } from '../../identity/scopes.ts';
import type { HttpDeps } from '../deps.ts';
import { originOf } from '../origin.ts';
import { refuseIn, type Worded } from '../refusal.ts';
import { resource } from '../resource.ts';
import { blobRoutes } from './blobs.ts';
import { catalogRoutes } from './catalog.ts';
import { OCI_WORDING, ociBody } from './errors.ts';
import { permitRegistry } from './guard.ts';
import { manifestRoutes } from './manifests.ts';
import { tagRoutes } from './tags.ts';
import { uploadRoutes } from './uploads.ts';

const API_VERSION = { 'docker-distribution-api-version': 'registry/2.0' };

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

/** The OCI distribution API, `/v2/`. */
export const ociSurface =
  (deps: HttpDeps): FastifyPluginAsync =>
  async (app) => {
    const challenge = ({ error, detail }: Worded, request: FastifyRequest): Readonly<Record<string, string>> => {
      if (error.code !== 'UNAUTHENTICATED') return {};
      const origin = originOf(request, deps.settings.publicUrl);
      const scope = typeof detail.scope === 'string' ? detail.scope : '';
      return {
        'www-authenticate': challengeOf({
          realm: `${origin}/auth`,
          service: new URL(origin).host,
          ...(scope !== '' && { scope }),
        }),
      };
    };
    refuseIn(app, { wording: OCI_WORDING, body: ociBody, headers: challenge });
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
    uploadRoutes(app, deps);
    blobRoutes(app, deps);
  };
