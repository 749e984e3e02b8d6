import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RegistryError } from '../errors.ts';
import type { HttpDeps } from './deps.ts';
import { hostOf, isLoopbackHost } from './hosts.ts';

/** An address as it stands in a `Host` header: what was connected to, which no name can pretend to be. */
const addressed = ({ socket }: FastifyRequest): string | undefined => {
  const address = socket.localAddress?.replace(/^::ffff:(?=\d+\.)/i, '');
  return address === undefined ? undefined : hostOf(address.includes(':') ? `[${address.replace(/%.*$/, '')}]` : address);
};

/**
 * Where everybody may do everything, a page of any site could: its author need only point a name of his at this address (DNS rebinding), and
 * the browser takes the registry for a part of that page. So such a registry goes by no name that is not known to be its own.
 */
export const refuseUnknownHosts = (
  app: FastifyInstance,
  { publicUrl, allowedHosts }: Pick<HttpDeps['settings'], 'publicUrl' | 'allowedHosts'>,
): void => {
  const known = new Set(allowedHosts.map((host) => host.toLowerCase()));
  if (publicUrl !== undefined) known.add(new URL(publicUrl).hostname);

  app.addHook('onRequest', (request, _reply, done) => {
    // What a proxy forwards, and what it was asked itself: a page could send the former, where browsers come from trusted addresses.
    const hosts = [request.host, request.headers.host ?? ''].map(hostOf);
    const isOurs = (host: string | undefined): boolean =>
      host !== undefined && (isLoopbackHost(host) || known.has(host) || host === addressed(request));
    if (hosts.every(isOurs)) return done();
    const message = 'A registry without authentication answers to names only that it knows (GHOSTDOCK_ALLOWED_HOSTS).';
    done(new RegistryError('MISDIRECTED', message, { host: request.host.slice(0, 300) }));
  });
};
