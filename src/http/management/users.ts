import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ChangeUser } from '../../commands/users.ts';
import type { Role, UserEvents } from '../../events/users.ts';
import { checkPassword, randomPassword } from '../../identity/passwords.ts';
import { users } from '../../projections/users.ts';
import { contextOf } from '../context.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { refuseBegunNamespace } from '../namespace.ts';
import { goneForReaders, seenOrWarned } from '../ownWrites.ts';
import { answer, ID_IN_PATH, NOTHING, object, TEXT } from '../schemas.ts';
import { logFacts } from './commands.ts';
import { findPage, PAGE_PARAMETERS, type PageQuery, pageAnswer, pageOf, pageSchema } from './page.ts';
import { idIn } from './route.ts';
import {
  changeUsers,
  EMAIL,
  existingUser,
  newUserAnswered,
  PASSWORD,
  ROLES,
  USER,
  userAnswered,
  usersAnswered,
} from './userAnswers.ts';

type OfOne<Body = unknown> = FastifyRequest<{ Params: { id: string }; Body: Body }>;
type NewUser = Readonly<{ username: string; email?: string | null; password?: string; role?: Role }>;
type Changes = Omit<ChangeUser, 'type' | 'userId'>;

const tags = ['Users'] as const;
const CHANGES = object({ email: EMAIL, role: { enum: ROLES }, suspended: { type: 'boolean' } });

/** `/api/v1/users`: everybody's accounts, for administrators; auditors may read them. */
export const userRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const list = async ({ query }: FastifyRequest<{ Querystring: PageQuery }>) => {
    const page = pageOf(query);
    const [found, { sums }] = await Promise.all([
      findPage(deps.views, users, { where: { deleted: false }, sort: 'userId' }, page),
      deps.views.totals(users),
    ]);
    return pageAnswer('users', await usersAnswered(deps, found), sums.users ?? 0, page);
  };

  const create = async (request: FastifyRequest<{ Body: NewUser }>, reply: FastifyReply) => {
    const { username, email = null, role = 'user' } = request.body;
    // A robot logs in with access tokens; nobody needs to know its password.
    const password = request.body.password ?? (role === 'robot' ? randomPassword() : '');
    checkPassword(password, { username, email });
    await refuseBegunNamespace(deps, username);
    const passwordHash = await deps.passwords.hash(password);
    const fingerprint = deps.fingerprints.username(username);
    const command = { type: 'RegisterUser', username, fingerprint, email, role, passwordHash } as const;
    const outcome = await changeUsers(deps, request, command);
    await seenOrWarned(deps, outcome, reply);
    const registered = outcome.facts[0]?.data as UserEvents['UserRegistered'];
    reply.code(201).header('location', `/api/v1/users/${registered.userId}`);
    return newUserAnswered(deps, registered);
  };

  const show = async ({ params }: OfOne) => userAnswered(deps, idIn(params.id));

  // Answered once no reader sees the old state: whoever is suspended or demoted must have lost his rights by then.
  const change = async (request: OfOne<Changes>) => {
    const userId = idIn(request.params.id);
    await goneForReaders(deps, await changeUsers(deps, request, { type: 'ChangeUser', userId, ...request.body }));
    return userAnswered(deps, userId);
  };

  const remove = async (request: OfOne, reply: FastifyReply) => {
    const userId = idIn(request.params.id);
    await goneForReaders(deps, await changeUsers(deps, request, { type: 'DeleteUser', userId }));
    return reply.code(204).send();
  };

  const erase = async (request: OfOne, reply: FastifyReply) => {
    const { facts } = await deps.erasePerson(idIn(request.params.id), contextOf(request));
    logFacts(request, facts, 'userId');
    return reply.code(204).send();
  };

  const resetPassword = async (request: OfOne<Readonly<{ password?: string }>>, reply: FastifyReply) => {
    const user = await existingUser(deps, idIn(request.params.id));
    const { password = randomPassword() } = request.body;
    checkPassword(password, user);
    const passwordHash = await deps.passwords.hash(password);
    const command = { type: 'ChangePassword', userId: user.userId, passwordHash } as const;
    await goneForReaders(deps, await changeUsers(deps, request, command));
    return request.body.password === undefined ? { password } : reply.code(204).send();
  };

  described(app, '/users', {
    GET: {
      action: 'readUsers',
      schema: {
        summary: 'Lists the users, in the order in which they came.',
        tags,
        querystring: { type: 'object', properties: PAGE_PARAMETERS },
        response: { 200: pageSchema(USER, 'users') },
      },
      handler: list,
    },
    POST: {
      action: 'manageUsers',
      schema: {
        summary: 'Creates a user. A robot may do without a password.',
        tags,
        body: object({ username: TEXT, email: EMAIL, password: PASSWORD, role: { enum: ROLES } }, 'username'),
        response: { 201: USER },
      },
      handler: create,
    },
  });

  const changing = {
    action: 'manageUsers',
    schema: {
      summary: 'Changes what is given of a user, all of it or nothing. Suspension and another role end all logins.',
      tags,
      params: ID_IN_PATH,
      body: CHANGES,
      response: { 200: USER },
    },
    handler: change,
  } as const;

  described(app, '/users/:id', {
    GET: {
      action: 'readUsers',
      schema: { summary: 'Shows a user.', tags, params: ID_IN_PATH, response: { 200: USER } },
      handler: show,
    },
    PUT: changing,
    PATCH: changing,
    DELETE: {
      action: 'manageUsers',
      schema: {
        summary: 'Deletes a user, with all logins and tokens. The repositories stay; the name is not given out again.',
        tags,
        params: ID_IN_PATH,
        response: { 204: NOTHING },
      },
      handler: remove,
    },
  });

  described(app, '/users/:id/personal-data', {
    DELETE: {
      action: 'manageUsers',
      schema: {
        summary:
          'Deletes a user, if there still is one, and erases for good what is known of the person: name, address, tokens, traces.',
        tags,
        params: ID_IN_PATH,
        response: { 204: NOTHING },
      },
      handler: erase,
    },
  });

  described(app, '/users/:id/password', {
    POST: {
      action: 'manageUsers',
      schema: {
        summary: 'Sets a user another password, and ends all logins. Without one a random password is made and told this once.',
        tags,
        params: ID_IN_PATH,
        body: object({ password: PASSWORD }),
        response: { 200: answer({ password: TEXT }), 204: NOTHING },
      },
      handler: resetPassword,
    },
  });
};
