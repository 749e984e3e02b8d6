import type {
  ChangePassword,
  ChangeUser,
  DeleteUser,
  EndSession,
  ErasePerson,
  RegisterIdentity,
  RegisterUser,
  ReserveUsername,
} from '../../src/commands/users.ts';
import type { Fact } from '../../src/events/event.ts';
import type { Role, UserEvents } from '../../src/events/users.ts';
import { users } from '../support/deciding.ts';
import { at, fingerprintOf } from '../support/facts.ts';

const HASH = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA';
const OTHER_HASH = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$b3RoZXI';

const register = (username: string, rest: Partial<RegisterUser> = {}): RegisterUser => ({
  type: 'RegisterUser',
  username,
  fingerprint: fingerprintOf(username),
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
const change = (userId: number, changes: Omit<ChangeUser, 'type' | 'userId'>): ChangeUser => ({
  type: 'ChangeUser',
  userId,
  ...changes,
});
const remove = (userId: number): DeleteUser => ({ type: 'DeleteUser', userId });
const endSession = (userId: number, sessionId: string): EndSession => ({
  type: 'EndSession',
  userId,
  sessionId,
  expiresAt: at(1000),
});

const fact = <T extends keyof UserEvents>(type: T, data: UserEvents[T]): Fact<T, UserEvents[T]> => ({ type, data });
const emailChanged = (userId: number, email: string | null) => fact('EmailChanged', { userId, email });
const roleChanged = (userId: number, previous: Role, role: Role) => fact('RoleChanged', { userId, role, previous });
const suspended = (userId: number) => fact('UserSuspended', { userId });
const reinstated = (userId: number, role: Role) => fact('UserReinstated', { userId, role });
const deleted = (userId: number) => fact('UserDeleted', { userId });
const sessionEnded = (userId: number, sessionId: string) => fact('SessionEnded', { userId, sessionId, expiresAt: at(1000) });

const reserved = (userId: number, username: string) => fact('UsernameReserved', { userId, fingerprint: fingerprintOf(username) });
const ISSUER = 'https://id.example.com';
const linked = (userId: number, subject: string) =>
  fact('IdentityLinked', { userId, issuer: ISSUER, subject, fingerprint: fingerprintOf(subject) });
/** All that is told of a new user. */
const made = (...[userId, username, rest]: Parameters<typeof registered>) => [
  registered(userId, username, rest),
  reserved(userId, username),
];

const passwordChanged = (userId: number): Fact => ({ type: 'PasswordChanged', data: { userId, passwordHash: OTHER_HASH } });

describe('registering a user', () => {
  it('gives the first one the id 1', () => users().when(register('ada')).thenRecords(made(1, 'ada')));

  it('counts the ids up', () =>
    users(registered(1, 'ada'), registered(2, 'grace')).when(register('edsger')).thenRecords(made(3, 'edsger')));

  it('counts on from the highest id, in whatever order they came', () =>
    users(registered(5, 'ada'), registered(2, 'grace')).when(register('edsger')).thenRecords(made(6, 'edsger')));

  it('keeps the role and the address', () =>
    users()
      .when(register('ci', { role: 'robot', email: 'ci@example.com' }))
      .thenRecords(made(1, 'ci', { role: 'robot', email: 'ci@example.com' })));

  it('is refused for a name that is taken', () =>
    users(...made(1, 'ada'))
      .when(register('ada'))
      .thenRefuses('CONFLICT', { field: 'username' }));

  it('is refused for a name that is taken, whatever was recorded about its user since', () =>
    users(...made(1, 'ada'), passwordChanged(1))
      .when(register('ada'))
      .thenRefuses('CONFLICT'));
});

describe('a username', () => {
  const allowed = ['a', '0', 'ada', 'ada99', 'ada.lovelace', 'ada_lovelace', 'ada-lovelace', 'a.b-c_d', 'x'.repeat(64)];
  for (const username of allowed) {
    it(`may be ${username}`, () => users().when(register(username)).thenRecords(made(1, username)));
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
    ['that stands for everybody without a login', 'anonymous'],
    ['that stands for the registry itself', 'system'],
    ['that people would take for an operator', 'administrator'],
    ['whose namespace is everybody’s', 'library'],
  ];
  for (const [why, username] of refused) {
    it(`may not be one ${why}`, () => users().when(register(username)).thenRefuses('REQUEST_INVALID', { field: 'username' }));
  }

  it('is refused in short even if it is very long', () =>
    users()
      .when(register(`${'a-'.repeat(100_000)}!`))
      .thenRefuses('REQUEST_INVALID', { field: 'username' }));
});

describe('an e-mail address', () => {
  const registering = (email: string | null) => users().when(register('ada', { email }));

  for (const email of ['ada@example.com', 'a@b', "o'hara+x=1@mail.example.co.uk", `${'x'.repeat(64)}@example.com`])
    it(`may be ${email}`, () => registering(email).thenRecords(made(1, 'ada', { email })));

  it('keeps the case of its name and not that of its domain, which has none', () =>
    registering('Ada.L@Example.COM').thenRecords(made(1, 'ada', { email: 'Ada.L@example.com' })));

  it('may be that of another user: nobody logs in with it', () =>
    users(registered(1, 'ada', { email: 'team@example.com' }))
      .when(register('ci', { email: 'team@example.com' }))
      .thenRecords(made(2, 'ci', { email: 'team@example.com' })));

  const refused: readonly (readonly [why: string, email: string])[] = [
    ['empty', ''],
    ['without @', 'ada'],
    ['with two', 'ada@home@example.com'],
    ['without a name', '@example.com'],
    ['without a domain', 'ada@'],
    ['with a space', 'ada @example.com'],
    ['with a line break', 'ada@example.com\n'],
    ['with a line break and a header', 'ada@example.com\r\nBcc: eve@example.com'],
    ['with a dot at the end', 'ada@example.com.'],
    ['with two dots in its domain', 'ada@example..com'],
    ['with a domain that begins with a dash', 'ada@-example.com'],
    ['in angle brackets', '<ada@example.com>'],
    ['of more than 254 characters', `ada@${'x.'.repeat(130)}com`],
  ];
  for (const [why, email] of refused)
    it(`may not be one ${why}`, async () => {
      await registering(email).thenRefuses('REQUEST_INVALID', { field: 'email' });
      await users(registered(1, 'ada')).when(change(1, { email })).thenRefuses('REQUEST_INVALID', { field: 'email' });
    });
});

describe('changing a user', () => {
  const ada = registered(1, 'ada', { email: 'ada@example.com' });
  const root = registered(2, 'boss', { role: 'admin' });

  it('records what is new, each as a fact of its own, in one go', () =>
    users(ada, root)
      .when(change(1, { email: 'ada@example.org', role: 'auditor', suspended: true }))
      .thenRecords([emailChanged(1, 'ada@example.org'), roleChanged(1, 'user', 'auditor'), suspended(1)]));

  it('records nothing of what is so already', () =>
    users(ada, root)
      .when(change(1, { email: 'ada@EXAMPLE.com', role: 'user', suspended: false }))
      .thenNothing());

  it('records nothing when nothing is given', () => users(ada).when(change(1, {})).thenNothing());

  it('takes the address away', () =>
    users(ada)
      .when(change(1, { email: null }))
      .thenRecords([emailChanged(1, null)]));

  it('changes nothing when one of the changes may not be', () =>
    users(ada, root)
      .when(change(2, { email: 'boss@example.org', role: 'user' }))
      .thenRefuses('CONFLICT', { field: 'role' }));

  it('reinstates before it changes the role, and suspends after', async () => {
    await users(ada, suspended(1))
      .when(change(1, { suspended: false, role: 'admin' }))
      .thenRecords([reinstated(1, 'user'), roleChanged(1, 'user', 'admin')]);
    await users(ada, root)
      .when(change(1, { suspended: true, role: 'admin' }))
      .thenRecords([roleChanged(1, 'user', 'admin'), suspended(1)]);
  });

  it('is refused for a user who is not there, or not any more', async () => {
    await users(ada)
      .when(change(7, { role: 'admin' }))
      .thenRefuses('NOT_FOUND', { userId: 7 });
    await users(ada, deleted(1))
      .when(change(1, { email: null }))
      .thenRefuses('NOT_FOUND', { userId: 1 });
  });

  it('makes no administrator of a suspended user', () =>
    users(ada, root, suspended(1))
      .when(change(1, { role: 'admin' }))
      .thenRefuses('CONFLICT', { field: 'role' }));
});

describe('the last administrator who may log in', () => {
  const boss = registered(1, 'boss', { role: 'admin' });
  const deputy = registered(2, 'deputy', { role: 'admin' });
  const LOSSES: Readonly<Record<string, readonly [command: ChangeUser | DeleteUser, fact: Fact, field: string]>> = {
    demoted: [change(1, { role: 'user' }), roleChanged(1, 'admin', 'user'), 'role'],
    suspended: [change(1, { suspended: true }), suspended(1), 'suspended'],
    deleted: [remove(1), deleted(1), 'id'],
  };

  const alone: Readonly<Record<string, readonly Fact[]>> = {
    'who was always the only one': [boss, registered(2, 'ada')],
    'whose deputy was demoted': [boss, deputy, roleChanged(2, 'admin', 'user')],
    'whose deputy is suspended': [boss, deputy, suspended(2)],
    'whose deputy was deleted': [boss, deputy, deleted(2)],
    'whose deputy came back as a user': [boss, deputy, suspended(2), roleChanged(2, 'admin', 'user'), reinstated(2, 'user')],
    'who came to be one': [deputy, registered(1, 'ada'), roleChanged(1, 'user', 'admin'), suspended(2)],
  };
  for (const [who, history] of Object.entries(alone))
    for (const [what, [command, , field]] of Object.entries(LOSSES))
      it(`${who} cannot be ${what}`, () =>
        users(...history)
          .when(command)
          .thenRefuses('CONFLICT', { field }));

  const together: Readonly<Record<string, readonly Fact[]>> = {
    'who was made one': [boss, deputy],
    'who was promoted': [boss, registered(2, 'ada'), roleChanged(2, 'user', 'admin')],
    'who is back': [boss, deputy, suspended(2), reinstated(2, 'admin')],
  };
  for (const [who, history] of Object.entries(together))
    for (const [what, [command, recorded]] of Object.entries(LOSSES))
      it(`can be ${what} where there is another one ${who}`, () =>
        users(...history)
          .when(command)
          .thenRecords([recorded]));

  it('may change everything else', () =>
    users(boss)
      .when(change(1, { email: 'boss@example.com' }))
      .thenRecords([emailChanged(1, 'boss@example.com')]));
});

describe('deleting a user', () => {
  const boss = registered(1, 'boss', { role: 'admin' });

  it('is recorded', () =>
    users(boss, registered(2, 'ada'))
      .when(remove(2))
      .thenRecords([deleted(2)]));

  it('is refused the second time: there is nobody any more', () =>
    users(boss, registered(2, 'ada'), deleted(2)).when(remove(2)).thenRefuses('NOT_FOUND', { userId: 2 }));

  it('does not free the name, in whatever case', async () => {
    await users(boss, ...made(2, 'ada'), deleted(2))
      .when(register('ada'))
      .thenRefuses('CONFLICT', { field: 'username' });
    await users(boss, ...made(2, 'ADA'), deleted(2))
      .when(register('ada'))
      .thenRefuses('CONFLICT', { field: 'username' });
  });

  it('does not free the id', () =>
    users(boss, registered(2, 'ada'), deleted(2)).when(register('eve')).thenRecords(made(3, 'eve')));
});

describe('erasing a person', () => {
  const boss = registered(1, 'boss', { role: 'admin' });
  const erase = (userId: number): ErasePerson => ({ type: 'ErasePerson', userId });
  const erased = (userId: number, ...identities: readonly string[]) => fact('PersonErased', { userId, identities });

  it('deletes the user in the same go', () =>
    users(boss, ...made(2, 'ada'))
      .when(erase(2))
      .thenRecords([deleted(2), erased(2)]));

  it('is recorded of one who was deleted before', () =>
    users(boss, ...made(2, 'ada'), deleted(2))
      .when(erase(2))
      .thenRecords([erased(2)]));

  it('names the identities, so that they are linked to nobody', () =>
    users(boss, ...made(2, 'ada'), linked(2, 'one'), deleted(2))
      .when(erase(2))
      .thenRecords([erased(2, fingerprintOf('one'))]));

  it('records nothing the second time', () =>
    users(boss, ...made(2, 'ada'), deleted(2), erased(2))
      .when(erase(2))
      .thenNothing());

  it('is refused for one who never was', () => users(boss).when(erase(7)).thenRefuses('NOT_FOUND', { userId: 7 }));

  it('is refused for the last administrator', () =>
    users(boss, ...made(2, 'ada'))
      .when(erase(1))
      .thenRefuses('CONFLICT', { field: 'id' }));

  it('does not free the name, in whatever case', () =>
    users(boss, registered(2, 'erased'), reserved(2, 'ADA'), deleted(2), erased(2))
      .when(register('ada'))
      .thenRefuses('CONFLICT', { field: 'username' }));

  it('leaves nobody who could be changed', async () => {
    const history = users(boss, ...made(2, 'ada'), deleted(2), erased(2));
    for (const command of [changePassword(2), change(2, { email: null }), remove(2), endSession(2, 's1')])
      await history.when(command).thenRefuses('NOT_FOUND', { userId: 2 });
  });
});

describe('somebody whom an identity provider knows', () => {
  const registerIdentity = (username: string, subject: string): RegisterIdentity => ({
    type: 'RegisterIdentity',
    issuer: ISSUER,
    subject,
    identity: fingerprintOf(subject),
    username,
    fingerprint: fingerprintOf(username),
    email: null,
    role: 'user',
  });
  const madeFrom = (userId: number, username: string, subject: string) => [
    ...made(userId, username, { passwordHash: 'none' }),
    linked(userId, subject),
  ];

  it('is a user without a password, and the identity of this user', () =>
    users()
      .when(registerIdentity('ada', 'sub-1'))
      .thenRecords(madeFrom(1, 'ada', 'sub-1')));

  it('becomes no second user', () =>
    users(...madeFrom(1, 'ada', 'sub-1'))
      .when(registerIdentity('ada-2', 'sub-1'))
      .thenRefuses('CONFLICT', { field: 'subject' }));

  it('gets no name that another user has', () =>
    users(...made(1, 'ada'))
      .when(registerIdentity('ada', 'sub-1'))
      .thenRefuses('CONFLICT', { field: 'username' }));

  it('is somebody new after the person was erased, under another name', () => {
    const gone = [
      ...madeFrom(1, 'ada', 'sub-1'),
      deleted(1),
      fact('PersonErased', { userId: 1, identities: [fingerprintOf('sub-1')] }),
    ];
    return users(...gone)
      .when(registerIdentity('ada-2', 'sub-1'))
      .thenRecords(madeFrom(2, 'ada-2', 'sub-1'));
  });
});

describe('reserving the name of a user of an older log', () => {
  const reserve = (userId: number, username: string): ReserveUsername => ({
    type: 'ReserveUsername',
    userId,
    fingerprint: fingerprintOf(username),
  });

  it('is recorded once', async () => {
    await users(registered(1, 'ada'))
      .when(reserve(1, 'ada'))
      .thenRecords([reserved(1, 'ada')]);
    await users(...made(1, 'ada'))
      .when(reserve(1, 'ada'))
      .thenNothing();
  });

  it('is recorded of one who was deleted, too', () =>
    users(registered(1, 'ada'), deleted(1))
      .when(reserve(1, 'ada'))
      .thenRecords([reserved(1, 'ada')]));
});

describe('ending a session', () => {
  it('is recorded once', async () => {
    await users(registered(1, 'ada'))
      .when(endSession(1, 's1'))
      .thenRecords([sessionEnded(1, 's1')]);
    await users(registered(1, 'ada'), sessionEnded(1, 's1')).when(endSession(1, 's1')).thenNothing();
  });

  it('is refused for a user who is not there', () =>
    users(registered(1, 'ada'), deleted(1)).when(endSession(1, 's1')).thenRefuses('NOT_FOUND'));
});

describe('changing a password', () => {
  it('records the new hash, even if the password was the same: it ends what was issued under the old one', () =>
    users(registered(1, 'ada'), passwordChanged(1))
      .when(changePassword(1))
      .thenRecords([passwordChanged(1)]));

  it('is refused for a user who is not there', () =>
    users(registered(1, 'ada')).when(changePassword(2)).thenRefuses('NOT_FOUND', { userId: 2 }));
});
