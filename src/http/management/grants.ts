import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { grantsDecider } from '../../commands/grants.ts';
import { RegistryError } from '../../errors.ts';
import { type GrantEvents, type GrantSubject, LEVELS, type Level } from '../../events/grants.ts';
import { type Grant, type GrantPlace, grantKey, grantOnKey, grants, grantsByPlace } from '../../projections/grants.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { goneForReaders, seenOrWarned } from '../ownWrites.ts';
import { repositoryOf } from '../permit.ts';
import { answer, ID, ID_IN_PATH, NOTHING, object, TEXT, TIME } from '../schemas.ts';
import { commanding } from './commands.ts';
import { memberNamed, namesOfTeams, namesOfUsers, teamNamed } from './names.ts';
import { findPage, PAGE_PARAMETERS, type PageQuery, pageAnswer, pageOf, pageSchema } from './page.ts';
import { NAME_IN_PATH } from './repositories.ts';
import { idIn, timeOf } from './route.ts';

type NewGrant = Readonly<{ user?: string; team?: string; level: Level }>;
type OnRepository<Body = unknown> = FastifyRequest<{ Params: { name: string; id: string }; Querystring: PageQuery; Body: Body }>;
type OnPrefix = FastifyRequest<{ Body: NewGrant & Readonly<{ scope: string }> }>;

const tags = ['Access'] as const;

const GRANT = answer({
  id: ID,
  scope: { type: 'string', description: 'A repository, or all under a prefix.', example: 'team/*' },
  level: { enum: LEVELS },
  user: { type: ['string', 'null'] },
  user_id: { type: ['integer', 'null'] },
  team: { type: ['string', 'null'] },
  team_id: { type: ['integer', 'null'] },
  created_at: TIME,
});
const WHOSE = {
  user: { type: 'string', description: 'A username. Give this or `team`.' },
  team: { type: 'string', description: "A team's name." },
  level: { enum: LEVELS, description: '`read` pulls, `write` pushes too, `admin` also deletes, configures and grants.' },
} as const;

type Shown = Omit<Grant, 'repositoryId'>;

/** Grants as they are answered: by name and id. */
const shown = async ({ views }: HttpDeps, found: readonly Shown[]): Promise<readonly Readonly<Record<string, unknown>>[]> => {
  const idsOf = (kind: 'user' | 'team') => found.flatMap(({ subject }) => subject[kind] ?? []);
  const [users, teams] = await Promise.all([namesOfUsers(views, idsOf('user')), namesOfTeams(views, idsOf('team'))]);
  return found.map(({ grantId, scope, level, subject: { user, team }, grantedAt }) => ({
    id: grantId,
    scope,
    level,
    user: user === undefined ? null : (users.get(user) ?? null),
    user_id: user ?? null,
    team: team === undefined ? null : (teams.get(team) ?? null),
    team_id: team ?? null,
    created_at: timeOf(grantedAt),
  }));
};

/** `/api/v1/repositories/<name>/-/grants` for those who administer it, and `/api/v1/grants` on prefixes for administrators. */
export const grantRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const { views } = deps;

  const change = commanding(deps, 'grants', grantsDecider, 'grantId');

  /** @throws RegistryError `REQUEST_INVALID`; `NOT_FOUND` for nobody */
  const subjectOf = async ({ user, team }: NewGrant): Promise<GrantSubject> => {
    if (user !== undefined && team === undefined) return { user: (await memberNamed(deps, user)).userId };
    if (team !== undefined && user === undefined) return { team: (await teamNamed(views, team)).teamId };
    throw new RegistryError('REQUEST_INVALID', 'Name a user or a team, one of them.', { field: 'user' });
  };

  const list = async (request: FastifyRequest<{ Querystring: PageQuery }>, where: Readonly<Record<string, string>>) => {
    const page = pageOf(request.query);
    const [found, total] = await Promise.all([
      findPage(views, grants, { where, sort: 'grantId' }, page),
      views.count(grants, where),
    ]);
    return pageAnswer('grants', await shown(deps, found), total, page);
  };

  /** The grant as it is from now on, new or not; a lower level than before takes something away, so that nobody may see the old one. */
  const grant = async (request: FastifyRequest<{ Body: NewGrant }>, reply: FastifyReply, place: GrantPlace) => {
    const { level } = request.body;
    const subject = await subjectOf(request.body);
    const outcome = await change(request, { type: 'GrantAccess', ...place, subject, level });
    if (outcome.facts.length > 1) await goneForReaders(deps, outcome);
    else await seenOrWarned(deps, outcome, reply);
    const granted = outcome.facts.at(-1)?.data as GrantEvents['AccessGranted'] | undefined;
    const found =
      granted === undefined
        ? await views.get(grantsByPlace, grantOnKey(place, subject))
        : ((await views.get(grants, grantKey(granted.grantId))) ?? { ...granted, grantedAt: new Date().toISOString() });
    const [answered] = await shown(deps, found === undefined ? [] : [found]);
    return reply.code(granted === undefined ? 200 : 201).send(answered ?? {});
  };

  const revoke = async (
    request: FastifyRequest<{ Params: { id: string } }>,
    reply: FastifyReply,
    place: 'prefix' | GrantPlace,
  ) => {
    const grantId = idIn(request.params.id);
    await goneForReaders(deps, await change(request, { type: 'RevokeAccess', grantId, place }));
    return reply.code(204).send();
  };

  const placeOf = (request: OnRepository): Required<GrantPlace> => {
    const { name, repositoryId } = repositoryOf(request);
    return { scope: name, repositoryId };
  };

  described(app, '/repositories/:name/-/grants', {
    GET: {
      action: 'inspect',
      schema: {
        summary: 'Lists who has access to a repository by a grant on it. Grants on prefixes are not among them.',
        tags,
        params: NAME_IN_PATH,
        querystring: { type: 'object', properties: PAGE_PARAMETERS },
        response: { 200: pageSchema(GRANT, 'grants') },
      },
      handler: (request: OnRepository) => list(request, placeOf(request)),
    },
    POST: {
      action: 'configure',
      schema: {
        summary: 'Grants a user or a team access to a repository, in the place of what they were granted on it before.',
        tags,
        params: NAME_IN_PATH,
        body: object(WHOSE, 'level'),
        response: { 200: GRANT, 201: GRANT },
      },
      handler: (request: OnRepository<NewGrant>, reply: FastifyReply) => grant(request, reply, placeOf(request)),
    },
  });
  described(app, '/repositories/:name/-/grants/:id', {
    DELETE: {
      action: 'configure',
      schema: {
        summary: 'Revokes a grant on a repository.',
        tags,
        params: object({ name: TEXT, id: TEXT }, 'name', 'id'),
        response: { 204: NOTHING },
      },
      handler: (request: OnRepository, reply: FastifyReply) => revoke(request, reply, placeOf(request)),
    },
  });

  described(app, '/grants', {
    GET: {
      action: 'readAccess',
      schema: {
        summary: 'Lists the grants on prefixes.',
        tags,
        querystring: { type: 'object', properties: PAGE_PARAMETERS },
        response: { 200: pageSchema(GRANT, 'grants') },
      },
      handler: (request: FastifyRequest<{ Querystring: PageQuery }>) => list(request, { kind: 'prefix' }),
    },
    POST: {
      action: 'manageAccess',
      schema: {
        summary: 'Grants a user or a team access to all repositories under a prefix, those to come too.',
        tags,
        body: object(
          { scope: { type: 'string', description: 'A prefix and `/*`.', example: 'team/*' }, ...WHOSE },
          'scope',
          'level',
        ),
        response: { 200: GRANT, 201: GRANT },
      },
      handler: (request: OnPrefix, reply: FastifyReply) => grant(request, reply, { scope: request.body.scope }),
    },
  });
  described(app, '/grants/:id', {
    DELETE: {
      action: 'manageAccess',
      schema: { summary: 'Revokes a grant on a prefix.', tags, params: ID_IN_PATH, response: { 204: NOTHING } },
      handler: (request: FastifyRequest<{ Params: { id: string } }>, reply: FastifyReply) => revoke(request, reply, 'prefix'),
    },
  });
};
