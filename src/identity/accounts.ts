import { type User, userKey, usernameKey, usernames, users } from '../projections/users.ts';
import type { Views } from '../projections/views/views.ts';
import type { Account, Accounts } from './authenticate.ts';

const accountOf = (user: User | undefined): Account | undefined => user && { ...user, suspended: false };

/** Accounts as the serving views know them. */
export const accountsIn = (views: Views): Accounts => {
  const findById = async (userId: number) => accountOf(await views.get(users, userKey(userId)));
  return {
    findById,
    findByUsername: async (username) => {
      const named = await views.get(usernames, usernameKey(username));
      return named === undefined ? undefined : findById(named.userId);
    },
  };
};
