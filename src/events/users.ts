import type { EventDefinition } from './event.ts';
import { count, object, sealed } from './schema.ts';

export type Role = 'admin' | 'user' | 'auditor' | 'robot';

/** As reducers and deciders see them: protected fields revealed (`erased` once the person's key is gone). */
export type UserEvents = Readonly<{
  UserRegistered: Readonly<{ userId: number; username: string; email: string | null; role: Role; passwordHash: string }>;
  PasswordChanged: Readonly<{ userId: number; passwordHash: string }>;
}>;

/** The subject under whose key a user's protected fields are sealed. */
export const userSubject = (userId: number | string): string => `user-${userId}`;

const subject = ({ userId }: { userId: number }): string => userSubject(userId);
const userId = { ...count, minimum: 1 };

export const userEvents: Readonly<Record<keyof UserEvents, EventDefinition>> = {
  UserRegistered: {
    version: 1,
    meaning: 'A user exists from now on. Ids count up and are never used again.',
    schema: object({
      userId,
      username: sealed,
      email: { anyOf: [sealed, { type: 'null' }] },
      role: { enum: ['admin', 'user', 'auditor', 'robot'] },
      passwordHash: sealed,
    }),
    protected: { fields: ['username', 'email', 'passwordHash'], subject },
  },
  PasswordChanged: {
    version: 1,
    meaning: "A user's password was set anew. Everything issued under the old one ends.",
    schema: object({ userId, passwordHash: sealed }),
    protected: { fields: ['passwordHash'], subject },
  },
};
