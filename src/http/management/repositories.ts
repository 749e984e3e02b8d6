import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LONGEST_DESCRIPTION, type Visibility } from '../../events/repository.ts';
import { MOST_TAG_RULES, parseTagRules } from '../../oci/tagRules.ts';
import { catalog } from '../../projections/catalog.ts';
import { repositories } from '../../projections/repositories.ts';
import { change } from '../change.ts';
import { deleteRepository } from '../deleteRepository.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { sendJson } from '../jsonStream.ts';
import { goneForReaders } from '../ownWrites.ts';
import { type PartQuery, partOf } from '../part.ts';
import { repositoryOf } from '../permit.ts';
import { isUpToDate } from '../reported.ts';
import { answer, object } from '../schemas.ts';
import { memberNamed } from './names.ts';
import { PAGE_PARAMETERS, type PageQuery, pageAnswer, pageOf, pageSchema } from './page.ts';
import { REPOSITORY, REPOSITORY_FIELDS, type Shown, shownOf, VISIBILITY } from './repositoriesShown.ts';
import { pageOfTags, TAG, TAG_PARAMETERS, tagsShown } from './repositoriesTags.ts';
import { permitHere } from './route.ts';

type Named = { Params: { name: string } };
type Rules = Named & { Body: { rules: readonly string[] } };
type Changes = Readonly<{ description?: string; visibility?: Visibility; owner?: string }>;

const TAGS = ['Repositories'] as const;
export const NAME_IN_PATH = {
  type: 'object',
  properties: { name: { type: 'string', description: 'The name of the repository, slashes and all.', example: 'team/app' } },
} as const;
const DETAILS = answer({ ...REPOSITORY_FIELDS, tags: { type: 'array', items: TAG, description: 'By name.' } });
const CHANGES = object({
  description: { type: 'string', maxLength: LONGEST_DESCRIPTION },
  visibility: VISIBILITY,
  owner: { type: 'string', description: 'A username. Only the owner and administrators may give a repository away.' },
});
const RULES = {
  type: 'object',
  properties: {
    rules: {
      type: 'array',
      items: { type: 'string' },
      description: `At most ${MOST_TAG_RULES}: whole tags in which \`*\` stands for any characters, or none.`,
      example: ['v*'],
    },
  },
  required: ['rules'],
  additionalProperties: false,
} as const;

/** `/api/v1/repositories/`, each repository by its name, and what stands behind its `/-/`. */
export const repositoryRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const { views } = deps;

  /** Where it ends in this very moment it is not found. */
  const shownOne = async (request: FastifyRequest<Named>): Promise<Shown | undefined> => {
    const current = await isUpToDate(deps);
    request.repository = await views.get(repositories, repositoryOf(request).name);
    const [one] = await shownOf(deps, [repositoryOf(request)], current);
    return one;
  };

  const show = async (request: FastifyRequest<Named & { Querystring: PartQuery }>, reply: FastifyReply) => {
    const part = partOf(request.query);
    const repository = repositoryOf(request);
    const [one] = await shownOf(deps, [repository], await isUpToDate(deps));
    return sendJson(request, reply, { ...one, tags: tagsShown(views, repository.repositoryId, part) });
  };

  const listTags = async (request: FastifyRequest<Named & { Querystring: PageQuery }>) => {
    const page = pageOf(request.query);
    const repository = repositoryOf(request);
    const [found, entry] = await Promise.all([
      pageOfTags(views, repository.repositoryId, page),
      views.get(catalog, repository.name),
    ]);
    const total = entry?.repositoryId === repository.repositoryId ? entry.tags : 0;
    return pageAnswer('tags', found, total, page);
  };

  // Answered once no reader sees the old state: what was made private must be so by then.
  const describe = async (request: FastifyRequest<Named & { Body: Changes }>) => {
    const { name } = repositoryOf(request);
    const { owner, ...changes } = request.body;
    if (owner !== undefined) await permitHere(deps, request, 'transfer');
    const ownerId = owner === undefined ? {} : { ownerId: (await memberNamed(deps, owner, 'owner')).userId };
    const command = { type: 'DescribeRepository', repository: name, ...changes, ...ownerId } as const;
    await goneForReaders(deps, await change(deps, request, command));
    return shownOne(request);
  };

  const remove = async (request: FastifyRequest<Named>, reply: FastifyReply) => {
    const { name } = repositoryOf(request);
    if (!deps.settings.deletes) reply.header('allow', '');
    await deleteRepository(deps, request, name);
    return reply.code(204).send();
  };

  const rules = async (request: FastifyRequest<Named>) => ({ rules: repositoryOf(request).immutableTags });

  const setRules = async (request: FastifyRequest<Rules>) => {
    const { name } = repositoryOf(request);
    const wanted = parseTagRules(request.body.rules);
    await goneForReaders(deps, await change(deps, request, { type: 'SetImmutabilityRules', repository: name, rules: wanted }));
    return { rules: wanted };
  };

  const changing = {
    action: 'configure',
    schema: {
      summary: 'Changes what is given of a repository, all of it or nothing.',
      tags: TAGS,
      params: NAME_IN_PATH,
      body: CHANGES,
      response: { 200: REPOSITORY },
    },
    handler: describe,
  } as const;

  described(app, '/repositories/:name', {
    GET: {
      action: 'pull',
      schema: {
        summary: 'Shows a repository with its tags.',
        tags: TAGS,
        params: NAME_IN_PATH,
        querystring: { type: 'object', properties: TAG_PARAMETERS },
        response: { 200: DETAILS },
      },
      handler: show,
    },
    PUT: changing,
    PATCH: changing,
    DELETE: {
      action: 'delete',
      schema: {
        summary: 'Deletes a repository with everything in it.',
        tags: TAGS,
        params: NAME_IN_PATH,
        response: { 204: { type: 'null' } },
      },
      handler: remove,
    },
  });
  described(app, '/repositories/:name/-/tags', {
    GET: {
      action: 'pull',
      schema: {
        summary: 'Lists the tags of a repository by name.',
        tags: TAGS,
        params: NAME_IN_PATH,
        querystring: { type: 'object', properties: PAGE_PARAMETERS },
        response: { 200: pageSchema(TAG, 'tags') },
      },
      handler: listTags,
    },
  });
  described(app, '/repositories/:name/-/immutability', {
    GET: {
      action: 'inspect',
      schema: {
        summary: 'The rules by which tags stay where they are.',
        tags: TAGS,
        params: NAME_IN_PATH,
        response: { 200: RULES },
      },
      handler: rules,
    },
    PUT: {
      action: 'configure',
      schema: {
        summary: 'Sets the rules by which tags stay where they are, once they exist. None: all may move.',
        tags: TAGS,
        params: NAME_IN_PATH,
        body: RULES,
        response: { 200: RULES },
      },
      handler: setRules,
    },
  });
};
