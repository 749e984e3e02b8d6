import type { EventDefinition } from './event.ts';
import { count, fingerprint, object, sealed, text, timestamp } from './schema.ts';

export type Role = 'admin' | 'user' | 'auditor' | 'robot';

/** As reducers and deciders see them: protected fields revealed (`erased` once the person's key is gone). */
export type UserEvents = Readonly<{
  UserRegistered: Readonly<{ userId: number; username: string; email: string | null; role: Role; passwordHash: string }>;
  EmailChanged: Readonly<{ userId: number; email: string | null }>;
  PasswordChanged: Readonly<{ userId: number; passwordHash: string }>;
  /** `previous`: the role until now. */
  RoleChanged: Readonly<{ userId: number; role: Role; previous: Role }>;
  UserSuspended: Readonly<{ userId: number }>;
  /** `role`: as what the user is back. */
  UserReinstated: Readonly<{ userId: number; role: Role }>;
  UserDeleted: Readonly<{ userId: number }>;
  /** What is known of the name when the name itself is erased. */
  UsernameReserved: Readonly<{ userId: number; fingerprint: string }>;
  /** `issuer` and `subject`: by whom, and as whom, the user is known there; `fingerprint` is that of both. */
  IdentityLinked: Readonly<{ userId: number; issuer: string; subject: string; fingerprint: string }>;
  /** `identities`: the fingerprints of those that were linked. */
  PersonErased: Readonly<{ userId: number; identities: readonly string[] }>;
  /** `expiresAt`: when the session would have ended by itself. */
  SessionEnded: Readonly<{ userId: number; sessionId: string; expiresAt: string }>;
}>;

/** What a protected field reads as once its subject's key is gone. */
export const ERASED = 'erased';

/** The subject under whose key a user's protected fields are sealed. */
export const userSubject = (userId: number | string): string => `user-${userId}`;

/** The user that a subject is, if it is one. */
export const userIdOfSubject = (subject: string): string | undefined => /^user-(\d+)$/.exec(subject)?.[1];

const subject = ({ userId }: { userId: number }): string => userSubject(userId);
const userId = { ...count, minimum: 1 };
const email = { anyOf: [sealed, { type: 'null' }] };
const role = { enum: ['admin', 'user', 'auditor', 'robot'] };

/** Most identities of a user. */
export const MOST_IDENTITIES = 20;

export const userEvents: Readonly<Record<keyof UserEvents, EventDefinition>> = {
  UserRegistered: {
    version: 1,
    meaning: 'A user exists from now on. Ids count up and are never used again.',
    schema: object({ userId, username: sealed, email, role, passwordHash: sealed }),
    protected: { fields: ['username', 'email', 'passwordHash'], subject },
  },
  UsernameReserved: {
    version: 1,
    meaning:
      "A user's name is nobody else's from now on, in whatever case. Told with each registration, as a keyed fingerprint: it stays when the name itself is erased.",
    schema: object({ userId, fingerprint }),
  },
  EmailChanged: {
    version: 1,
    meaning: 'A user has another e-mail address, or none any more.',
    schema: object({ userId, email }),
    protected: { fields: ['email'], subject },
  },
  PasswordChanged: {
    version: 1,
    meaning: "A user's password was set anew. Everything issued under the old one ends.",
    schema: object({ userId, passwordHash: sealed }),
    protected: { fields: ['passwordHash'], subject },
  },
  RoleChanged: {
    version: 1,
    meaning: 'A user may do other things from now on. Logins that were issued under the previous role end.',
    schema: object({ userId, role, previous: role }),
  },
  UserSuspended: {
    version: 1,
    meaning: 'A user may not do anything until further notice: logins end, and access tokens are refused.',
    schema: object({ userId }),
  },
  UserReinstated: {
    version: 1,
    meaning: 'A suspended user may log in again, in the role that is told. Access tokens work again; logins of before do not.',
    schema: object({ userId, role }),
  },
  UserDeleted: {
    version: 1,
    meaning:
      'A user is gone for good, with all logins and access tokens. The repositories stay; neither the username nor its namespace is given out again.',
    schema: object({ userId }),
  },
  IdentityLinked: {
    version: 1,
    meaning: 'Whoever an identity provider says is this subject logs in as this user from now on.',
    schema: object({ userId, issuer: text(1, 1024), subject: sealed, fingerprint }),
    protected: { fields: ['subject'], subject },
  },
  PersonErased: {
    version: 1,
    meaning:
      'What this log knows of a deleted user as a person is made unreadable: the key is destroyed, and all that was sealed under it reads `erased`. The name stays reserved; the identities are linked to nobody.',
    schema: object({ userId, identities: { type: 'array', maxItems: MOST_IDENTITIES, items: fingerprint } }),
  },
  SessionEnded: {
    version: 1,
    meaning: 'A user logged out: this login, and what was issued under it, ends before its time.',
    schema: object({ userId, sessionId: text(1, 64), expiresAt: timestamp }),
  },
};
