import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { readableOf } from '../readable.ts';
import { upToDate } from '../reported.ts';
import { object } from '../schemas.ts';
import { pageAnswer, pageSchema } from './page.ts';
import { type Found, findRepositories } from './repositoriesPage.ts';
import { askedOf, LIST_PARAMETERS, type ListQuery, nextCursor } from './repositoriesQuery.ts';
import { REPOSITORY, shownByLife } from './repositoriesShown.ts';

const { properties, required } = pageSchema(REPOSITORY, 'repositories') as Readonly<{
  properties: Readonly<Record<string, object>>;
  required: readonly string[];
}>;
const LIST = object(
  {
    ...properties,
    total_is_exact: {
      type: 'boolean',
      description: '`false`: there are at least as many. It is not worth looking at all of them to know.',
    },
    cursor: {
      type: ['string', 'null'],
      description:
        'The `cursor` of the next page; null: this is the last one. A page may be short, or empty, and yet not be the last.',
    },
  },
  ...required,
  'total_is_exact',
  'cursor',
);

const NOTHING: Found = { entries: [], total: 0, exact: true };

/** `GET /api/v1/repositories`: what the caller may read, searched, sorted and filtered. */
export const repositoryListRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const list = async ({ caller, query }: FastifyRequest<{ Querystring: ListQuery }>) => {
    const asked = await askedOf(deps, query);
    const { filter, sort, from, page } = asked;
    // What was made private a moment ago is in no list of those who may not read it.
    await upToDate(deps);
    const readable = await readableOf(deps.views, caller);
    const found =
      filter === undefined ? NOTHING : await findRepositories(deps, { readable, sort, filter, from, limit: page.limit });
    return {
      ...pageAnswer('repositories', await shownByLife(deps, found.entries), found.total, page),
      total_is_exact: found.exact,
      cursor: nextCursor(deps, asked, found.next),
    };
  };

  described(app, '/repositories', {
    GET: {
      action: 'catalog',
      schema: {
        summary: 'Lists the repositories that you may read, as far as they hold a manifest.',
        tags: ['Repositories'],
        querystring: { type: 'object', properties: LIST_PARAMETERS },
        response: { 200: LIST },
      },
      handler: list,
    },
  });
};
