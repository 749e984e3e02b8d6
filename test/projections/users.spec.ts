import fc from 'fast-check';
import type { Fact } from '../../src/events/event.ts';
import type { UserEvents } from '../../src/events/users.ts';
import { USER_IDS, userIds, userKey, usernameKey, usernames, users } from '../../src/projections/users.ts';
import { at } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';

const registered = (userId: number, username: string): Fact<'UserRegistered', UserEvents['UserRegistered']> => ({
  type: 'UserRegistered',
  data: { userId, username, email: `${username}@example.com`, role: 'user', passwordHash: `hash of ${username}` },
});
const passwordChanged = (userId: number, passwordHash: string): Fact<'PasswordChanged', UserEvents['PasswordChanged']> => ({
  type: 'PasswordChanged',
  data: { userId, passwordHash },
});
const ada = { ...registered(1, 'ada').data, securityVersion: 1, registeredAt: at(0) };

describe('the users', () => {
  it('are one document each, under their id', () =>
    projecting(users)(registered(1, 'ada'), registered(2, 'grace')).yields({
      [userKey(1)]: ada,
      [userKey(2)]: { ...registered(2, 'grace').data, securityVersion: 1, registeredAt: at(1) },
    }));

  it('have another security version with each new password: what was issued under an older one ends', () =>
    projecting(users)(registered(1, 'ada'), passwordChanged(1, 'new'), passwordChanged(1, 'newer')).yields({
      [userKey(1)]: { ...ada, passwordHash: 'newer', securityVersion: 3 },
    }));

  it('do not come to be by a new password', () => projecting(users)(passwordChanged(7, 'new')).yields({}));
});

describe('the usernames', () => {
  it('say whose they are', () =>
    projecting(usernames)(registered(1, 'ada'), registered(2, 'grace'), passwordChanged(1, 'new')).yields({
      ada: { userId: 1 },
      grace: { userId: 2 },
    }));

  it('are the same in capital letters', () =>
    projecting(usernames)(registered(1, 'Ada')).yields({ [usernameKey('ADA')]: { userId: 1 } }));
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
          return [{ ...fact.data, passwordHash, securityVersion: 1 + changes.length, registeredAt: at(n) }];
        });
        projecting(users)(...history).yields(Object.fromEntries(expected.map((user) => [userKey(user.userId), user])));
        projecting(usernames)(...history).yields(
          Object.fromEntries(expected.map(({ username, userId }) => [usernameKey(username), { userId }])),
        );
        projecting(userIds)(...history).yields(expected.length === 0 ? {} : { [USER_IDS]: { last: expected.length } });
      }),
    );
  });
});
