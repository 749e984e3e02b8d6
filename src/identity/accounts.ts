import { LRUCache } from 'lru-cache';
import { type AccessTokenHash, accessTokenHashes, accessTokenKey, accessTokens } from '../projections/accessTokens.ts';
import { type User, userKey, usernames, users } from '../projections/users.ts';
import type { Views } from '../projections/views/views.ts';
import type { Fingerprints } from '../secrets/fingerprints.ts';
import type { Account, Accounts } from './authentication.ts';
import { type Soon, whenKnown } from './soon.ts';

/** A deleted user is like none. */
const accountOf = (user: User | undefined): Account | undefined => (user === undefined || user.deleted ? undefined : user);

/** Most hashes of which is remembered whose they are. */
const REMEMBERED = 10_000;

/** Accounts and access tokens as the serving views know them. */
export const accountsIn = (views: Pick<Views, 'getAtOnce'>, fingerprints: Pick<Fingerprints, 'username'>): Accounts => {
  // Whose a token is never changes, so every node may remember it. Whether it still is one is looked up each time.
  const known = new LRUCache<string, AccessTokenHash>({ max: REMEMBERED });
  const findById = (userId: number): Soon<Account | undefined> => whenKnown(views.getAtOnce(users, userKey(userId)), accountOf);

  const remember = (hash: string, owner: AccessTokenHash | undefined): AccessTokenHash | undefined => {
    if (owner !== undefined) known.set(hash, owner);
    return owner;
  };

  return {
    findById,
    findByUsername: (username) =>
      whenKnown(views.getAtOnce(usernames, fingerprints.username(username)), (named) =>
        named === undefined ? undefined : findById(named.userId),
      ),
    findToken: (tokenId) => views.getAtOnce(accessTokens, accessTokenKey(tokenId)),
    findOwner: (hash) => known.get(hash) ?? whenKnown(views.getAtOnce(accessTokenHashes, hash), (owner) => remember(hash, owner)),
  };
};
