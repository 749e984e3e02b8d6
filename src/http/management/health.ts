import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { isRefusal } from '../../errors.ts';
import { authorize, REGISTRY } from '../../identity/authorize.ts';
import type { Caller } from '../../identity/caller.ts';
import { withSessions } from '../cookies.ts';
import type { Health, HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { inTime, patiently } from '../inTime.ts';
import { CHALLENGING } from '../managementErrors.ts';
import { refuse } from '../refusal.ts';
import { answer, object, TEXT } from '../schemas.ts';
import { type Totals, totalsNow } from '../totals.ts';

/** How long this waits to learn who asks, and for the numbers, in ms. */
const PATIENCE_MS = 2000;

const STATE = { enum: ['healthy', 'degraded', 'unhealthy'] } as const;
const COUNT = { type: 'integer', minimum: 0 } as const;

const HEALTH = object(
  {
    status: { ...STATE, description: 'degraded: somebody should see to something; unhealthy: of no use.' },
    version: TEXT,
    services: answer({ database: STATE, storage: STATE, auth: STATE }),
    metrics: {
      ...answer({
        repositories: COUNT,
        images: COUNT,
        users: COUNT,
        storage_used: { ...TEXT, description: 'In powers of 1024.', example: '2.5GB' },
      }),
      description: 'For callers who may monitor, which administrators and auditors may, and where it can be told.',
    },
  },
  ...['status', 'version', 'services'],
);

const REFUSED = {
  ...answer({ error: answer({ code: TEXT, message: TEXT, details: { type: 'object' } }) }),
  description: 'Credentials came with it that are none, or from where there were too many such.',
};

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const;

/** In the largest unit of which there is at least one, a power of 1024, with one digit behind the point unless that is 0. */
export const sizeInUnits = (bytes: number): string => {
  let [amount, unit] = [bytes, 0];
  // What rounds up to 1024 of a unit is one of the next.
  while (amount >= 1023.95 && unit < UNITS.length - 1) [amount, unit] = [amount / 1024, unit + 1];
  return `${Number(amount.toFixed(1))}${UNITS[unit]}`;
};

const numbersOf = ({ summary, users }: Totals) => ({
  repositories: summary.repositories,
  images: summary.totalManifests,
  users,
  storage_used: sizeInUnits(summary.uniqueBytes),
});

const bodyOf = ({ status, version, database, storage, auth }: Health, totals: Totals | undefined) => ({
  status,
  version,
  services: { database, storage, auth },
  ...(totals !== undefined && { metrics: numbersOf(totals) }),
});

const healthRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const authenticate = withSessions(deps);
  const numbers = patiently(PATIENCE_MS, () => totalsNow(deps));

  /** Whose login cannot be checked is answered as one who has none. @throws RegistryError `UNAUTHENTICATED` | `TOO_MANY_REQUESTS` */
  const callerOf = async (request: FastifyRequest): Promise<Caller> => {
    try {
      return await inTime(PATIENCE_MS, Promise.resolve(authenticate(request.headers.authorization, request)));
    } catch (error) {
      if (isRefusal(error, 'UNAUTHENTICATED') || isRefusal(error, 'TOO_MANY_REQUESTS')) throw error;
      return { kind: 'anonymous' };
    }
  };

  const show = async (request: FastifyRequest, reply: FastifyReply) => {
    reply.header('cache-control', 'no-store');
    const { allowed } = authorize(await callerOf(request), 'monitor', REGISTRY);
    const [health, totals] = await Promise.all([deps.health(), allowed ? numbers().catch(() => undefined) : undefined]);
    reply.code(health.status === 'unhealthy' ? 503 : 200);
    return bodyOf(health, totals);
  };

  described(app, '/health', {
    GET: {
      action: 'open',
      schema: {
        summary: 'Shows whether the registry is of use, and to those who may monitor what it holds.',
        tags: ['System'],
        response: { 200: HEALTH, 401: REFUSED, 429: REFUSED, 503: HEALTH },
      },
      handler: show,
    },
  });
};

/**
 * `GET /api/v1/health`, open without a login. It stands in a context of its own, beside what tells callers apart and limits them: a registry
 * that cannot look anybody up says how it is all the same, and monitors may ask as often as they like.
 */
export const openHealth =
  (deps: HttpDeps): FastifyPluginAsync =>
  async (app) => {
    app.setErrorHandler((error, request, reply) => refuse(error, request, reply, CHALLENGING));
    healthRoutes(app, deps);
  };
