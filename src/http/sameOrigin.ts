import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RegistryError } from '../errors.ts';
import { hostOf } from './hosts.ts';

/** What changes nothing (RFC 9110, section 9.2.1) that a browser sends to another site of its own accord. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The origins that the registry's own pages may have: where it says that it is, and where this request went. */
const ownOrigins = ({ protocol, host }: FastifyRequest, publicUrl: string | undefined): readonly string[] => {
  const own = publicUrl === undefined ? [] : [new URL(publicUrl).origin];
  if (hostOf(host) === undefined) return own;
  // Without TLS of our own there may be a proxy that has it, and says nothing of it.
  const schemes = protocol === 'https' ? ['https'] : ['http', 'https'];
  return [...own, ...schemes.map((scheme) => new URL(`${scheme}://${host}`).origin)];
};

/** Whether a browser sends this on behalf of a page of another site. Other clients say nothing of the kind. */
const isForeign = (request: FastifyRequest, publicUrl: string | undefined): boolean => {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  return origin !== undefined && !ownOrigins(request, publicUrl).includes(origin);
};

/**
 * Refuses, before anything is looked at or done, what a page of another site has a browser send: whatever the browser would log in with
 * is not that page's to use. Answers have no CORS headers, so such pages cannot read any either.
 */
export const refuseForeign = (app: FastifyInstance, publicUrl: string | undefined): void => {
  app.addHook('onRequest', (request, _reply, done) => {
    if (SAFE.has(request.method) || !isForeign(request, publicUrl)) done();
    else
      done(
        new RegistryError('DENIED', 'A page of another site may not do this.', {
          origin: request.headers.origin?.slice(0, 300) ?? null,
        }),
      );
  });
};
