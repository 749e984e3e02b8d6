import type { FastifyInstance } from 'fastify';
import { RegistryError } from '../errors.ts';

/** Names and values by turns, as they came. Lengths are compared first: hardly any other header has a name of four letters. */
const hasSecondHost = (lines: readonly string[]): boolean => {
  let hosts = 0;
  for (let at = 0; at < lines.length; at += 2) {
    const name = lines[at] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts > 1;
};

/**
 * Refuses requests with more than one `Host` line (RFC 9112, section 3.2). Node takes the first and drops the others; a proxy may have
 * gone by another. Node itself refuses those without any.
 */
export const refuseSecondHosts = (app: FastifyInstance): void => {
  app.addHook('onRequest', (request, _reply, done) => {
    if (!hasSecondHost(request.raw.rawHeaders)) done();
    else done(new RegistryError('REQUEST_INVALID', 'A request has one Host header.'));
  });
};
