import { ERASED, type Role, type UserEvents } from '../events/users.ts';
import { projection } from './projection.ts';

/** A login that its user ended before its time. */
export type EndedSession = Readonly<{ sessionId: string; expiresAt: string }>;

export type User = Readonly<{
  userId: number;
  username: string;
  email: string | null;
  role: Role;
  passwordHash: string;
  /** Counts what ends a user's sessions: a token carries the number that it was issued under. */
  securityVersion: number;
  registeredAt: string;
  suspended: boolean;
  /** Kept, so that what the user made goes on having a name; without address and password. */
  deleted: boolean;
  /** The fingerprints of the identities that log in as this user. */
  identities: readonly string[];
  /** Whether the name has its fingerprint: those of older logs get it at the next start. */
  usernameReserved: boolean;
  /** Nothing is known of the person any more: the name reads `erased`. */
  erased: boolean;
  /** Those that have not expired as of the last one: a request looks here with what it has read anyway. */
  endedSessions: readonly EndedSession[];
}>;

export const userKey = (userId: number): string => String(userId);

/** Most ended sessions that a user's document lists: whoever ends more than these at a time ends all of them. */
const MOST_ENDED_SESSIONS = 20;

/** Everything that was issued before ends, the ended sessions with it. */
const withoutSessions = (user: User): User => ({ ...user, securityVersion: user.securityVersion + 1, endedSessions: [] });

const withEndedSession = (user: User, ended: EndedSession, at: string): User => {
  const endedSessions = [...user.endedSessions.filter(({ expiresAt }) => expiresAt > at), ended];
  return endedSessions.length > MOST_ENDED_SESSIONS ? withoutSessions(user) : { ...user, endedSessions };
};

const listed = (user: User | undefined): number => (user === undefined || user.deleted ? 0 : 1);

/** Users by id, for logins, bearer tokens and `GET /api/v1/users`. */
export const users = projection<User, UserEvents>({
  view: 'users',
  version: 3,
  indexes: [
    ['deleted', 'userId'],
    ['erased', 'userId'],
    ['usernameReserved', 'userId'],
  ],
  keysOf: ({ data }) => [userKey(data.userId)],
  on: {
    UserRegistered: (_user, { data, metadata }) => ({
      ...data,
      securityVersion: 1,
      registeredAt: metadata.at,
      suspended: false,
      deleted: false,
      identities: [],
      usernameReserved: false,
      erased: false,
      endedSessions: [],
    }),
    UsernameReserved: (user) => user && { ...user, usernameReserved: true },
    IdentityLinked: (user, { data }) => user && { ...user, identities: [...user.identities, data.fingerprint] },
    EmailChanged: (user, { data }) => user && { ...user, email: data.email },
    PasswordChanged: (user, { data }) => user && { ...withoutSessions(user), passwordHash: data.passwordHash },
    RoleChanged: (user, { data }) => user && { ...withoutSessions(user), role: data.role },
    UserSuspended: (user) => user && { ...withoutSessions(user), suspended: true },
    UserReinstated: (user) => user && { ...user, suspended: false },
    UserDeleted: (user) => user && { ...withoutSessions(user), deleted: true, email: null, passwordHash: '' },
    // Set, and not as the log tells it: the key is destroyed only after this fact, which a view may read before or after that.
    PersonErased: (user) => user && { ...user, erased: true, username: ERASED, email: null, passwordHash: '', identities: [] },
    SessionEnded: (user, { data: { sessionId, expiresAt }, metadata }) =>
      user && withEndedSession(user, { sessionId, expiresAt }, metadata.at),
  },
  totals: (before, after) => ({ users: listed(after) - listed(before) }),
});

export type ActiveAdmin = Readonly<Record<string, never>>;
const ACTIVE_ADMIN: ActiveAdmin = Object.freeze({});

/**
 * Administrators who may log in, one document each: the last of them can't be lost. Who becomes one is not suspended (the rules of
 * users see to it), so that each event tells enough.
 */
export const activeAdmins = projection<ActiveAdmin, UserEvents>({
  view: 'activeAdmins',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => [userKey(data.userId)],
  on: {
    UserRegistered: (admin, { data }) => (data.role === 'admin' ? ACTIVE_ADMIN : admin),
    RoleChanged: (_admin, { data }) => (data.role === 'admin' ? ACTIVE_ADMIN : undefined),
    UserSuspended: () => undefined,
    UserReinstated: (_admin, { data }) => (data.role === 'admin' ? ACTIVE_ADMIN : undefined),
    UserDeleted: () => undefined,
  },
});

export type Username = Readonly<{ userId: number }>;

/** Which user has or had a name, by the fingerprint of the name: names are never given out again, also when nobody knows them any more. */
export const usernames = projection<Username, UserEvents>({
  view: 'usernames',
  version: 2,
  indexes: [],
  keysOf: ({ type, data }) => (type === 'UsernameReserved' ? [data.fingerprint] : []),
  on: { UsernameReserved: (_name, { data }) => ({ userId: data.userId }) },
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
