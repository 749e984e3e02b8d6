import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigError } from '../src/config.ts';
import type { Provider } from '../src/identity/oidc/provider.ts';
import { readProviders } from '../src/oidcFile.ts';
import { scratchFolder } from './support/processes.ts';

const RULE = { match: { sub: 'a' }, repositories: ['a/*'], actions: ['pull'] };
const CI = { name: 'ci', issuer: 'https://ci.example.com', audience: 'https://registry.example.com', workloads: [RULE] };
const PEOPLE = { name: 'corp', issuer: 'https://id.example.com/realms/corp', people: { clientId: 'registry' } };

describe('the file of identity providers', () => {
  const folder = scratchFolder();
  const file = join(folder.path, 'oidc.json');
  after(() => folder.remove());

  const read = (content: unknown): readonly Provider[] => {
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    return readProviders(file);
  };
  const problemsOf = (content: unknown): string => {
    try {
      read(content);
    } catch (error) {
      if (error instanceof ConfigError) return error.problems.join('\n');
      throw error;
    }
    return '';
  };

  it('has what the registry needs, with the least that one must say', () => {
    const rule = { match: { sub: ['a'] }, repositories: ['a/*'], actions: ['pull'], maxSeconds: 900 };
    expect(read({ issuers: [CI, PEOPLE] })).to.deep.equal([
      { name: 'ci', issuer: CI.issuer, audiences: [CI.audience], maxAgeSeconds: 86_400, workloads: [rule] },
      {
        name: 'corp',
        issuer: PEOPLE.issuer,
        audiences: [],
        maxAgeSeconds: 86_400,
        workloads: [],
        people: {
          clientId: 'registry',
          scopes: ['openid', 'profile', 'email'],
          usernameClaim: 'preferred_username',
          roles: [],
          defaultRole: 'user',
        },
      },
    ]);
  });

  it('names files beside it', () => {
    writeFileSync(join(folder.path, 'secret'), 'of-the-client\n');
    const people = { clientId: 'registry', clientSecretFile: 'secret', defaultRole: 'none', scopes: ['groups'] };
    const [ci, corp] = read({
      issuers: [
        { ...CI, keysFile: 'keys.json' },
        { ...PEOPLE, people },
      ],
    });
    expect(ci?.keys).to.deep.equal({ file: join(folder.path, 'keys.json') });
    expect(corp?.people).to.include({ clientSecret: 'of-the-client', defaultRole: null });
    expect(corp?.people?.scopes).to.deep.equal(['openid', 'groups']);
  });

  const WRONG: readonly (readonly [what: string, content: unknown, says: string])[] = [
    ['no JSON', '{', 'JSON'],
    ['no issuers', {}, 'the file has no issuers'],
    ['an issuer that nothing is said of', { issuers: [{}] }, 'issuers.0 has no name'],
    ['a mistyped field', { issuers: [{ ...CI, audiance: 'x' }] }, 'issuers.0 has "audiance", which is not known'],
    ['a name with a colon', { issuers: [{ ...CI, name: 'a:b' }] }, 'issuers.0.name must match'],
    ['an issuer without https', { issuers: [{ ...CI, issuer: 'http://ci.example.com' }] }, 'issuer must be an https URL'],
    ['an issuer with a query', { issuers: [{ ...CI, issuer: 'https://ci.example.com/?x=1' }] }, 'issuer must be an https URL'],
    ['an issuer with a password', { issuers: [{ ...CI, issuer: 'https://a:b@ci.example.com' }] }, 'issuer must be an https URL'],
    ['keys without https', { issuers: [{ ...CI, keysUrl: 'http://ci.example.com/keys' }] }, 'keysUrl must be an https URL'],
    [
      'keys in two places',
      { issuers: [{ ...CI, keysUrl: 'https://ci.example.com/keys', keysFile: 'x' }] },
      'keysUrl or keysFile',
    ],
    ['workloads for any audience', { issuers: [{ ...CI, audience: undefined }] }, 'workloads need an audience'],
    ['nobody to let in', { issuers: [{ ...CI, workloads: [] }] }, 'lets nobody in'],
    [
      'a rule about everybody',
      { issuers: [{ ...CI, workloads: [{ ...RULE, match: {} }] }] },
      'workloads.0.match must NOT have fewer',
    ],
    [
      'a glob in the middle of a name',
      { issuers: [{ ...CI, workloads: [{ ...RULE, repositories: ['a/*/b'] }] }] },
      'repositories.0 must match',
    ],
    [
      'a rule about all repositories',
      { issuers: [{ ...CI, workloads: [{ ...RULE, repositories: ['*'] }] }] },
      'repositories.0 must match',
    ],
    [
      'an action that there is not',
      { issuers: [{ ...CI, workloads: [{ ...RULE, actions: ['admin'] }] }] },
      'must be one of pull, push, delete',
    ],
    ['tokens that live too long', { issuers: [{ ...CI, workloads: [{ ...RULE, maxMinutes: 16 }] }] }, 'maxMinutes must be <= 15'],
    ['two of one name', { issuers: [CI, { ...CI, issuer: 'https://other.example.com' }] }, 'another issuer of that name'],
    ['two of one issuer', { issuers: [CI, { ...CI, name: 'other' }] }, 'another one with that issuer'],
    [
      'a role that there is not',
      { issuers: [{ ...PEOPLE, people: { clientId: 'x', defaultRole: 'guest' } }] },
      'must be one of admin, user, auditor, robot, none',
    ],
    [
      'a secret that is not there',
      { issuers: [{ ...PEOPLE, people: { clientId: 'x', clientSecretFile: 'missing' } }] },
      'ENOENT',
    ],
  ];
  for (const [what, content, says] of WRONG)
    it(`is refused with ${what}, in words`, () => {
      expect(problemsOf(content))
        .to.contain(says)
        .and.to.match(/^GHOSTDOCK_OIDC_FILE, /);
    });

  it('is refused where it is not there', () => {
    expect(() => readProviders(join(folder.path, 'none.json'))).to.throw(ConfigError, 'ENOENT');
  });
});
