import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HttpDeps } from './deps.ts';
import { resource } from './resource.ts';

/**
 * Open to all: load balancers and monitors have no login. `GET /health` looks at everything that the registry needs, 503 only when it is
 * of no use. `GET /health/live` looks at nothing: this process takes requests. Load balancers ask that one, because what ails the log or
 * the views ails every node alike, and nodes answer requests with 503 and `Retry-After` then, or serve what they still can.
 */
export const healthRoutes = (app: FastifyInstance, { health }: HttpDeps): void => {
  resource(app, '/health', {
    GET: {
      action: 'open',
      handler: async (_request: FastifyRequest, reply: FastifyReply) => {
        const { problems, ...state } = await health();
        reply.code(state.status === 'unhealthy' ? 503 : 200).header('cache-control', 'no-store');
        return problems.length === 0 ? state : { ...state, problems };
      },
    },
  });
  resource(app, '/health/live', {
    GET: {
      action: 'open',
      handler: async (_request: FastifyRequest, reply: FastifyReply) => {
        reply.header('cache-control', 'no-store');
        return { status: 'alive' };
      },
    },
  });
};
