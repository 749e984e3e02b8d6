import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { teamsDecider } from '../../commands/teams.ts';
import { RegistryError } from '../../errors.ts';
import type { TeamEvents } from '../../events/teams.ts';
import { type Team, teamKey, teams } from '../../projections/teams.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { goneForReaders, seenOrWarned } from '../ownWrites.ts';
import { answer, ID, ID_IN_PATH, NOTHING, object, TEXT, TIME } from '../schemas.ts';
import { commanding } from './commands.ts';
import { memberNamed, namesOfUsers } from './names.ts';
import { findPage, PAGE_PARAMETERS, type PageQuery, pageAnswer, pageOf, pageSchema } from './page.ts';
import { idIn, timeOf } from './route.ts';

type OfOne<Body = unknown> = FastifyRequest<{ Params: { id: string; user: string }; Querystring: PageQuery; Body: Body }>;

const tags = ['Teams'] as const;
const TEAM = answer({ id: ID, name: TEXT, member_count: { type: 'integer', minimum: 0 }, created_at: TIME });
const MEMBER = answer({ id: ID, username: { type: ['string', 'null'] } });
const PAGED = { type: 'object', properties: PAGE_PARAMETERS } as const;

const shown = ({ teamId, name, members, createdAt }: Team) => ({
  id: teamId,
  name,
  member_count: members.length,
  created_at: timeOf(createdAt),
});

/** `/api/v1/teams`: groups of users that are granted access together. Who is in them is for administrators, and for auditors to read. */
export const teamRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const { views } = deps;

  const change = commanding(deps, 'teams', teamsDecider, 'teamId');

  /** @throws RegistryError `NOT_FOUND` */
  const teamOf = async ({ params }: OfOne): Promise<Team> => {
    const teamId = idIn(params.id);
    const team = await views.get(teams, teamKey(teamId));
    if (team === undefined) throw new RegistryError('NOT_FOUND', `There is no team ${teamId}.`, { teamId });
    return team;
  };

  const list = async ({ query }: FastifyRequest<{ Querystring: PageQuery }>) => {
    const page = pageOf(query);
    const [found, { sums }] = await Promise.all([
      findPage(views, teams, { where: {}, sort: 'teamId' }, page),
      views.totals(teams),
    ]);
    return pageAnswer('teams', found.map(shown), sums.teams ?? 0, page);
  };

  const create = async (request: FastifyRequest<{ Body: { name: string } }>, reply: FastifyReply) => {
    const outcome = await change(request, { type: 'CreateTeam', name: request.body.name });
    await seenOrWarned(deps, outcome, reply);
    const created = outcome.facts[0]?.data as TeamEvents['TeamCreated'];
    const seen = await views.get(teams, teamKey(created.teamId));
    reply.code(201).header('location', `/api/v1/teams/${created.teamId}`);
    return shown(seen ?? { ...created, members: [], createdAt: new Date().toISOString() });
  };

  const remove = async (request: OfOne, reply: FastifyReply) => {
    await goneForReaders(deps, await change(request, { type: 'DeleteTeam', teamId: idIn(request.params.id) }));
    return reply.code(204).send();
  };

  const members = async (request: OfOne) => {
    const page = pageOf(request.query);
    const all = (await teamOf(request)).members;
    const some = all.slice((page.page - 1) * page.limit, page.page * page.limit);
    const names = await namesOfUsers(views, some);
    const items = some.map((id) => ({ id, username: names.get(id) ?? null }));
    return pageAnswer('members', items, all.length, page);
  };

  const addMember = async (request: OfOne<Readonly<{ user: string }>>, reply: FastifyReply) => {
    const teamId = idIn(request.params.id);
    const { userId, username } = await memberNamed(deps, request.body.user);
    const outcome = await change(request, { type: 'AddTeamMember', teamId, userId });
    await seenOrWarned(deps, outcome, reply);
    return reply.code(outcome.facts.length === 0 ? 200 : 201).send({ id: userId, username });
  };

  const removeMember = async (request: OfOne, reply: FastifyReply) => {
    const { id, user } = request.params;
    const command = { type: 'RemoveTeamMember', teamId: idIn(id), userId: idIn(user) } as const;
    await goneForReaders(deps, await change(request, command));
    return reply.code(204).send();
  };

  described(app, '/teams', {
    GET: {
      action: 'readTeams',
      schema: { summary: 'Lists the teams.', tags, querystring: PAGED, response: { 200: pageSchema(TEAM, 'teams') } },
      handler: list,
    },
    POST: {
      action: 'manageAccess',
      schema: {
        summary: 'Creates a team, with nobody in it.',
        tags,
        body: object({ name: TEXT }, 'name'),
        response: { 201: TEAM },
      },
      handler: create,
    },
  });
  described(app, '/teams/:id', {
    GET: {
      action: 'readTeams',
      schema: { summary: 'Shows a team.', tags, params: ID_IN_PATH, response: { 200: TEAM } },
      handler: async (request: OfOne) => shown(await teamOf(request)),
    },
    DELETE: {
      action: 'manageAccess',
      schema: { summary: 'Deletes a team: what was granted to it ends.', tags, params: ID_IN_PATH, response: { 204: NOTHING } },
      handler: remove,
    },
  });
  described(app, '/teams/:id/members', {
    GET: {
      action: 'readAccess',
      schema: {
        summary: 'Lists who is in a team.',
        tags,
        params: ID_IN_PATH,
        querystring: PAGED,
        response: { 200: pageSchema(MEMBER, 'members') },
      },
      handler: members,
    },
    POST: {
      action: 'manageAccess',
      schema: {
        summary: 'Puts a user into a team.',
        tags,
        params: ID_IN_PATH,
        body: object({ user: { type: 'string', description: 'A username.' } }, 'user'),
        response: { 200: MEMBER, 201: MEMBER },
      },
      handler: addMember,
    },
  });
  described(app, '/teams/:id/members/:user', {
    DELETE: {
      action: 'manageAccess',
      schema: {
        summary: 'Takes a user, by id, out of a team.',
        tags,
        params: object({ id: TEXT, user: TEXT }, 'id', 'user'),
        response: { 204: NOTHING },
      },
      handler: removeMember,
    },
  });
};
