import type { EventDefinition } from './event.ts';
import { count, object, text } from './schema.ts';

/** `read` pulls, `write` pushes as well, `admin` does everything but give the repository away. Each has the ones before it in it. */
export type Level = 'read' | 'write' | 'admin';
export const LEVELS: readonly Level[] = ['read', 'write', 'admin'];

/** Whose a grant is: a user's, or that of everybody in a team. */
export type GrantSubject = Readonly<{ user: number; team?: never } | { team: number; user?: never }>;

/** An exact name, or a prefix with a slash and a star behind it. */
const LONGEST_SCOPE = 257;

export type GrantEvents = Readonly<{
  AccessGranted: Readonly<{
    grantId: number;
    subject: GrantSubject;
    /** A repository's name, or `prefix/*`. */
    scope: string;
    level: Level;
    /** Of a grant on an exact name: the life that it is for. Whoever pushes to the name later on owes nobody anything. */
    repositoryId?: string;
  }>;
  AccessRevoked: Readonly<{
    grantId: number;
    subject: GrantSubject;
    scope: string;
    repositoryId?: string;
    /** `replaced`: another level of the same follows. `repositoryDeleted`: its repository's life had ended already. */
    cause: 'revoked' | 'replaced' | 'repositoryDeleted';
  }>;
}>;

const id = { ...count, minimum: 1 };
const subject = { anyOf: [object({ user: id }), object({ team: id })] };
const scope = text(1, LONGEST_SCOPE);

export const grantEvents: Readonly<Record<keyof GrantEvents, EventDefinition>> = {
  AccessGranted: {
    version: 1,
    meaning:
      'A user, or everybody in a team, may read, write or administer a repository, or all under a prefix, from now on. Ids count up and are never used again.',
    schema: object({ grantId: id, subject, scope, level: { enum: LEVELS } }, { repositoryId: text(1, 64) }),
  },
  AccessRevoked: {
    version: 1,
    meaning: 'A grant ends.',
    schema: object(
      { grantId: id, subject, scope, cause: { enum: ['revoked', 'replaced', 'repositoryDeleted'] } },
      { repositoryId: text(1, 64) },
    ),
  },
};
