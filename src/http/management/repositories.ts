import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LONGEST_DESCRIPTION, type Visibility } from '../../events/repository.ts';
import { MOST_TAG_RULES, parseTagRules } from '../../oci/tagRules.ts';
import { type CatalogEntry, catalog } from '../../projections/catalog.ts';
import { type Repository, repositories } from '../../projections/repositories.ts';
import { change } from '../change.ts';
import { deleteRepository } from '../deleteRepository.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { goneForReaders } from '../ownWrites.ts';
import { repositoryOf } from '../permit.ts';
import { countReadable, pageOfReadable, readableOf } from '../readable.ts';
import { answer, object, TEXT, TIME } from '../schemas.ts';
import { memberNamed, namesOfUsers } from './names.ts';
import { PAGE_PARAMETERS, type PageQuery, pageAnswer, pageOf, pageSchema, walkTo } from './page.ts';
import { permitHere, timeOf } from './route.ts';

type Named = { Params: { name: string } };
type Rules = Named & { Body: { rules: readonly string[] } };
type Changes = Readonly<{ description?: string; visibility?: Visibility; owner?: string }>;
type Answered = Readonly<Record<string, unknown>>;

const TAGS = ['Repositories'] as const;
export const NAME_IN_PATH = {
  type: 'object',
  properties: { name: { type: 'string', description: 'The name of the repository, slashes and all.', example: 'team/app' } },
} as const;
const COUNT = { type: 'integer', minimum: 0 } as const;
const VISIBILITY = { enum: ['private', 'public'] } as const;
const REPOSITORY = answer({
  name: TEXT,
  description: TEXT,
  visibility: VISIBILITY,
  owner: { type: ['string', 'null'], description: 'A username. null: nobody, so that administrators see to it.' },
  created_at: TIME,
  updated_at: { ...TIME, description: 'When a manifest was last pushed to it.' },
  manifest_count: COUNT,
  tag_count: COUNT,
});
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

/** Repositories as they are answered. @param entries what the catalog knows of each */
const shown = async (
  { views }: HttpDeps,
  found: readonly Repository[],
  entries: readonly (CatalogEntry | undefined)[],
): Promise<readonly Answered[]> => {
  const owners = await namesOfUsers(
    views,
    found.flatMap(({ ownerId }) => ownerId ?? []),
  );
  return found.map(({ name, repositoryId, description, visibility, ownerId, createdAt }, index) => {
    const entry = entries[index]?.repositoryId === repositoryId ? entries[index] : undefined;
    return {
      name,
      description,
      visibility,
      owner: ownerId === null ? null : (owners.get(ownerId) ?? null),
      created_at: timeOf(createdAt),
      updated_at: timeOf(entry?.lastPushedAt ?? createdAt),
      manifest_count: entry?.manifests ?? 0,
      tag_count: entry?.tags ?? 0,
    };
  });
};

/** `/api/v1/repositories`, each repository by its name, and what stands behind its `/-/`. */
export const repositoryRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const { views } = deps;

  const shownOne = async (name: string): Promise<Answered> => {
    const [repository, entry] = await Promise.all([views.get(repositories, name), views.get(catalog, name)]);
    const [one] = await shown(deps, repository === undefined ? [] : [repository], [entry]);
    return one ?? {};
  };

  const list = async ({ caller, query }: FastifyRequest<{ Querystring: PageQuery }>) => {
    const page = pageOf(query);
    const readable = await readableOf(views, caller);
    const [entries, total] = await Promise.all([
      walkTo<CatalogEntry>(page, (behind, limit) => pageOfReadable(views, readable, { after: behind?.name ?? '', limit })),
      countReadable(views, readable),
    ]);
    const found = await views.getMany(
      repositories,
      entries.map(({ name }) => name),
    );
    const both = entries.flatMap((entry, index) => {
      const repository = found[index];
      return repository === undefined ? [] : [{ entry, repository }];
    });
    const items = await shown(
      deps,
      both.map(({ repository }) => repository),
      both.map(({ entry }) => entry),
    );
    return pageAnswer('repositories', items, total, page);
  };

  const show = async (request: FastifyRequest<Named>) => shownOne(repositoryOf(request).name);

  // Answered once no reader sees the old state: what was made private must be so by then.
  const describe = async (request: FastifyRequest<Named & { Body: Changes }>) => {
    const { name } = repositoryOf(request);
    const { owner, ...changes } = request.body;
    if (owner !== undefined) await permitHere(deps, request, 'transfer');
    const ownerId = owner === undefined ? {} : { ownerId: (await memberNamed(deps, owner, 'owner')).userId };
    const command = { type: 'DescribeRepository', repository: name, ...changes, ...ownerId } as const;
    await goneForReaders(deps, await change(deps, request, command));
    return shownOne(name);
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

  described(app, '/repositories', {
    GET: {
      action: 'catalog',
      schema: {
        summary: 'Lists the repositories that you may read, as far as they hold a manifest, by name.',
        tags: TAGS,
        querystring: { type: 'object', properties: PAGE_PARAMETERS },
        response: { 200: pageSchema(REPOSITORY, 'repositories') },
      },
      handler: list,
    },
  });
  described(app, '/repositories/:name', {
    GET: {
      action: 'pull',
      schema: { summary: 'Shows a repository.', tags: TAGS, params: NAME_IN_PATH, response: { 200: REPOSITORY } },
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
