import type { AccessTokenEvents, Permission } from '../events/accessTokens.ts';
import { projection } from './projection.ts';

export type AccessToken = Readonly<{
  tokenId: number;
  userId: number;
  name: string;
  prefix: string;
  permissions: readonly Permission[];
  /** Exact names or `prefix/*`; none: every repository. */
  repositories: readonly string[];
  issuedAt: string;
  /** null: never. */
  expiresAt: string | null;
}>;

export const accessTokenKey = (tokenId: number): string => String(tokenId);

/** Access tokens that are not revoked, expired ones too: for requests that carry one, and `GET /api/v1/tokens`. */
export const accessTokens = projection<AccessToken, AccessTokenEvents>({
  view: 'accessTokens',
  version: 1,
  indexes: [['tokenId'], ['userId', 'tokenId']],
  keysOf: ({ data }) => [accessTokenKey(data.tokenId)],
  on: {
    AccessTokenIssued: (_token, { data: { hash: _hash, ...token }, metadata }) => ({ ...token, issuedAt: metadata.at }),
    AccessTokenRevoked: () => undefined,
  },
  totals: (before, after) => ({ tokens: Number(after !== undefined) - Number(before !== undefined) }),
});

export type AccessTokenHash = Readonly<{ tokenId: number; userId: number }>;

/** Which token a value is, by its hash: never changes, whatever becomes of the token, so that nodes may remember it. */
export const accessTokenHashes = projection<AccessTokenHash, AccessTokenEvents>({
  view: 'accessTokenHashes',
  version: 1,
  indexes: [],
  keysOf: ({ type, data }) => (type === 'AccessTokenIssued' ? [data.hash] : []),
  on: { AccessTokenIssued: (_known, { data: { tokenId, userId } }) => ({ tokenId, userId }) },
});

export type AccessTokenCount = Readonly<{ count: number }>;
export const accessTokenCountKey = (userId: number): string => String(userId);

/** How many tokens a user has that are not revoked: the decider sets them a bound. */
export const accessTokenCounts = projection<AccessTokenCount, AccessTokenEvents>({
  view: 'accessTokenCounts',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => [accessTokenCountKey(data.userId)],
  on: {
    AccessTokenIssued: (counted) => ({ count: (counted?.count ?? 0) + 1 }),
    AccessTokenRevoked: (counted) => ({ count: Math.max(0, (counted?.count ?? 0) - 1) }),
  },
});

export type AccessTokenIds = Readonly<{ last: number }>;
export const ACCESS_TOKEN_IDS = 'tokens';

/** The last id given to a token: the decider counts on from it. */
export const accessTokenIds = projection<AccessTokenIds, AccessTokenEvents>({
  view: 'accessTokenIds',
  version: 1,
  indexes: [],
  keysOf: ({ type }) => (type === 'AccessTokenIssued' ? [ACCESS_TOKEN_IDS] : []),
  on: { AccessTokenIssued: (ids, { data }) => ({ last: Math.max(ids?.last ?? 0, data.tokenId) }) },
});
