import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HttpDeps } from './deps.ts';
import { resource } from './resource.ts';
import type { RouteDescription } from './routeDescription.ts';
import { answer, object, TEXT } from './schemas.ts';

const STATE = { enum: ['healthy', 'degraded', 'unhealthy'] } as const;

const HEALTH = object(
  {
    status: { ...STATE, description: 'degraded: somebody should see to something; unhealthy: of no use.' },
    version: TEXT,
    uptime: { type: 'integer', minimum: 0, description: 'Seconds.' },
    database: STATE,
    storage: STATE,
    problems: { type: 'array', items: TEXT, description: 'What somebody should see to; absent where there is nothing.' },
  },
  ...['status', 'version', 'uptime', 'database', 'storage'],
);
const tags = ['Health'] as const;
const oneOf = (...states: readonly string[]) => answer({ status: { enum: states } });

const LOOK: RouteDescription = {
  summary: 'Shows whether the registry is of use, and what is wrong with it.',
  tags,
  response: { 200: HEALTH, 503: HEALTH },
};
const LIVE: RouteDescription = {
  summary: 'Answers as long as this process takes requests.',
  tags,
  response: { 200: oneOf('alive') },
};
const READY: RouteDescription = {
  summary: 'Tells whether this process can serve requests.',
  tags,
  response: { 200: oneOf('ready'), 503: oneOf('unready') },
};

/**
 * Open to all: load balancers and monitors have no login. `GET /health` looks at everything that the registry needs, 503 only when it is
 * of no use. `GET /health/live` looks at nothing: this process takes requests. Load balancers ask that one, because what ails the log or
 * the views ails every node alike, and nodes answer requests with 503 and `Retry-After` then, or serve what they still can.
 * `GET /healthz` and `GET /readyz` are the same two questions as Kubernetes and its kin ask them: does this process live, and can it serve?
 * A process that starts or stops takes no connections, or answers 503.
 */
export const healthRoutes = (app: FastifyInstance, { health }: HttpDeps): void => {
  const look = async (_request: FastifyRequest, reply: FastifyReply) => {
    const { problems, auth: _auth, ...state } = await health();
    reply.code(state.status === 'unhealthy' ? 503 : 200).header('cache-control', 'no-store');
    return problems.length === 0 ? state : { ...state, problems };
  };

  const live = async (_request: FastifyRequest, reply: FastifyReply) => {
    reply.header('cache-control', 'no-store');
    return { status: 'alive' };
  };

  const ready = async (_request: FastifyRequest, reply: FastifyReply) => {
    const { status } = await health();
    reply.code(status === 'unhealthy' ? 503 : 200).header('cache-control', 'no-store');
    return { status: status === 'unhealthy' ? 'unready' : 'ready' };
  };

  for (const [url, handler, says] of [
    ['/health', look, LOOK],
    ['/health/live', live, LIVE],
    ['/healthz', live, LIVE],
    ['/readyz', ready, READY],
  ] as const)
    resource(app, url, { GET: { action: 'open', handler, says } });
};
