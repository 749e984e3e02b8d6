import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { MONITORING_REFUSING } from './monitoring/errors.ts';
import { matchesEtag } from './oci/ranges.ts';

import { describedBy } from './openapi.ts';
import { referencePage, STYLE_HASH } from './referencePage.ts';
import { pathOf, refuse } from './refusal.ts';
import { resource } from './resource.ts';

type Served = Readonly<{ body: string; etag: string }>;

const served = (body: string): Served => ({
  body,
  etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
});

/** What nothing of is loaded or run but the one style that stands in it. */
const PAGE_HEADERS = {
  'content-security-policy': `default-src 'none'; style-src '${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

const tags = ['Reference'] as const;
const unchanged = { type: 'null', description: 'It is the one that `If-None-Match` names.' } as const;

/** Nothing in it is secret, and it is the same for everybody: caches may keep it, and ask whether it is still so. */
const send = (request: FastifyRequest, reply: FastifyReply, { body, etag }: Served, type: string): FastifyReply => {
  reply.headers({ etag, 'cache-control': 'no-cache' });
  if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send();
  return reply.type(type).send(body);
};

const once = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
};

/** `GET /api/openapi.json`, the description of all of this, and `GET /api/docs`, the same as a page for people. */
export const referenceRoutes: FastifyPluginAsync = async (app: FastifyInstance) => {
  // As the monitoring API refuses, which has the rest of `/api`.
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply, MONITORING_REFUSING));

  // Made when somebody asks: routes are added until the application is ready.
  const description = once(() => served(JSON.stringify(describedBy(app))));
  const page = once(() => served(referencePage(describedBy(app), 'openapi.json')));
  // A relative link holds behind any prefix, told of or not; but `/api/docs/` is a folder of its own to browsers.
  const pageBelow = once(() => served(referencePage(describedBy(app), '../openapi.json')));
  const pageFor = (request: FastifyRequest): Served => (pathOf(request).endsWith('/') ? pageBelow() : page());

  resource(app, '/openapi.json', {
    GET: {
      action: 'open',
      handler: async (request: FastifyRequest, reply: FastifyReply) =>
        send(request, reply, description(), 'application/json; charset=utf-8'),
      says: {
        summary: 'Describes this API in OpenAPI 3.1.',
        tags,
        response: { 200: { type: 'object', additionalProperties: true }, 304: unchanged },
      },
    },
  });
  resource(app, '/docs', {
    GET: {
      action: 'open',
      handler: async (request: FastifyRequest, reply: FastifyReply) =>
        send(request, reply.headers(PAGE_HEADERS), pageFor(request), 'text/html; charset=utf-8'),
      says: {
        summary: 'Shows the same as a page.',
        tags,
        response: {
          200: {
            description: 'A page that needs no script and nothing from elsewhere.',
            content: { 'text/html': { schema: { type: 'string' } } },
          },
          304: unchanged,
        },
      },
    },
  });
};
