import { isRefusal } from '../errors.ts';
import type { LastSeen } from '../identity/lastSeen.ts';
import { type Pulls, repositoryPulls } from '../projections/accessPulls.ts';
import { lastSeen } from '../projections/accessSeen.ts';
import { type SeenAt, tokenWho } from '../projections/accessSums.ts';
import type { Views } from '../projections/views/views.ts';

type Found = readonly (SeenAt | undefined)[];

/** While the views of the access log cannot be read nothing is known: that must not keep anybody from managing users and tokens. */
const seenOrUnknown = async (views: Pick<Views, 'getMany'>, keys: readonly string[]): Promise<Found> => {
  try {
    return await views.getMany(lastSeen, keys);
  } catch (error) {
    if (isRefusal(error, 'UNAVAILABLE')) return [];
    throw error;
  }
};

/** What the views of the access log say of people and tokens; some tenths of a second behind. */
export const lastSeenIn = (views: Pick<Views, 'getMany'>): LastSeen => ({
  lastLogins: async (userIds) => {
    // A person is one or the other, and his role may have changed since.
    const found = await seenOrUnknown(
      views,
      userIds.flatMap((userId) => [`user:${userId}`, `robot:${userId}`]),
    );
    return userIds.map((_userId, index) => {
      const [user, robot] = [found[2 * index]?.lastLoginAt, found[2 * index + 1]?.lastLoginAt];
      return user !== undefined && robot !== undefined && robot > user ? robot : (user ?? robot ?? null);
    });
  },
  lastUses: async (tokenIds) => {
    const found = await seenOrUnknown(
      views,
      tokenIds.map((tokenId) => tokenWho(String(tokenId))),
    );
    return tokenIds.map((_tokenId, index) => found[index]?.lastSeenAt ?? null);
  },
});

/** How often the manifests of a repository's life were pulled; undefined: never. */
export const pullsOf = (views: Pick<Views, 'get'>, repositoryId: string): Promise<Pulls | undefined> =>
  views.get(repositoryPulls, repositoryId);
