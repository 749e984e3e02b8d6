import { expect } from 'chai';
import type { Permission } from '../../src/events/accessTokens.ts';
import type { Level } from '../../src/events/grants.ts';
import type { Role } from '../../src/events/users.ts';
import {
  type Action,
  authorize,
  REGISTRY,
  type Reason,
  type RegistryAction,
  type RepositoryAction,
  type RepositoryResource,
  type Resource,
} from '../../src/identity/authorize.ts';
import type { Caller } from '../../src/identity/caller.ts';
import type { Scope } from '../../src/identity/scopes.ts';

const ANN = 7;
const SOMEBODY = 8;

const ann = (role: Role): Caller => ({ kind: 'user', userId: ANN, username: 'ann', role, securityVersion: 1 });

const CALLERS: Readonly<Record<string, Caller>> = {
  operator: { kind: 'operator' },
  admin: ann('admin'),
  auditor: ann('auditor'),
  user: ann('user'),
  robot: ann('robot'),
  'anonymous, pulls': { kind: 'anonymous', pullsPublic: true },
  anonymous: { kind: 'anonymous' },
};

const existing = (name: string, ownerId: number | null, visibility: 'private' | 'public'): Resource => ({
  type: 'repository',
  name,
  repository: { ownerId, visibility },
});
const missing = (name: string): Resource => ({ type: 'repository', name, repository: undefined });

const RESOURCES: Readonly<Record<string, Resource>> = {
  'ann/web, hers': existing('ann/web', ANN, 'private'),
  "ann/web, somebody's": existing('ann/web', SOMEBODY, 'private'),
  'ann/a/b, missing': missing('ann/a/b'),
  'team/web, hers': existing('team/web', ANN, 'private'),
  'team/web, public': existing('team/web', SOMEBODY, 'public'),
  'team/web, private': existing('team/web', SOMEBODY, 'private'),
  "team/web, nobody's": existing('team/web', null, 'private'),
  'team/web, missing': missing('team/web'),
  'annex/web': existing('annex/web', SOMEBODY, 'private'),
  'annex/web, missing': missing('annex/web'),
  'ann, a name without a namespace': missing('ann'),
  'library/ann/web': missing('library/ann/web'),
};

// One column a caller, in the order of CALLERS: what of (l)oading, (p)ushing, (d)eleting, (c)onfiguring, (i)nspecting and (t)ransferring is allowed.
const MATRIX: Readonly<Record<string, string>> = {
  //                                  operator admin auditor user robot anonymous+ anonymous
  'ann/web, hers': '                  lpdcit     lpdcit  li       lpdcit lpdcit  -          -',
  "ann/web, somebody's": '            lpdcit     lpdcit  li       lpdcit lpdcit  -          -',
  'ann/a/b, missing': '               lpdcit     lpdcit  li       lpdcit lpdcit  -          -',
  'team/web, hers': '                 lpdcit     lpdcit  li       lpdcit lpdcit  -          -',
  'team/web, public': '               lpdcit     lpdcit  li       l    l     l          -',
  'team/web, private': '              lpdcit     lpdcit  li       -    -     -          -',
  "team/web, nobody's": '             lpdcit     lpdcit  li       -    -     -          -',
  'team/web, missing': '              lpdcit     lpdcit  li       -    -     -          -',
  'annex/web': '                      lpdcit     lpdcit  li       -    -     -          -',
  'annex/web, missing': '             lpdcit     lpdcit  li       -    -     -          -',
  'ann, a name without a namespace': 'lpdcit     lpdcit  li       -    -     -          -',
  'library/ann/web': '                lpdcit     lpdcit  li       -    -     -          -',
};
const LETTERS: Readonly<Record<RepositoryAction, string>> = {
  pull: 'l',
  push: 'p',
  delete: 'd',
  configure: 'c',
  inspect: 'i',
  transfer: 't',
};

const REGISTRY_MATRIX: Readonly<Record<RegistryAction, string>> = {
  catalog: 'yes yes yes yes yes yes no',
  version: 'yes yes yes yes yes no no',
  readUsers: 'yes yes yes no no no no',
  manageUsers: 'yes yes no no no no no',
  readOwnAccount: 'yes yes yes yes yes no no',
  manageOwnAccount: 'yes yes yes yes yes no no',
  readAccess: 'yes yes yes no no no no',
  manageAccess: 'yes yes no no no no no',
  readTeams: 'yes yes yes yes yes no no',
  manageKeys: 'yes yes no no no no no',
  monitor: 'yes yes yes no no no no',
  readAudit: 'yes yes yes no no no no',
  readLogs: 'yes yes no no no no no',
};

const ACTIONS = ['pull', 'push', 'delete', 'configure', 'inspect', 'transfer'] as const;
const allowed = (caller: Caller, action: Action, resource: Resource): boolean => authorize(caller, action, resource).allowed;
const cells = (row: string): string[] => row.trim().split(/ +/);
const callers = Object.entries(CALLERS);

describe('authorize', () => {
  for (const [what, resource] of Object.entries(RESOURCES)) {
    it(`grants of ${what} what the matrix says, and no more`, () => {
      const granted = callers.map(
        ([, caller]) =>
          ACTIONS.filter((action) => allowed(caller, action, resource))
            .map((a) => LETTERS[a])
            .join('') || '-',
      );
      expect(granted).to.deep.equal(cells(MATRIX[what] ?? ''));
    });
  }

  for (const action of Object.keys(REGISTRY_MATRIX) as RegistryAction[]) {
    it(`grants the registry's ${action} to whom the matrix says`, () => {
      const granted = callers.map(([, caller]) => (allowed(caller, action, REGISTRY) ? 'yes' : 'no'));
      expect(granted).to.deep.equal(cells(REGISTRY_MATRIX[action]));
    });
  }

  it('lets an anonymous token see the version, where anonymous callers may pull', () => {
    expect(allowed({ kind: 'anonymous', pullsPublic: true, access: [] }, 'version', REGISTRY)).to.equal(true);
    expect(allowed({ kind: 'anonymous', pullsPublic: false, access: [] }, 'version', REGISTRY)).to.equal(false);
  });

  describe('with a scoped token', () => {
    const NAMES = ['ann/web', 'team/web', 'ann/webs', 'catalog'];
    const SETS: readonly (readonly string[])[] = [
      [],
      ['pull'],
      ['push'],
      ['delete'],
      ['pull', 'push'],
      ['pull', 'push', 'delete'],
      ['*'],
      ['catalog'],
    ];
    const scoped = (caller: Caller, access: readonly Scope[]): Caller =>
      caller.kind === 'operator' ? caller : { ...caller, access };

    for (const [who, caller] of callers.filter(([, { kind }]) => kind !== 'operator')) {
      it(`grants ${who} what both the token and its user may do, whatever the scopes`, () => {
        for (const resource of Object.values(RESOURCES)) {
          for (const type of ['repository', 'registry']) {
            for (const name of NAMES) {
              for (const actions of SETS) {
                for (const action of ACTIONS) {
                  const named = resource.type === 'repository' && type === 'repository' && resource.name === name;
                  const inToken = named && (actions.includes(action) || actions.includes('*'));
                  const expected = inToken && allowed(caller, action, resource);
                  expect(allowed(scoped(caller, [{ type, name, actions }]), action, resource)).to.equal(expected);
                }
              }
            }
          }
        }
      });
    }

    it('grants the catalog with registry:catalog:* alone', () => {
      const listing = (type: string, name: string, actions: string[]): boolean =>
        allowed(scoped(ann('admin'), [{ type, name, actions }]), 'catalog', REGISTRY);
      expect(listing('registry', 'catalog', ['*'])).to.equal(true);
      expect(listing('registry', 'catalog', ['pull'])).to.equal(false);
      expect(listing('repository', 'catalog', ['*'])).to.equal(false);
      expect(listing('registry', 'other', ['*'])).to.equal(false);
      expect(allowed(scoped(ann('user'), []), 'catalog', REGISTRY)).to.equal(false);
    });

    it('grants the version with any scopes, since it shows nothing but that the token works', () => {
      expect(allowed(scoped(ann('user'), []), 'version', REGISTRY)).to.equal(true);
    });

    it('looks at every scope of the token', () => {
      const access = [
        { type: 'repository', name: 'ann/base', actions: ['pull'] },
        { type: 'repository', name: 'ann/web', actions: ['push'] },
      ];
      expect(allowed(scoped(ann('user'), access), 'push', missing('ann/web'))).to.equal(true);
      expect(allowed(scoped(ann('user'), access), 'push', missing('ann/base'))).to.equal(false);
    });
  });

  describe('with an access token', () => {
    const holding = (role: Role, permissions: readonly Permission[], ...repositories: readonly string[]): Caller =>
      ({ ...ann(role), token: { tokenId: 5, permissions, repositories, expiresAt: null } }) as Caller;
    const PERMISSIONS: readonly Permission[] = ['pull', 'push', 'delete', 'admin'];
    // Every set of permissions there is.
    const SETS = Array.from({ length: 16 }, (_, n) => PERMISSIONS.filter((_permission, bit) => (n >> bit) % 2 === 1));
    const GLOBS: readonly (readonly string[])[] = [[], ['ann/web'], ['ann/*'], ['team/*', 'annex/web'], ['web/*'], ['an/*']];
    const inGlobs = (globs: readonly string[], name: string): boolean =>
      globs.length === 0 || globs.some((glob) => glob === name || (glob.endsWith('/*') && name.startsWith(glob.slice(0, -1))));

    for (const role of ['admin', 'auditor', 'user', 'robot'] as const) {
      it(`grants ${role} in repositories what both the token and its owner may do`, () => {
        for (const resource of Object.values(RESOURCES)) {
          if (resource.type !== 'repository') continue;
          for (const permissions of SETS)
            for (const globs of GLOBS)
              for (const action of ACTIONS) {
                const inToken = (permissions as readonly Action[]).includes(action) || permissions.includes('admin');
                const expected = inToken && inGlobs(globs, resource.name) && allowed(ann(role), action, resource);
                const granted = allowed(holding(role, permissions, ...globs), action, resource);
                expect(granted, `${action} ${resource.name} with ${permissions} for ${globs}`).to.equal(expected);
              }
        }
      });

      it(`grants ${role} users and tokens with the permission admin for all repositories alone`, () => {
        for (const action of [
          'readUsers',
          'manageUsers',
          'manageOwnAccount',
          'readAccess',
          'manageAccess',
          'manageKeys',
          'readAudit',
          'readLogs',
        ] as const)
          for (const permissions of SETS)
            for (const globs of GLOBS) {
              const inToken = permissions.includes('admin') && globs.length === 0;
              const expected = inToken && allowed(ann(role), action, REGISTRY);
              expect(allowed(holding(role, permissions, ...globs), action, REGISTRY)).to.equal(expected);
            }
      });
    }

    it('lets every token ask for the version and for its owner', () => {
      for (const action of ['version', 'readOwnAccount'] as const)
        for (const globs of GLOBS) expect(allowed(holding('user', [], ...globs), action, REGISTRY)).to.equal(true);
    });

    it('grants the catalog and the monitoring of an auditor to those who may pull, everywhere', () => {
      for (const action of ['catalog', 'monitor'] as const) {
        const reading = (permissions: readonly Permission[], ...globs: readonly string[]): boolean =>
          allowed(holding('auditor', permissions, ...globs), action, REGISTRY);
        const read = [reading(['pull']), reading(['admin']), reading(['push', 'delete']), reading(['pull'], 'ann/*')];
        expect(read, action).to.deep.equal([true, true, false, false]);
      }
    });

    it('takes a prefix for what stands under it, and not for itself or its neighbours', () => {
      const pulls = (name: string): boolean => allowed(holding('admin', ['pull'], 'team/*'), 'pull', missing(name));
      expect(['team/a', 'team/a/b', 'team', 'team/', 'teams/a', 'x/team/a'].map(pulls)).to.deep.equal([
        ...[true, true, false, false, false, false],
      ]);
    });

    it('is cut down once more by the scopes of a login that was made from it', () => {
      const access = [{ type: 'repository', name: 'ann/web', actions: ['pull', 'push'] }];
      const caller = { ...holding('user', ['pull']), access } as Caller;
      expect(allowed(caller, 'pull', missing('ann/web'))).to.equal(true);
      expect(allowed(caller, 'push', missing('ann/web')), 'not in the token').to.equal(false);
      expect(allowed(caller, 'pull', missing('ann/base')), 'not in the scopes').to.equal(false);
    });
  });

  describe('says why not:', () => {
    const privately = existing('team/web', SOMEBODY, 'private');
    const cases: readonly (readonly [Reason, Caller, Action, Resource])[] = [
      ['anonymous', { kind: 'anonymous', pullsPublic: true }, 'pull', privately],
      ['anonymous', { kind: 'anonymous', pullsPublic: true }, 'push', privately],
      ['private', ann('user'), 'pull', privately],
      ['private', ann('user'), 'pull', missing('team/web')],
      ['notYours', ann('user'), 'push', privately],
      ['notYours', ann('robot'), 'delete', privately],
      ['readOnly', ann('auditor'), 'push', missing('ann/web')],
      ['tokenScope', { ...ann('admin'), access: [] } as Caller, 'pull', privately],
      ['notYours', ann('user'), 'readUsers', REGISTRY],
      ['readOnly', ann('auditor'), 'manageUsers', REGISTRY],
      ['unknownAction', ann('admin'), 'catalog', privately],
      ['unknownAction', { kind: 'operator' }, 'push', REGISTRY],
      ['unknownAction', ann('admin'), 'toString' as Action, privately],
    ];
    for (const [reason, caller, action, resource] of cases) {
      const who = caller.kind === 'user' ? caller.role : caller.kind;
      it(`${reason}, to ${who} who wants to ${action}`, () => {
        expect(authorize(caller, action, resource)).to.deep.equal({ allowed: false, reason });
      });
    }
  });

  describe('with a grant', () => {
    const granting = (what: string, level: Level): Resource => ({ ...(RESOURCES[what] as RepositoryResource), level });
    const SOMEBODYS = ['team/web, private', "team/web, nobody's", 'team/web, missing', 'annex/web'];
    const GIVES: Readonly<Record<Level, string>> = { read: 'l', write: 'lp', admin: 'lpdci' };

    for (const level of ['read', 'write', 'admin'] as const)
      it(`to ${level} gives users and robots ${GIVES[level]}, and nobody else anything`, () => {
        for (const what of SOMEBODYS)
          for (const [who, caller] of callers) {
            const letters = ACTIONS.filter((action) => allowed(caller, action, granting(what, level))).map((a) => LETTERS[a]);
            const without = ACTIONS.filter((action) => allowed(caller, action, RESOURCES[what] as Resource)).map(
              (a) => LETTERS[a],
            );
            const expected = who === 'user' || who === 'robot' ? GIVES[level] : without.join('');
            expect(letters.join(''), `${who}, ${what}`).to.equal(expected);
          }
      });

    it('takes nothing away from what the caller may do without it', () => {
      for (const what of Object.keys(RESOURCES))
        for (const level of ['read', 'write', 'admin'] as const)
          for (const [, caller] of callers)
            for (const action of ACTIONS)
              if (allowed(caller, action, RESOURCES[what] as Resource))
                expect(allowed(caller, action, granting(what, level)), `${action} ${what}`).to.equal(true);
    });
  });
});
