import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { HttpDeps } from '../deps.ts';
import { identify } from '../identify.ts';
import { permitRoutes } from '../permit.ts';
import { refuseIn, type Worded } from '../refusal.ts';
import { resource } from '../resource.ts';
import { blobRoutes } from './blobs.ts';
import { catalogRoutes } from './catalog.ts';
import { challengeFor } from './challenge.ts';
import { VERSION } from './descriptions.ts';
import { API_VERSION, OCI_REFUSING } from './errors.ts';
import { ociRefusing } from './guard.ts';
import { manifestRoutes } from './manifests.ts';
import { referrerRoutes } from './referrers.ts';
import { repositoryRoutes } from './repository.ts';
import { tagRoutes } from './tags.ts';
import { uploadRoutes } from './uploads.ts';

/** What else a path takes that does not delete, now or ever: every 405 says so (RFC 9110, section 15.5.6). */
const allowedInstead = ({ error }: Worded, { routeOptions: { url = '' } }: FastifyRequest): Readonly<Record<string, string>> => {
  if (error.code !== 'BLOB_REFERENCED' && error.code !== 'UNSUPPORTED') return {};
  if (url.endsWith('/:name')) return { allow: '' };
  return { allow: url.includes('/manifests/') ? 'GET, HEAD, PUT' : 'GET, HEAD' };
};

/** The OCI distribution API, `/v2/`. */
export const ociSurface =
  (deps: HttpDeps): FastifyPluginAsync =>
  async (app) => {
    refuseIn(app, {
      ...OCI_REFUSING,
      headers: (refusal, request) => ({
        ...API_VERSION,
        ...challengeFor(refusal, request, deps.settings.publicUrl),
        ...allowedInstead(refusal, request),
      }),
    });
    identify(app, deps, API_VERSION);
    permitRoutes(app, deps, ociRefusing);

    // Bodies are blobs and manifests: handlers read the request as a stream, whatever its type says.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));

    resource(app, '/', {
      GET: {
        action: 'version',
        handler: async () => ({ registry: 'GhostDock Registry', version: deps.version, features: ['oauth'] }),
        says: VERSION,
      },
    });
    catalogRoutes(app, deps);
    tagRoutes(app, deps);
    manifestRoutes(app, deps);
    referrerRoutes(app, deps);
    uploadRoutes(app, deps);
    blobRoutes(app, deps);
    repositoryRoutes(app, deps);
  };
