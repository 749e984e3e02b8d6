import type { FastifyRequest } from 'fastify';
import type { Outcome } from '../../commands/execute.ts';
import { type UserCommand, usersDecider } from '../../commands/users.ts';
import { RegistryError } from '../../errors.ts';
import type { UserEvents } from '../../events/users.ts';
import { type User, userKey, users } from '../../projections/users.ts';
import type { HttpDeps } from '../deps.ts';
import { answer, ID, TEXT, TIME, TIME_OR_NULL } from '../schemas.ts';
import { commanding } from './commands.ts';
import { timeOf } from './route.ts';

export const ROLES = ['admin', 'user', 'auditor', 'robot'] as const;
export const EMAIL = { type: ['string', 'null'], description: 'name@domain, at most 254 characters; null: none.' } as const;
export const PASSWORD = {
  type: 'string',
  description: '8 characters or more, at most 1024 bytes, none of those that are guessed first.',
} as const;

export const USER = answer({
  id: ID,
  username: TEXT,
  email: { type: ['string', 'null'] },
  role: { enum: ROLES },
  suspended: { type: 'boolean' },
  created_at: TIME,
  last_login: TIME_OR_NULL,
});

type Answered = Readonly<Record<string, unknown>>;

type Shown = Pick<User, 'userId' | 'username' | 'email' | 'role' | 'suspended' | 'registeredAt'>;

const answered = ({ userId, username, email, role, suspended, registeredAt }: Shown, lastLogin: string | null): Answered => ({
  id: userId,
  username,
  email,
  role,
  suspended,
  created_at: timeOf(registeredAt),
  last_login: lastLogin === null ? null : timeOf(lastLogin),
});

export const usersAnswered = async ({ lastSeen }: HttpDeps, found: readonly Shown[]): Promise<readonly Answered[]> => {
  const logins = await lastSeen.lastLogins(found.map(({ userId }) => userId));
  return found.map((user, index) => answered(user, logins[index] ?? null));
};

/** @throws RegistryError `NOT_FOUND`, also for one who was deleted */
export const existingUser = async ({ views }: HttpDeps, userId: number): Promise<User> => {
  const user = await views.get(users, userKey(userId));
  if (user === undefined || user.deleted) throw new RegistryError('NOT_FOUND', `There is no user ${userId}.`, { userId });
  return user;
};

export const userAnswered = async (deps: HttpDeps, userId: number): Promise<Answered> => {
  const [found] = await usersAnswered(deps, [await existingUser(deps, userId)]);
  return found ?? {};
};

/** One who was just made, whom the views may not show yet. */
export const newUserAnswered = async (deps: HttpDeps, registered: UserEvents['UserRegistered']): Promise<Answered> => {
  const shown = await deps.views.get(users, userKey(registered.userId));
  return answered(shown ?? { ...registered, suspended: false, registeredAt: new Date().toISOString() }, null);
};

/** Gives one command about users on behalf of the request. */
export const changeUsers = (deps: HttpDeps, request: FastifyRequest, command: UserCommand): Promise<Outcome> =>
  commanding(deps, 'users', usersDecider, 'userId')(request, command);
