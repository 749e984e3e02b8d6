import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Readable, readableNames } from '../../identity/authorize.ts';
import { catalog } from '../../projections/catalog.ts';
import type { Where } from '../../projections/views/views.ts';
import type { HttpDeps } from '../deps.ts';
import { resource } from '../resource.ts';
import { permitRegistry } from './guard.ts';
import { nextPage, type PageQuery, pageOf } from './paging.ts';

type Request = FastifyRequest<{ Querystring: PageQuery }>;

/**
 * A range of names, so that a page is one scan. Repositories are private until they can be made public, and nobody owns one outside
 * of the own namespace but administrators, so the namespace is all that others may read.
 */
const rangeOf = (readable: Readable): Where | undefined => {
  if (readable === 'all') return {};
  return readable === 'none' || readable.prefix === undefined ? undefined : { key: { $prefix: readable.prefix } };
};

/** `GET /v2/_catalog`: the names of what the caller may read, in byte order, a page at a time. */
export const catalogRoutes = (app: FastifyInstance, { views }: HttpDeps): void => {
  const list = async (request: Request, reply: FastifyReply) => {
    const { limit, last } = pageOf(request.query);
    permitRegistry(request.caller, 'catalog');
    const readable = readableNames(request.caller);
    const where = rangeOf(readable);
    if (limit === 0 || where === undefined) return { repositories: [] };
    const page = await views.find(catalog, { where, limit, ...(last !== undefined && { after: [last] }) });
    const repositories = page.items.map(({ key }) => key);
    if (page.more) reply.header('link', nextPage('/v2/_catalog', limit, repositories.at(-1) ?? ''));
    return { repositories };
  };

  resource(app, '/_catalog', { GET: list });
};
