import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Trust } from './trust.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What stands before the registry's own paths where the client sees them: `/registry`, or nothing. */
    readonly pathPrefix: string;
  }
}

const HOST = /^[A-Za-z0-9.-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](:\d{1,5})?$/;

/** No empty segment, which at the beginning would name another host, and no `.` or `..`. */
const PREFIX = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)+$/;
const LONGEST_PREFIX = 256;

/** The path of the configured URL: it never ends with a slash. */
export const prefixIn = (publicUrl: string | undefined): string =>
  publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/$/, '');

/** Of several values that of the nearest proxy, which is the one that is trusted. Anything but a plain path counts as none. */
const forwardedPrefix = ({ headers }: FastifyRequest): string => {
  const given = String(headers['x-forwarded-prefix'] ?? '');
  const prefix = given
    .slice(given.lastIndexOf(',') + 1)
    .trim()
    .replace(/\/$/, '');
  return prefix.length <= LONGEST_PREFIX && PREFIX.test(prefix) ? prefix : '';
};

/**
 * Where the client reaches the registry, without a slash at the end: the configured URL, else what its own `Host` header says, or a
 * trusted proxy's `X-Forwarded-Host`, `-Proto` and `-Prefix` (checked: it is quoted in a header).
 */
export const baseOf = (request: FastifyRequest, publicUrl: string | undefined): string => {
  if (publicUrl !== undefined) return publicUrl;
  const { host, pathPrefix } = request;
  const scheme = request.protocol.toLowerCase() === 'https' ? 'https' : 'http';
  const origin = `${scheme}://${host}`;
  return `${HOST.test(host) && URL.canParse(origin) ? origin : `${scheme}://localhost`}${pathPrefix}`;
};

/** A path of ours, or a `Link` to one, as the client has to ask for it. Everything else is left as it is. */
const seenBehind = (prefix: string, value: unknown): string | undefined =>
  typeof value === 'string' && /^<?\//.test(value) ? value.replace('/', `${prefix}/`) : undefined;

export type Behind = Readonly<{
  publicUrl: string | undefined;
  /** Absent: nobody is trusted. */
  trusts: Trust | undefined;
}>;

/**
 * Behind a prefix, `Location` and `Link` lead to where the client sees the registry. Routes name the paths that the registry has: this is
 * the one place that knows of prefixes, so that no route can forget them. They stay relative: scheme, host and port are the client's business.
 */
export const servePrefixed = (app: FastifyInstance, { publicUrl, trusts }: Behind): void => {
  const configured = prefixIn(publicUrl);
  app.decorateRequest('pathPrefix', {
    getter() {
      if (publicUrl !== undefined) return configured;
      return trusts?.(this.raw.socket?.remoteAddress) ? forwardedPrefix(this) : '';
    },
  });
  if (configured === '' && trusts === undefined) return;
  app.addHook('onSend', (request, reply, payload, done) => {
    const { pathPrefix } = request;
    for (const name of pathPrefix === '' ? [] : ['location', 'link']) {
      const seen = seenBehind(pathPrefix, reply.getHeader(name));
      if (seen !== undefined) reply.header(name, seen);
    }
    done(null, payload);
  });
};
