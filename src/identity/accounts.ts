import { LRUCache } from 'lru-cache';
import { type AccessTokenHash, accessTokenHashes, accessTokenKey, accessTokens } from '../projections/accessTokens.ts';
import { type User, userKey, usernames, users } from '../projections/users.ts';
import type { Views } from '../projections/views/views.ts';
import type { Fingerprints } from '../secrets/fingerprints.ts';
import type { Account, Accounts } from './authenticate.ts';

/** A deleted user is like none. */
const accountOf = (user: User | undefined): Account | undefined => (user === undefined || user.deleted ? undefined : user);

/** Most hashes of which is remembered whose they are. */
const REMEMBERED = 10_000;

/** Accounts and access tokens as the serving views know them. */
export const accountsIn = (views: Views, fingerprints: Pick<Fingerprints, 'username'>): Accounts => {
  // Whose a token is never changes, so every node may remember it. Whether it still is one is looked up each time.
  const known = new LRUCache<string, AccessTokenHash>({ max: REMEMBERED });
  const findById = async (userId: number) => accountOf(await views.get(users, userKey(userId)));

  const ownerOf = async (hash: string): Promise<AccessTokenHash | undefined> => {
    const owner = known.get(hash) ?? (await views.get(accessTokenHashes, hash));
    if (owner !== undefined) known.set(hash, owner);
    return owner;
  };

  return {
    findById,
    findByUsername: async (username) => {
      const named = await views.get(usernames, fingerprints.username(username));
      return named === undefined ? undefined : findById(named.userId);
    },
    findToken: (tokenId) => views.get(accessTokens, accessTokenKey(tokenId)),
    findOwner: ownerOf,
  };
};
