import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HttpDeps } from './deps.ts';
import { resource } from './resource.ts';

/** `GET /health`, open to all: load balancers and monitors have no login. 503 only when the registry is of no use. */
export const healthRoutes = (app: FastifyInstance, { health }: HttpDeps): void => {
  resource(app, '/health', {
    GET: async (_request: FastifyRequest, reply: FastifyReply) => {
      const { problems, ...state } = await health();
      reply.code(state.status === 'unhealthy' ? 503 : 200).header('cache-control', 'no-store');
      return problems.length === 0 ? state : { ...state, problems };
    },
  });
};
