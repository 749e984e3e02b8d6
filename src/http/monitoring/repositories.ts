import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RegistryError } from '../../errors.ts';
import { parseName } from '../../oci/names.ts';
import { type CatalogEntry, catalog } from '../../projections/catalog.ts';
import { repositoryList } from '../../projections/repositoryList.ts';
import { pagesOf } from '../../projections/views/pages.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { sendJson } from '../jsonStream.ts';
import { counting, eachOf, firstOf, PART_PARAMETERS, type PartQuery, pageSizeFor, partOf } from '../part.ts';
import { upToDate } from '../reported.ts';
import { answer, TEXT } from '../schemas.ts';
import { answers, BYTES, COUNT, DIGEST, ERROR, partAnswers, TIMESTAMP } from './schemas.ts';
import { tagsWithManifests } from './tags.ts';

const TAGS = ['Monitoring'] as const;

const LIST = answer({
  repositories: {
    type: 'array',
    items: answer({ name: TEXT, lastUploaded: { ...TIMESTAMP, description: 'When something was last pushed to it.' } }),
    description: 'What was pushed to last comes first, and equal times by name.',
  },
});
const DETAILS = answer({
  name: TEXT,
  tagCount: COUNT,
  tags: {
    type: 'array',
    items: answer({
      tag: TEXT,
      hasManifest: { type: 'boolean' },
      digest: { ...DIGEST, type: ['string', 'null'] },
      sizeBytes: { ...BYTES, description: 'Bytes to pull for it, each digest once; its subject is none of it.' },
    }),
  },
  timestamp: TIMESTAMP,
});

/** `/api/registry/repositories` and each repository by its name. */
export const repositoryRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const list = async (request: FastifyRequest<{ Querystring: Pick<PartQuery, 'limit'> }>, reply: FastifyReply) => {
    const { limit } = partOf(request.query);
    await upToDate(deps);
    const query = { where: { listed: true }, sort: ['newestFirst'], limit: pageSizeFor(limit) };
    const found = firstOf(pagesOf(deps.reporting, repositoryList, query), limit);
    const repositories = eachOf(found, ({ value: { name, updatedAt } }) => ({ name, lastUploaded: Date.parse(updatedAt) }));
    return sendJson(request, reply, { repositories });
  };

  const existing = async (name: string): Promise<CatalogEntry> => {
    const entry = await deps.views.get(catalog, parseName(name));
    if (entry?.listed) return entry;
    throw new RegistryError('REPOSITORY_UNKNOWN', `There is no repository ${name}.`, { name });
  };

  const show = async (request: FastifyRequest<{ Params: { name: string } }>, reply: FastifyReply) => {
    const { name, repositoryId } = await existing(request.params.name);
    const { pages, count } = counting(tagsWithManifests(deps.views, repositoryId));
    return sendJson(request, reply, { name, tags: pages, tagCount: count, timestamp: Date.now() });
  };

  described(app, '/registry/repositories', {
    GET: {
      action: 'monitor',
      schema: {
        summary: 'Lists the repositories that hold a manifest, with the time of the last push.',
        tags: TAGS,
        querystring: { type: 'object', properties: { limit: PART_PARAMETERS.properties.limit } },
        response: partAnswers(LIST),
      },
      handler: list,
    },
  });
  described(app, '/registry/repositories/:name', {
    GET: {
      action: 'monitor',
      schema: {
        summary: 'Shows a repository with its tags and what they point at.',
        tags: TAGS,
        params: {
          type: 'object',
          properties: { name: { ...TEXT, description: 'Its slashes as they are, or as `%2F`.', example: 'team/app' } },
        },
        response: answers(DETAILS, { 400: ERROR, 404: ERROR }),
      },
      handler: show,
    },
  });
};
