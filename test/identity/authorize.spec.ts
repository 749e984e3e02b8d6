import { expect } from 'chai';
import type { Role } from '../../src/events/users.ts';
import {
  type Action,
  authorize,
  REGISTRY,
  type Reason,
  type RepositoryAction,
  type Resource,
  readableNames,
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

// One column a caller, in the order of CALLERS: what of (l)oading, (p)ushing, (d)eleting is allowed.
const MATRIX: Readonly<Record<string, string>> = {
  //                                  operator admin auditor user robot anonymous+ anonymous
  'ann/web, hers': '                  lpd      lpd   l       lpd  lpd   -          -',
  "ann/web, somebody's": '            lpd      lpd   l       lpd  lpd   -          -',
  'ann/a/b, missing': '               lpd      lpd   l       lpd  lpd   -          -',
  'team/web, hers': '                 lpd      lpd   l       lpd  lpd   -          -',
  'team/web, public': '               lpd      lpd   l       l    l     l          -',
  'team/web, private': '              lpd      lpd   l       -    -     -          -',
  "team/web, nobody's": '             lpd      lpd   l       -    -     -          -',
  'team/web, missing': '              lpd      lpd   l       -    -     -          -',
  'annex/web': '                      lpd      lpd   l       -    -     -          -',
  'annex/web, missing': '             lpd      lpd   l       -    -     -          -',
  'ann, a name without a namespace': 'lpd      lpd   l       -    -     -          -',
  'library/ann/web': '                lpd      lpd   l       -    -     -          -',
};
const LETTERS: Readonly<Record<RepositoryAction, string>> = { pull: 'l', push: 'p', delete: 'd' };

const REGISTRY_MATRIX: Readonly<Record<'catalog' | 'version', string>> = {
  catalog: 'yes yes yes yes yes yes no',
  version: 'yes yes yes yes yes no no',
};

const ACTIONS = ['pull', 'push', 'delete'] as const;
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

  for (const action of ['catalog', 'version'] as const) {
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

  it('tells lists what a caller may pull, in agreement with what it grants', () => {
    for (const [, caller] of callers) {
      const readable = readableNames(caller);
      for (const resource of Object.values(RESOURCES)) {
        if (resource.type !== 'repository' || resource.repository === undefined) continue;
        const { name, repository } = resource;
        const listed =
          readable === 'all' ||
          (readable !== 'none' &&
            (repository.visibility === 'public' ||
              repository.ownerId === readable.ownerId ||
              (readable.prefix !== undefined && name.startsWith(readable.prefix))));
        expect(listed, name).to.equal(allowed(caller, 'pull', resource));
      }
    }
  });
});
