import { RegistryError } from '../errors.ts';
import type { Fact } from '../events/event.ts';
import type { Role, UserEvents } from '../events/users.ts';
import { USER_IDS, userIds, userKey, usernameKey, usernames, users } from '../projections/users.ts';
import { type Decider, document } from './decider.ts';

export type RegisterUser = Readonly<{
  type: 'RegisterUser';
  username: string;
  email: string | null;
  role: Role;
  /** argon2id, as text. */
  passwordHash: string;
}>;
export type ChangePassword = Readonly<{ type: 'ChangePassword'; userId: number; passwordHash: string }>;

export type UserCommand = RegisterUser | ChangePassword;

type UserFact = { [T in keyof UserEvents]: Fact<T, UserEvents[T]> }[keyof UserEvents];

/** Like a path component of a repository name, because `<username>/…` is the user's own namespace. */
const USERNAME = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/;
const LONGEST_USERNAME = 64;

const checkUsername = (username: string): void => {
  if (username.length <= LONGEST_USERNAME && USERNAME.test(username) && username !== 'erased') return;
  throw new RegistryError(
    'REQUEST_INVALID',
    `A username has at most ${LONGEST_USERNAME} lower-case letters and digits, joined by ".", "_" or "-".`,
    { field: 'username' },
  );
};

/** The rules of the users of the registry. */
export const usersDecider: Decider<UserCommand> = {
  keysOf: (command) =>
    command.type === 'RegisterUser'
      ? { documents: [document(usernames, usernameKey(command.username)), document(userIds, USER_IDS)] }
      : { documents: [document(users, userKey(command.userId))] },

  decide: (command, documents): readonly UserFact[] => {
    switch (command.type) {
      case 'RegisterUser': {
        const { username, email, role, passwordHash } = command;
        checkUsername(username);
        if (documents.get(usernames, usernameKey(username)) !== undefined) {
          throw new RegistryError('CONFLICT', `The username ${username} is taken.`, { field: 'username' });
        }
        const userId = (documents.get(userIds, USER_IDS)?.last ?? 0) + 1;
        return [{ type: 'UserRegistered', data: { userId, username, email, role, passwordHash } }];
      }
      case 'ChangePassword': {
        const { userId, passwordHash } = command;
        if (documents.get(users, userKey(userId)) === undefined) {
          throw new RegistryError('NOT_FOUND', `There is no user ${userId}.`, { userId });
        }
        return [{ type: 'PasswordChanged', data: { userId, passwordHash } }];
      }
    }
  },
};
