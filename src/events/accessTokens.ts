import type { EventDefinition } from './event.ts';
import { count, object, sealed, text, timestamp } from './schema.ts';
import { userSubject } from './users.ts';

/** `admin` is everything that the owner may do; the others are actions in repositories. */
export type Permission = 'pull' | 'push' | 'delete' | 'admin';
export const PERMISSIONS: readonly Permission[] = ['pull', 'push', 'delete', 'admin'];

/** Most globs of a token, and most characters of one: a repository's name and a `/*` behind it. */
export const MOST_GLOBS = 50;
const LONGEST_GLOB = 257;

/** As reducers and deciders see them: protected fields revealed (`erased` once the owner's key is gone). */
export type AccessTokenEvents = Readonly<{
  AccessTokenIssued: Readonly<{
    tokenId: number;
    /** The owner: a token never does more than he may. */
    userId: number;
    name: string;
    /** SHA-256 of the value, in hex. The value itself is told once, and kept nowhere. */
    hash: string;
    /** The first characters of the value, by which people recognise it. */
    prefix: string;
    permissions: readonly Permission[];
    /** Exact names or `prefix/*`; none: every repository. */
    repositories: readonly string[];
    /** null: never. */
    expiresAt: string | null;
  }>;
  AccessTokenRevoked: Readonly<{ tokenId: number; userId: number }>;
}>;

const id = { ...count, minimum: 1 };
const subject = ({ userId }: { userId: number }): string => userSubject(userId);

export const accessTokenEvents: Readonly<Record<keyof AccessTokenEvents, EventDefinition>> = {
  AccessTokenIssued: {
    version: 1,
    meaning: 'A user has an access token from now on. Ids count up and are never used again.',
    schema: object({
      tokenId: id,
      userId: id,
      name: sealed,
      hash: sealed,
      prefix: text(1, 16),
      permissions: { type: 'array', maxItems: PERMISSIONS.length, items: { enum: PERMISSIONS } },
      repositories: { type: 'array', maxItems: MOST_GLOBS, items: text(1, LONGEST_GLOB) },
      expiresAt: { anyOf: [timestamp, { type: 'null' }] },
    }),
    protected: { fields: ['name', 'hash'], subject, lasting: ['hash'] },
  },
  AccessTokenRevoked: {
    version: 1,
    meaning: 'An access token ends, and with it every login that was made from it.',
    schema: object({ tokenId: id, userId: id }),
  },
};
