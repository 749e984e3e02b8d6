import { RegistryError } from '../errors.ts';
import type { Fact } from '../events/event.ts';
import type { Role, UserEvents } from '../events/users.ts';
import { identities } from '../projections/identities.ts';
import { activeAdmins, USER_IDS, type User, userIds, userKey, usernames, users } from '../projections/users.ts';
import { type Decider, type Documents, document, type Keys, setUnder } from './decider.ts';

export type RegisterUser = Readonly<{
  type: 'RegisterUser';
  username: string;
  /** Of the username. */
  fingerprint: string;
  email: string | null;
  role: Role;
  /** argon2id, as text. */
  passwordHash: string;
}>;
/** Somebody whom an identity provider knows, and who is new here: a user without a password. */
export type RegisterIdentity = Readonly<{
  type: 'RegisterIdentity';
  issuer: string;
  subject: string;
  /** The fingerprint of both. */
  identity: string;
  username: string;
  /** Of the username. */
  fingerprint: string;
  email: string | null;
  role: Role;
}>;
export type ChangePassword = Readonly<{ type: 'ChangePassword'; userId: number; passwordHash: string }>;
/** All that is given, or nothing. What is so already is no change. */
export type ChangeUser = Readonly<{
  type: 'ChangeUser';
  userId: number;
  email?: string | null;
  role?: Role;
  suspended?: boolean;
}>;
export type DeleteUser = Readonly<{ type: 'DeleteUser'; userId: number }>;
/** A user of an older log, whose name has no fingerprint yet. */
export type ReserveUsername = Readonly<{ type: 'ReserveUsername'; userId: number; fingerprint: string }>;
/** Deletes the user, where that has not been done before. */
export type ErasePerson = Readonly<{ type: 'ErasePerson'; userId: number }>;
export type EndSession = Readonly<{ type: 'EndSession'; userId: number; sessionId: string; expiresAt: string }>;

export type UserCommand =
  | RegisterUser
  | RegisterIdentity
  | ReserveUsername
  | ChangePassword
  | ChangeUser
  | DeleteUser
  | ErasePerson
  | EndSession;

type UserFact = { [T in keyof UserEvents]: Fact<T, UserEvents[T]> }[keyof UserEvents];

/** Like a path component of a repository name, because `<username>/…` is the user's own namespace. */
const USERNAME = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/;
const LONGEST_USERNAME = 64;

/**
 * What events and answers say of nobody (`erased`, `anonymous`, `system`), what would be taken for the registry or its operators, and the
 * namespaces of everybody. `admin` is the first user, and so is taken.
 */
const RESERVED_USERNAMES: ReadonlySet<string> = new Set([
  ...['anonymous', 'deleted', 'erased', 'everyone', 'nobody', 'system', 'unknown'],
  ...['administrator', 'ghostdock', 'operator', 'registry', 'root', 'security', 'support'],
  ...['library', 'public'],
]);

/** @throws RegistryError `REQUEST_INVALID` for what nobody may be called, whether it is taken or not */
export const checkUsername = (username: string): void => {
  const field = 'username';
  if (username.length > LONGEST_USERNAME || !USERNAME.test(username))
    throw new RegistryError(
      'REQUEST_INVALID',
      `A username has at most ${LONGEST_USERNAME} lower-case letters and digits, joined by ".", "_" or "-".`,
      { field },
    );
  if (RESERVED_USERNAMES.has(username))
    throw new RegistryError('REQUEST_INVALID', `The username ${username} is reserved.`, { field });
};

const LONGEST_EMAIL = 254;
// As browsers check it (HTML, section *Email state*), with a dot or not in the domain: a test that no address of use fails.
const EMAIL =
  /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;

/** The address as it is recorded: its domain in lower case, which makes no difference to mail. */
const normalEmail = (email: string | null): string | null => {
  if (email === null) return null;
  if (email.length > LONGEST_EMAIL || !EMAIL.test(email))
    throw new RegistryError('REQUEST_INVALID', `An e-mail address is name@domain, of at most ${LONGEST_EMAIL} characters.`, {
      field: 'email',
    });
  const domain = email.lastIndexOf('@');
  return email.slice(0, domain) + email.slice(domain).toLowerCase();
};

/** @throws RegistryError `NOT_FOUND` */
const known = (documents: Documents, userId: number): User => {
  const user = documents.get(users, userKey(userId));
  if (user === undefined) throw new RegistryError('NOT_FOUND', `There is no user ${userId}.`, { userId });
  return user;
};

/** @throws RegistryError `NOT_FOUND` */
const existing = (documents: Documents, userId: number): User => {
  const user = known(documents, userId);
  if (user.deleted) throw new RegistryError('NOT_FOUND', `There is no user ${userId}.`, { userId });
  return user;
};

const conflict = (message: string, field: string): RegistryError => new RegistryError('CONFLICT', message, { field });

const register = (command: RegisterUser, documents: Documents): readonly UserFact[] => {
  const { username, fingerprint, role, passwordHash } = command;
  checkUsername(username);
  const email = normalEmail(command.email);
  if (documents.get(usernames, fingerprint) !== undefined)
    throw conflict(`The username ${username} is taken, or was once.`, 'username');
  const userId = (documents.get(userIds, USER_IDS)?.last ?? 0) + 1;
  return [
    { type: 'UserRegistered', data: { userId, username, email, role, passwordHash } },
    { type: 'UsernameReserved', data: { userId, fingerprint } },
  ];
};

/** No hash of any password. */
const NO_PASSWORD = 'none';

const registerIdentity = (command: RegisterIdentity, documents: Documents): readonly UserFact[] => {
  const { issuer, subject, identity, username, fingerprint, email, role } = command;
  if (documents.get(identities, identity) !== undefined) throw conflict('This identity has a user already.', 'subject');
  const user = { type: 'RegisterUser', username, fingerprint, email, role, passwordHash: NO_PASSWORD } as const;
  const facts = register(user, documents);
  const linked = facts.slice(0, 1).map(
    ({ data: { userId } }): UserFact => ({
      type: 'IdentityLinked',
      data: { userId, issuer, subject, fingerprint: identity },
    }),
  );
  return [...facts, ...linked];
};

/** Two are looked at: enough to know whether one is left. */
const ENOUGH_ADMINS = 2;

const isLastAdmin = (documents: Documents, userId: number): boolean => {
  const admins = documents.keysUnder(activeAdmins, '');
  return admins.length === 1 && admins[0] === userKey(userId);
};

/** Somebody must be left who can let others in. */
const refuseWithoutAdmin = (documents: Documents, userId: number, field: string): void => {
  if (isLastAdmin(documents, userId))
    throw conflict('This is the last administrator who may log in. Make another one first.', field);
};

const change = (command: ChangeUser, documents: Documents): readonly UserFact[] => {
  const { userId } = command;
  const user = existing(documents, userId);
  const email = command.email === undefined ? user.email : normalEmail(command.email);
  const { role = user.role, suspended = user.suspended } = command;
  if (role !== 'admin') refuseWithoutAdmin(documents, userId, 'role');
  if (suspended) refuseWithoutAdmin(documents, userId, 'suspended');
  // Each fact tells by itself whether there is one administrator more: `activeAdmins` counts on it.
  if (user.suspended && suspended && role === 'admin' && user.role !== 'admin')
    throw conflict('A suspended user cannot become an administrator. Reinstate the user first.', 'role');
  const facts: UserFact[] = [];
  if (email !== user.email) facts.push({ type: 'EmailChanged', data: { userId, email } });
  if (user.suspended && !suspended) facts.push({ type: 'UserReinstated', data: { userId, role: user.role } });
  if (role !== user.role) facts.push({ type: 'RoleChanged', data: { userId, role, previous: user.role } });
  if (!user.suspended && suspended) facts.push({ type: 'UserSuspended', data: { userId } });
  return facts;
};

const reserveUsername = ({ userId, fingerprint }: ReserveUsername, documents: Documents): readonly UserFact[] => {
  if (known(documents, userId).usernameReserved) return [];
  return [{ type: 'UsernameReserved', data: { userId, fingerprint } }];
};

const remove = (userId: number, documents: Documents): readonly UserFact[] => {
  refuseWithoutAdmin(documents, userId, 'id');
  return [{ type: 'UserDeleted', data: { userId } }];
};

const erase = (userId: number, documents: Documents): readonly UserFact[] => {
  const { erased, deleted, identities: linked } = known(documents, userId);
  if (erased) return [];
  const gone = deleted ? [] : remove(userId, documents);
  return [...gone, { type: 'PersonErased', data: { userId, identities: linked } }];
};

const endSession = ({ userId, sessionId, expiresAt }: EndSession, documents: Documents): readonly UserFact[] => {
  const { endedSessions } = existing(documents, userId);
  if (endedSessions.some((ended) => ended.sessionId === sessionId)) return [];
  return [{ type: 'SessionEnded', data: { userId, sessionId, expiresAt } }];
};

/** The rules of the users of the registry. */
export const usersDecider: Decider<UserCommand> = {
  keysOf: (command): Keys => {
    if (command.type === 'RegisterUser')
      return { documents: [document(usernames, command.fingerprint), document(userIds, USER_IDS)] };
    if (command.type === 'RegisterIdentity')
      return {
        documents: [
          document(usernames, command.fingerprint),
          document(userIds, USER_IDS),
          document(identities, command.identity),
        ],
      };
    const documents = [document(users, userKey(command.userId))];
    const mayLoseAdmin = ['ChangeUser', 'DeleteUser', 'ErasePerson'].includes(command.type);
    return mayLoseAdmin ? { documents, sets: [setUnder(activeAdmins, '', ENOUGH_ADMINS)] } : { documents };
  },

  decide: (command, documents): readonly UserFact[] => {
    switch (command.type) {
      case 'RegisterUser':
        return register(command, documents);
      case 'RegisterIdentity':
        return registerIdentity(command, documents);
      case 'ChangePassword': {
        const { userId, passwordHash } = command;
        existing(documents, userId);
        return [{ type: 'PasswordChanged', data: { userId, passwordHash } }];
      }
      case 'ChangeUser':
        return change(command, documents);
      case 'DeleteUser': {
        const { userId } = command;
        existing(documents, userId);
        return remove(userId, documents);
      }
      case 'ErasePerson':
        return erase(command.userId, documents);
      case 'ReserveUsername':
        return reserveUsername(command, documents);
      case 'EndSession':
        return endSession(command, documents);
    }
  },
};
