import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isRefusal, RegistryError } from '../../errors.ts';
import type { Caller } from '../../identity/caller.ts';
import { checkPassword } from '../../identity/passwords.ts';
import type { User } from '../../projections/users.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { goneForReaders } from '../ownWrites.ts';
import { NOTHING, object, TEXT } from '../schemas.ts';
import { changeUsers, EMAIL, existingUser, PASSWORD, USER, userAnswered } from './userAnswers.ts';

type NewPassword = Readonly<{ current_password: string; new_password: string }>;

const tags = ['Profile'] as const;

/** @throws RegistryError `NOT_FOUND` for callers without one: workloads, and everybody where authentication is off */
export const ownUserId = (caller: Caller): number => {
  if (caller.kind === 'user') return caller.userId;
  throw new RegistryError('NOT_FOUND', 'You have no account here.');
};

/** Checked as a login is, so that it can't be guessed here either. An access token logs in too, and is no password. */
const isPasswordOf = async ({ login }: HttpDeps, { userId, username }: User, password: string, request: FastifyRequest) => {
  try {
    const caller = await login(username, password, request);
    return caller.kind === 'user' && caller.userId === userId && caller.token === undefined;
  } catch (error) {
    if (isRefusal(error, 'UNAUTHENTICATED')) return false;
    throw error;
  }
};

/** `/api/v1/users/me`: the caller's own account. */
export const profileRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const show = async ({ caller }: FastifyRequest) => userAnswered(deps, ownUserId(caller));

  const change = async (request: FastifyRequest<{ Body: Readonly<{ email?: string | null }> }>) => {
    const userId = ownUserId(request.caller);
    await goneForReaders(deps, await changeUsers(deps, request, { type: 'ChangeUser', userId, ...request.body }));
    return userAnswered(deps, userId);
  };

  // The current password is asked for again: a login left open must not be enough to keep its owner out.
  const changePassword = async (request: FastifyRequest<{ Body: NewPassword }>, reply: FastifyReply) => {
    const { current_password: current, new_password: password } = request.body;
    const user = await existingUser(deps, ownUserId(request.caller));
    checkPassword(password, user, 'new_password');
    if (!(await isPasswordOf(deps, user, current, request)))
      throw new RegistryError('DENIED', 'This is not your current password.', { field: 'current_password' });
    const passwordHash = await deps.passwords.hash(password);
    const command = { type: 'ChangePassword', userId: user.userId, passwordHash } as const;
    await goneForReaders(deps, await changeUsers(deps, request, command));
    return reply.code(204).send();
  };

  const changing = {
    action: 'manageOwnAccount',
    schema: { summary: 'Changes your e-mail address.', tags, body: object({ email: EMAIL }), response: { 200: USER } },
    handler: change,
  } as const;

  described(app, '/users/me', {
    GET: {
      action: 'readOwnAccount',
      schema: { summary: 'Shows your own account.', tags, response: { 200: USER } },
      handler: show,
    },
    PUT: changing,
    PATCH: changing,
  });

  described(app, '/users/me/password', {
    POST: {
      action: 'manageOwnAccount',
      schema: {
        summary: 'Changes your password, and ends all your logins, this one too. Access tokens stay.',
        tags,
        body: object({ current_password: TEXT, new_password: PASSWORD }, 'current_password', 'new_password'),
        response: { 204: NOTHING },
      },
      handler: changePassword,
    },
  });
};
