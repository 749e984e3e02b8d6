import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HttpDeps } from '../deps.ts';
import { pageOfReadable, readableOf } from '../readable.ts';
import { resource } from '../resource.ts';
import { CATALOG } from './descriptions.ts';
import { nextPage, type PageQuery, pageOf } from './paging.ts';

type Request = FastifyRequest<{ Querystring: PageQuery }>;

/** `GET /v2/_catalog`: the names of what the caller may read, in byte order, a page at a time. */
export const catalogRoutes = (app: FastifyInstance, { views }: HttpDeps): void => {
  const list = async (request: Request, reply: FastifyReply) => {
    const { limit, last = '' } = pageOf(request.query);
    if (limit === 0) return { repositories: [] };
    const page = await pageOfReadable(views, await readableOf(views, request.caller), { after: last, limit });
    const repositories = page.items.map(({ name }) => name);
    if (page.more) reply.header('link', nextPage('/v2/_catalog', limit, repositories.at(-1) ?? ''));
    return { repositories };
  };

  resource(app, '/_catalog', { GET: { action: 'catalog', handler: list, says: CATALOG } });
};
