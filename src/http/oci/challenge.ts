import type { FastifyRequest } from 'fastify';
import { challengeOf } from '../../identity/scopes.ts';
import { isName } from '../../oci/names.ts';
import { baseOf } from '../origin.ts';
import type { Worded } from '../refusal.ts';
import { scopeOf } from './guard.ts';

/** What a token for this route must be asked for. */
const scopeOfRoute = ({ params, routeOptions: { config } }: FastifyRequest): string => {
  const { name } = (params ?? {}) as { name?: unknown };
  return scopeOf(typeof name === 'string' && isName(name) ? name : '', config.action ?? 'open');
};

/**
 * Sends a client that is not logged in, or whose token is not enough, to the token service. The scope stands there for a token that
 * has ended as well (nobody has looked at the route by then), so that a long push can go on with a new one.
 */
export const challengeFor = (
  { error, detail }: Worded,
  request: FastifyRequest,
  publicUrl: string | undefined,
): Readonly<Record<string, string>> => {
  if (error.code !== 'UNAUTHENTICATED') return {};
  const base = baseOf(request, publicUrl);
  const refused = typeof detail.scope === 'string' ? detail.scope : undefined;
  const scope = refused ?? scopeOfRoute(request);
  const hasToken = /^bearer\b/i.test(request.headers.authorization ?? '');
  return {
    'www-authenticate': challengeOf({
      realm: `${base}/auth`,
      service: new URL(base).host,
      ...(scope !== '' && { scope }),
      ...(hasToken && { error: refused === undefined ? 'invalid_token' : 'insufficient_scope' }),
    }),
  };
};
