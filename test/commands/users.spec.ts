import type { ChangePassword, RegisterUser } from '../../src/commands/users.ts';
import type { Fact } from '../../src/events/event.ts';
import type { UserEvents } from '../../src/events/users.ts';
import { users } from '../support/deciding.ts';

const HASH = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA';
const OTHER_HASH = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$b3RoZXI';

const register = (username: string, rest: Partial<RegisterUser> = {}): RegisterUser => ({
  type: 'RegisterUser',
  username,
  email: null,
  role: 'user',
  passwordHash: HASH,
  ...rest,
});
const changePassword = (userId: number): ChangePassword => ({ type: 'ChangePassword', userId, passwordHash: OTHER_HASH });

const registered = (
  userId: number,
  username: string,
  rest: Partial<UserEvents['UserRegistered']> = {},
): Fact<'UserRegistered', UserEvents['UserRegistered']> => ({
  type: 'UserRegistered',
  data: { userId, username, email: null, role: 'user', passwordHash: HASH, ...rest },
});
const passwordChanged = (userId: number): Fact => ({ type: 'PasswordChanged', data: { userId, passwordHash: OTHER_HASH } });

describe('registering a user', () => {
  it('gives the first one the id 1', () =>
    users()
      .when(register('ada'))
      .thenRecords([registered(1, 'ada')]));

  it('counts the ids up', () =>
    users(registered(1, 'ada'), registered(2, 'grace'))
      .when(register('edsger'))
      .thenRecords([registered(3, 'edsger')]));

  it('counts on from the highest id, in whatever order they came', () =>
    users(registered(5, 'ada'), registered(2, 'grace'))
      .when(register('edsger'))
      .thenRecords([registered(6, 'edsger')]));

  it('keeps the role and the address', () =>
    users()
      .when(register('ci', { role: 'robot', email: 'ci@example.com' }))
      .thenRecords([registered(1, 'ci', { role: 'robot', email: 'ci@example.com' })]));

  it('is refused for a name that is taken', () =>
    users(registered(1, 'ada')).when(register('ada')).thenRefuses('CONFLICT', { field: 'username' }));

  it('is refused for a name that is taken, whatever was recorded about its user since', () =>
    users(registered(1, 'ada'), passwordChanged(1)).when(register('ada')).thenRefuses('CONFLICT'));
});

describe('a username', () => {
  const allowed = ['a', '0', 'ada', 'ada99', 'ada.lovelace', 'ada_lovelace', 'ada-lovelace', 'a.b-c_d', 'x'.repeat(64)];
  for (const username of allowed) {
    it(`may be ${username}`, () =>
      users()
        .when(register(username))
        .thenRecords([registered(1, username)]));
  }

  const refused: readonly (readonly [why: string, username: string])[] = [
    ['empty', ''],
    ['longer than 64 characters', 'x'.repeat(65)],
    ['in capital letters', 'Ada'],
    ['with a space', 'ada lovelace'],
    ['with a separator in front', '-ada'],
    ['with a separator at the end', 'ada.'],
    ['with two separators in a row', 'ada__lovelace'],
    ['with two different separators in a row', 'ada.-lovelace'],
    ['with a slash', 'ada/app'],
    ['that climbs', '..'],
    ['with a colon, which Basic credentials cannot have', 'ada:lovelace'],
    ['with a line break at the end', 'ada\n'],
    ['outside ASCII', 'ädä'],
    ['with a digit of another script', 'ada٣'],
    ['that stands for erased users', 'erased'],
  ];
  for (const [why, username] of refused) {
    it(`may not be one ${why}`, () => users().when(register(username)).thenRefuses('REQUEST_INVALID', { field: 'username' }));
  }

  it('is refused in short even if it is very long', () =>
    users()
      .when(register(`${'a-'.repeat(100_000)}!`))
      .thenRefuses('REQUEST_INVALID', { field: 'username' }));
});

describe('changing a password', () => {
  it('records the new hash, even if the password was the same: it ends what was issued under the old one', () =>
    users(registered(1, 'ada'), passwordChanged(1))
      .when(changePassword(1))
      .thenRecords([passwordChanged(1)]));

  it('is refused for a user who is not there', () =>
    users(registered(1, 'ada')).when(changePassword(2)).thenRefuses('NOT_FOUND', { userId: 2 }));
});
