import fc from 'fast-check';
import type { Fact } from '../../src/events/event.ts';
import type { Role, UserEvents } from '../../src/events/users.ts';
import { identities } from '../../src/projections/identities.ts';
import { activeAdmins, USER_IDS, type User, userIds, userKey, usernames, users } from '../../src/projections/users.ts';
import { at, fingerprintOf } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';

const registered = (userId: number, username: string): Fact<'UserRegistered', UserEvents['UserRegistered']> => ({
  type: 'UserRegistered',
  data: { userId, username, email: `${username}@example.com`, role: 'user', passwordHash: `hash of ${username}` },
});
const passwordChanged = (userId: number, passwordHash: string): Fact<'PasswordChanged', UserEvents['PasswordChanged']> => ({
  type: 'PasswordChanged',
  data: { userId, passwordHash },
});
const told = <T extends keyof UserEvents>(type: T, data: UserEvents[T]): Fact<T, UserEvents[T]> => ({ type, data });
const reserved = (userId: number, username: string) => told('UsernameReserved', { userId, fingerprint: fingerprintOf(username) });
const personErased = (userId: number, ...identities: readonly string[]) => told('PersonErased', { userId, identities });
const linked = (userId: number, fingerprint: string) =>
  told('IdentityLinked', { userId, issuer: 'https://id.example.com', subject: 'secret', fingerprint });
const sessionEnded = (n: number, expiresAt = at(1000)) => told('SessionEnded', { userId: 1, sessionId: `s${n}`, expiresAt });

/** A user as of the registration. */
const userOf = ({ data }: ReturnType<typeof registered>, registeredAt: string): User => ({
  ...data,
  securityVersion: 1,
  registeredAt,
  suspended: false,
  deleted: false,
  identities: [],
  usernameReserved: false,
  erased: false,
  endedSessions: [],
});
const ada = userOf(registered(1, 'ada'), at(0));

describe('the users', () => {
  it('are one document each, under their id', () =>
    projecting(users)(registered(1, 'ada'), registered(2, 'grace')).yields({
      [userKey(1)]: ada,
      [userKey(2)]: userOf(registered(2, 'grace'), at(1)),
    }));

  it('have another security version with each new password: what was issued under an older one ends', () =>
    projecting(users)(registered(1, 'ada'), passwordChanged(1, 'new'), passwordChanged(1, 'newer')).yields({
      [userKey(1)]: { ...ada, passwordHash: 'newer', securityVersion: 3 },
    }));

  it('have another address without being logged out', () =>
    projecting(users)(registered(1, 'ada'), told('EmailChanged', { userId: 1, email: null })).yields({
      [userKey(1)]: { ...ada, email: null },
    }));

  it('lose what was issued before with another role, with suspension, and with deletion', () => {
    const changed = told('RoleChanged', { userId: 1, role: 'auditor', previous: 'user' });
    const gone = told('UserSuspended', { userId: 1 });
    projecting(users)(registered(1, 'ada'), changed).yields({ [userKey(1)]: { ...ada, role: 'auditor', securityVersion: 2 } });
    projecting(users)(registered(1, 'ada'), gone).yields({ [userKey(1)]: { ...ada, suspended: true, securityVersion: 2 } });
    projecting(users)(registered(1, 'ada'), gone, told('UserReinstated', { userId: 1, role: 'user' })).yields({
      [userKey(1)]: { ...ada, securityVersion: 2 },
    });
  });

  it('keep their name when they are deleted, and neither address nor password', () => {
    const projected = projecting(users)(registered(1, 'ada'), registered(2, 'grace'), told('UserDeleted', { userId: 1 }));
    projected.yields({
      [userKey(1)]: { ...ada, deleted: true, email: null, passwordHash: '', securityVersion: 2 },
      [userKey(2)]: userOf(registered(2, 'grace'), at(1)),
    });
    projected.addsUpTo({ users: 1 });
  });

  it('know which identities log in as them, and that their name has its fingerprint', () =>
    projecting(users)(registered(1, 'ada'), reserved(1, 'ada'), linked(1, 'f1'), linked(1, 'f2')).yields({
      [userKey(1)]: { ...ada, usernameReserved: true, identities: ['f1', 'f2'] },
    }));

  describe('that are erased', () => {
    const gone = {
      [userKey(1)]: {
        ...ada,
        username: 'erased',
        email: null,
        passwordHash: '',
        securityVersion: 2,
        usernameReserved: true,
        deleted: true,
        erased: true,
      },
    };
    const after = [reserved(1, 'ada'), linked(1, 'f1'), told('UserDeleted', { userId: 1 }), personErased(1, 'f1')];

    it('keep their id, and nothing of the person', () => {
      projecting(users)(registered(1, 'ada'), ...after).yields(gone);
    });

    it('come out the same where the key was gone before the log was read', () => {
      const unread = told('UserRegistered', { ...registered(1, 'erased').data, email: 'erased', passwordHash: 'erased' });
      projecting(users)(unread, ...after).yields(gone);
    });
  });

  describe('that end sessions', () => {
    it('are remembered for as long as the sessions would have gone on', () => {
      projecting(users)(registered(1, 'ada'), sessionEnded(1, at(2)), sessionEnded(2)).yields({
        [userKey(1)]: { ...ada, endedSessions: [{ sessionId: 's2', expiresAt: at(1000) }] },
      });
    });

    it('lose all of them when they end more than a document should hold', () => {
      const many = Array.from({ length: 21 }, (_, n) => sessionEnded(n));
      projecting(users)(registered(1, 'ada'), ...many).yields({ [userKey(1)]: { ...ada, securityVersion: 2 } });
    });

    it('start anew when everything ended anyway', () => {
      projecting(users)(registered(1, 'ada'), sessionEnded(1), passwordChanged(1, 'new')).yields({
        [userKey(1)]: { ...ada, passwordHash: 'new', securityVersion: 2 },
      });
    });
  });

  it('do not come to be by a new password', () => projecting(users)(passwordChanged(7, 'new')).yields({}));
});

describe('the usernames', () => {
  it('say whose they are', () =>
    projecting(usernames)(reserved(1, 'ada'), reserved(2, 'grace'), passwordChanged(1, 'new')).yields({
      [fingerprintOf('ada')]: { userId: 1 },
      [fingerprintOf('grace')]: { userId: 2 },
    }));

  it('say so for ever, also of a person of whom nothing else is known', () =>
    projecting(usernames)(registered(1, 'erased'), reserved(1, 'ada'), personErased(1)).yields({
      [fingerprintOf('ada')]: { userId: 1 },
    }));
});

describe('the identities', () => {
  it('say as whom they log in', () =>
    projecting(identities)(linked(1, 'f1'), linked(2, 'f2')).yields({ f1: { userId: 1 }, f2: { userId: 2 } }));

  it('are nobody’s any more when the person is erased', () =>
    projecting(identities)(linked(1, 'f1'), linked(2, 'f2'), personErased(1, 'f1')).yields({ f2: { userId: 2 } }));
});

describe('the administrators who may log in', () => {
  const as = (userId: number, role: Role) => told('UserRegistered', { ...registered(userId, `user-${userId}`).data, role });
  const roleChanged = (userId: number, previous: Role, role: Role) => told('RoleChanged', { userId, role, previous });
  const suspended = (userId: number) => told('UserSuspended', { userId });

  it('are those who were made so, and not those who were made something else', () =>
    projecting(activeAdmins)(as(1, 'admin'), as(2, 'user'), as(3, 'auditor'), as(4, 'robot')).yields({ [userKey(1)]: {} }));

  it('come and go with the role', () =>
    projecting(activeAdmins)(
      as(1, 'admin'),
      as(2, 'user'),
      roleChanged(2, 'user', 'admin'),
      roleChanged(1, 'admin', 'auditor'),
    ).yields({ [userKey(2)]: {} }));

  it('are none while they are suspended', () => {
    const back = (role: Role) => told('UserReinstated', { userId: 1, role });
    projecting(activeAdmins)(as(1, 'admin'), suspended(1)).yields({});
    projecting(activeAdmins)(as(1, 'admin'), suspended(1), back('admin')).yields({ [userKey(1)]: {} });
    projecting(activeAdmins)(as(1, 'admin'), suspended(1), roleChanged(1, 'admin', 'user'), back('user')).yields({});
  });

  it('are none any more once they are deleted', () =>
    projecting(activeAdmins)(as(1, 'admin'), as(2, 'admin'), told('UserDeleted', { userId: 1 })).yields({ [userKey(2)]: {} }));
});

describe('the ids of users', () => {
  it('remember the highest, in whatever order they came', () =>
    projecting(userIds)(registered(1, 'ada'), registered(5, 'edsger'), registered(3, 'grace'), passwordChanged(1, 'new')).yields({
      [USER_IDS]: { last: 5 },
    }));
});

describe('any history of users', () => {
  const happening = fc.oneof(
    fc.record({ kind: fc.constant('register' as const), n: fc.nat() }),
    fc.record({ kind: fc.constant('password' as const), n: fc.nat(8) }),
  );
  const histories = fc.array(happening, { maxLength: 30, size: 'max' }).map((all) => {
    const facts: (ReturnType<typeof registered> | ReturnType<typeof passwordChanged>)[] = [];
    let last = 0;
    for (const { kind, n } of all) {
      if (kind === 'register') last += 1;
      facts.push(kind === 'register' ? registered(last, `user-${last}`) : passwordChanged(1 + n, `hash ${facts.length}`));
    }
    return facts;
  });

  it('is what the views come to', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const expected = history.flatMap((fact, n) => {
          if (fact.type !== 'UserRegistered') return [];
          const changes = history
            .slice(n)
            .filter(({ type, data }) => type === 'PasswordChanged' && data.userId === fact.data.userId);
          const passwordHash = changes.at(-1)?.data.passwordHash ?? fact.data.passwordHash;
          return [{ ...userOf(fact, at(n)), passwordHash, securityVersion: 1 + changes.length }];
        });
        projecting(users)(...history).yields(Object.fromEntries(expected.map((user) => [userKey(user.userId), user])));
        projecting(userIds)(...history).yields(expected.length === 0 ? {} : { [USER_IDS]: { last: expected.length } });
      }),
    );
  });
});
