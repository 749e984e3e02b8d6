import type { Role, UserEvents } from '../events/users.ts';
import { projection } from './projection.ts';

export type User = Readonly<{
  userId: number;
  username: string;
  email: string | null;
  role: Role;
  passwordHash: string;
  /** Counts what ends a user's sessions: a token carries the number that it was issued under. */
  securityVersion: number;
  registeredAt: string;
}>;

export const userKey = (userId: number): string => String(userId);

/** Users by id, for logins and bearer tokens. */
export const users = projection<User, UserEvents>({
  view: 'users',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => [userKey(data.userId)],
  on: {
    UserRegistered: (_user, { data, metadata }) => ({ ...data, securityVersion: 1, registeredAt: metadata.at }),
    PasswordChanged: (user, { data }) =>
      user && { ...user, passwordHash: data.passwordHash, securityVersion: user.securityVersion + 1 },
  },
});

export type Username = Readonly<{ userId: number }>;

/** Usernames are compared in lower case. */
export const usernameKey = (username: string): string => username.toLowerCase();

/** Which user has or had a name: names are never given out again. */
export const usernames = projection<Username, UserEvents>({
  view: 'usernames',
  version: 1,
  indexes: [],
  keysOf: ({ type, data }) => (type === 'UserRegistered' ? [usernameKey(data.username)] : []),
  on: { UserRegistered: (_name, { data }) => ({ userId: data.userId }) },
});

export type UserIds = Readonly<{ last: number }>;
export const USER_IDS = 'users';

/** The last id given to a user: the decider counts on from it. */
export const userIds = projection<UserIds, UserEvents>({
  view: 'userIds',
  version: 1,
  indexes: [],
  keysOf: ({ type }) => (type === 'UserRegistered' ? [USER_IDS] : []),
  on: { UserRegistered: (ids, { data }) => ({ last: Math.max(ids?.last ?? 0, data.userId) }) },
});
