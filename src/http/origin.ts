import type { FastifyRequest } from 'fastify';

const HOST = /^[A-Za-z0-9.-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](:\d{1,5})?$/;

/**
 * Where the client reaches the registry: the configured URL, else what its own `Host` header says, or a trusted proxy's
 * `X-Forwarded-Host` and `-Proto` (checked: it is quoted in a header).
 */
export const originOf = (request: FastifyRequest, publicUrl: string | undefined): string => {
  if (publicUrl !== undefined) return publicUrl;
  const host = request.host;
  const origin = `${request.protocol}://${host}`;
  return HOST.test(host) && URL.canParse(origin) ? origin : `${request.protocol}://localhost`;
};
