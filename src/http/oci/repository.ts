import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { deleteRepository } from '../deleteRepository.ts';
import type { HttpDeps } from '../deps.ts';
import { repositoryOf } from '../permit.ts';
import { resource } from '../resource.ts';
import { DELETE_REPOSITORY } from './descriptions.ts';

/** `DELETE /v2/<name>`, an extension: the repository with everything in it. */
export const repositoryRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const remove = async (request: FastifyRequest, reply: FastifyReply) => {
    const { name } = repositoryOf(request);
    const manifestsDeleted = await deleteRepository(deps, request, name);
    return reply.code(202).send({ message: 'Repository deleted', manifestsDeleted });
  };

  resource(app, '/:name', { DELETE: { action: 'delete', handler: remove, says: DELETE_REPOSITORY } });
};
