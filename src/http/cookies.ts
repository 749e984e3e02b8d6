import type { FastifyReply, FastifyRequest } from 'fastify';
import { isRefusal } from '../errors.ts';
import type { HttpDeps } from './deps.ts';
import { hostOf, isLoopbackHost } from './hosts.ts';
import { baseOf } from './origin.ts';

/** `session`: who is logged in. `login`: a login under way, to which the provider's page leads back (which `Strict` would leave out). */
const SAME_SITE = { session: 'Strict', login: 'Lax' } as const;
export type CookieName = keyof typeof SAME_SITE;

const isSecure = (request: FastifyRequest, publicUrl: string | undefined): boolean =>
  baseOf(request, publicUrl).startsWith('https:');

/** Whether cookies keep logins safe on the way: behind TLS, or on this machine. */
export const mayLogIn = (request: FastifyRequest, publicUrl: string | undefined): boolean =>
  isSecure(request, publicUrl) || isLoopbackHost(hostOf(request.host) ?? '');

/**
 * `__Host-`: no other host, and no page without TLS, can set it or have it sent. Browsers take that with TLS alone, so that on this machine
 * without TLS the cookie has another name, and goes without `Secure`.
 */
const nameOf = (cookie: CookieName, secure: boolean): string => `${secure ? '__Host-' : ''}ghostdock-${cookie}`;

/** The cookie of who is logged in, behind TLS. */
export const SESSION_COOKIE = nameOf('session', true);

export const cookieOf = (request: FastifyRequest, cookie: CookieName, publicUrl: string | undefined): string | undefined => {
  const header = request.headers.cookie;
  if (header === undefined) return undefined;
  const name = `${nameOf(cookie, isSecure(request, publicUrl))}=`;
  const found = header.split(';').find((pair) => pair.trimStart().startsWith(name));
  return found?.trimStart().slice(name.length);
};

/** @param value text of letters, digits, `-`, `_` and `.`; empty removes the cookie */
export const setCookie = (
  request: FastifyRequest,
  reply: FastifyReply,
  cookie: CookieName,
  value: string,
  { publicUrl, maxAgeSeconds }: Readonly<{ publicUrl: string | undefined; maxAgeSeconds: number }>,
): void => {
  const secure = isSecure(request, publicUrl);
  const parts = [
    `${nameOf(cookie, secure)}=${value}`,
    'Path=/',
    `Max-Age=${maxAgeSeconds}`,
    'HttpOnly',
    `SameSite=${SAME_SITE[cookie]}`,
  ];
  reply.header('set-cookie', [...parts, ...(secure ? ['Secure'] : [])].join('; '));
};

/** The login of a browser, as a client would send it; undefined without one. */
export const sessionHeader = (request: FastifyRequest, publicUrl: string | undefined): string | undefined => {
  const session = cookieOf(request, 'session', publicUrl);
  return session === undefined || session === '' ? undefined : `Bearer ${session}`;
};

/** For surfaces that people use in browsers: who has no `Authorization` header is known by the cookie, and whose session has ended by nothing. */
export const withSessions = (deps: HttpDeps): HttpDeps['authenticate'] => {
  const { authenticate, settings } = deps;
  const bySession = async (session: string, request: FastifyRequest) => {
    try {
      return await authenticate(session, request);
    } catch (error) {
      if (!isRefusal(error, 'UNAUTHENTICATED') && !isRefusal(error, 'TOO_MANY_REQUESTS')) throw error;
      return authenticate(undefined, request);
    }
  };
  return (authorization, from) => {
    const request = from as FastifyRequest;
    const session = authorization === undefined ? sessionHeader(request, settings.publicUrl) : undefined;
    return session === undefined ? authenticate(authorization, from) : bySession(session, request);
  };
};
