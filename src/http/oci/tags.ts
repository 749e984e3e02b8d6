import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { tagKey, tags, tagsIn } from '../../projections/tags.ts';
import type { HttpDeps } from '../deps.ts';
import { repositoryOf } from '../permit.ts';
import { resource } from '../resource.ts';
import { TAGS } from './descriptions.ts';
import { nextPage, type PageQuery, pageOf } from './paging.ts';

type Request = FastifyRequest<{ Params: { name: string }; Querystring: PageQuery }>;

/** `GET /v2/<name>/tags/list`: in byte order, a page at a time. */
export const tagRoutes = (app: FastifyInstance, { views }: HttpDeps): void => {
  const list = async (request: Request, reply: FastifyReply) => {
    const { limit, last } = pageOf(request.query);
    const { repositoryId, name } = repositoryOf(request);
    if (limit === 0) return { name, tags: [] };
    const where = tagsIn(repositoryId);
    const page = await views.find(tags, { where, limit, ...(last !== undefined && { after: [tagKey(repositoryId, last)] }) });
    const names = page.items.map(({ value }) => value.name);
    if (page.more) reply.header('link', nextPage(`/v2/${name}/tags/list`, limit, names.at(-1) ?? ''));
    return { name, tags: names };
  };

  resource(app, '/:name/tags/list', { GET: { action: 'pull', handler: list, says: TAGS } });
};
