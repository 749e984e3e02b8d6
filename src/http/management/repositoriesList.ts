import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { readableOf } from '../readable.ts';
import { isUpToDate, upToDate } from '../reported.ts';
import { object } from '../schemas.ts';
import { DEEPEST, pageAnswer, pageSchema, refuseDeep } from './page.ts';
import { type Found, findRepositories } from './repositoriesPage.ts';
import { type Asked, askedOf, LIST_PARAMETERS, type ListQuery, nextCursor } from './repositoriesQuery.ts';
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

/**
 * Whether the reporting views tell what is found. What the serving ones find alone does without.
 * @throws RegistryError `UNAVAILABLE` where nothing can be found without them, and they are behind
 */
const currentFor = async (deps: HttpDeps, { sort, filter }: Asked): Promise<boolean> => {
  if (sort === 'name' && filter?.text === undefined) return isUpToDate(deps);
  await upToDate(deps);
  return true;
};

/** `GET /api/v1/repositories`: what the caller may read, searched, sorted and filtered. */
export const repositoryListRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const list = async ({ caller, query }: FastifyRequest<{ Querystring: ListQuery }>) => {
    const asked = await askedOf(deps, query);
    const { filter, sort, from, page } = asked;
    if (query.cursor === undefined) refuseDeep(page);
    // What was made private a moment ago is in no list of those who may not read it.
    const current = await currentFor(deps, asked);
    const readable = await readableOf(deps.views, caller);
    const found =
      filter === undefined ? NOTHING : await findRepositories(deps, { readable, sort, filter, from, limit: page.limit });
    return {
      ...pageAnswer('repositories', await shownByLife(deps, found.entries, current), found.total, page),
      total_is_exact: found.exact,
      cursor: nextCursor(deps, asked, found.next),
    };
  };

  described(app, '/repositories', {
    GET: {
      action: 'catalog',
      schema: {
        summary: 'Lists the repositories that you may read, as far as they hold a manifest.',
        description: `Pages go ${DEEPEST} entries deep; a cursor goes on from there, and costs the same however deep it is.`,
        tags: ['Repositories'],
        querystring: { type: 'object', properties: LIST_PARAMETERS },
        response: { 200: LIST },
      },
      handler: list,
    },
  });
};
