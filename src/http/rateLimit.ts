import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RegistryError } from '../errors.ts';
import { addressKey } from '../limits/address.ts';
import type { RequestLimit, Standing } from '../limits/requests.ts';
import type { HttpDeps } from './deps.ts';

/** Whose requests are counted together: those of a user, whatever they are sent with, or of an address without a login. */
const whoOf = ({ caller, ip }: FastifyRequest): string => {
  if (caller.kind === 'user') return `user-${caller.userId}`;
  return caller.kind === 'workload' ? `robot-${caller.id}` : `address-${addressKey(ip)}`;
};

const refuseOver = ({ limit, retryAfter }: Standing): void => {
  if (retryAfter === undefined) return;
  throw new RegistryError('TOO_MANY_REQUESTS', `Too many requests. Try again in ${retryAfter} seconds.`, { limit, retryAfter });
};

/** Counts every request of a surface, and says in each answer how many are left. After `identify`. */
export const limitRequests = (app: FastifyInstance, limit: RequestLimit | undefined): void => {
  if (limit === undefined) return;
  app.addHook('onRequest', async (request, reply) => {
    const standing = await limit(whoOf(request));
    reply.headers({
      'x-ratelimit-limit': standing.limit,
      'x-ratelimit-remaining': standing.remaining,
      // Epoch seconds, not before the window is over.
      'x-ratelimit-reset': Math.ceil((Date.now() + standing.endsInMs) / 1000),
    });
    refuseOver(standing);
  });
};

const HOUR = 3600;

/** Counts a pull of a manifest, where those are limited, and says how many are left as Docker Hub says it. */
export const countPull = (
  limits: HttpDeps['limits'],
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> | undefined => {
  const limit = request.caller.kind === 'anonymous' ? limits.anonymousPulls : limits.pulls;
  return limit === undefined ? undefined : count(limit, request, reply);
};

const count = async (limit: RequestLimit, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
  const standing = await limit(whoOf(request));
  reply.headers({
    'ratelimit-limit': `${standing.limit};w=${HOUR}`,
    'ratelimit-remaining': `${standing.remaining};w=${HOUR}`,
  });
  refuseOver(standing);
};
