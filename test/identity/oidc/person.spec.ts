import { expect } from 'chai';
import fc from 'fast-check';
import { personOf, usernameAfter } from '../../../src/identity/oidc/person.ts';
import type { PeopleOptions } from '../../../src/identity/oidc/provider.ts';

const OPTIONS: PeopleOptions = {
  clientId: 'registry',
  scopes: ['openid'],
  usernameClaim: 'preferred_username',
  roles: [
    { match: { groups: ['admins', 'root/*'] }, role: 'admin' },
    { match: { groups: ['audit'], department: ['it'] }, role: 'auditor' },
  ],
  defaultRole: 'user',
};
const ADA = { sub: 'ada-1', preferred_username: 'ada' };

const NAMES: readonly (readonly [wish: unknown, username: string])[] = [
  ['ada', 'ada'],
  ['Ada.Lovelace', 'ada.lovelace'],
  ['ada@example.com', 'ada'],
  ['Ádà Łovelace', 'adaovelace'],
  ['a..b__c--d', 'a-b-c-d'],
  ['.ada-', 'ada'],
  ['ada/../../root', 'ada-root'],
  ['ada\n', 'ada'],
  ['愛', 'user'],
  ['x'.repeat(500), 'x'.repeat(58)],
  [`${'x'.repeat(57)}.y`, 'x'.repeat(57)],
];

describe('what is taken over of what a provider says of a person', () => {
  for (const [wish, username] of NAMES)
    it(`is the name ${username.slice(0, 20)} for ${JSON.stringify(wish).slice(0, 30)}`, () =>
      expect(personOf({ ...ADA, preferred_username: wish }, OPTIONS)?.username).to.equal(username));

  it('is always a name that one can have here', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), fc.nat(98), (wish, tried) => {
        const person = personOf({ ...ADA, preferred_username: wish }, OPTIONS);
        const username = usernameAfter(person?.username ?? '', tried);
        expect(username).to.match(/^[a-z0-9]+(?:[._-][a-z0-9]+)*$/);
        expect(username.length).to.be.at.most(64);
      }),
    );
  });

  it('is the name in the e-mail address where there is no other, and else any', () => {
    expect(personOf({ sub: 'x', email: 'grace@example.com' }, OPTIONS)?.username).to.equal('grace');
    expect(personOf({ sub: 'x', preferred_username: 7 }, OPTIONS)?.username).to.equal('user');
    expect(personOf({ sub: 'x', nick: 'nick' }, { ...OPTIONS, usernameClaim: 'nick' })?.username).to.equal('nick');
  });

  it('is an address that the provider does not say it has not seen', () => {
    for (const [verified, email] of [
      [true, 'a@b.c'],
      [undefined, 'a@b.c'],
      [false, null],
      ['false', null],
    ] as const)
      expect(personOf({ ...ADA, email: 'a@b.c', email_verified: verified }, OPTIONS)?.email).to.equal(email);
    expect(personOf({ ...ADA, email: ['a@b.c'] }, OPTIONS)?.email).to.equal(null);
  });

  it('is the role of the first rule that matches, else the default', () => {
    for (const [claims, role] of [
      [{ groups: ['x', 'admins'] }, 'admin'],
      [{ groups: 'root/a' }, 'admin'],
      [{ groups: ['audit', 'admins'], department: 'it' }, 'admin'],
      [{ groups: ['audit'], department: 'it' }, 'auditor'],
      [{ groups: ['audit'] }, 'user'],
      [{ groups: 'root/a/b' }, 'user'],
      [{}, 'user'],
    ] as const)
      expect(personOf({ ...ADA, ...claims }, OPTIONS)?.role, JSON.stringify(claims)).to.equal(role);
    expect(personOf(ADA, { ...OPTIONS, defaultRole: null })?.role).to.equal(null);
  });

  it('is nobody without a subject', () => {
    for (const sub of [undefined, '', 7, 'x'.repeat(256)]) expect(personOf({ ...ADA, sub }, OPTIONS)).to.equal(undefined);
  });
});
