import { expect } from 'chai';
import fc from 'fast-check';
import type { Permission } from '../../src/events/accessTokens.ts';
import type { Role } from '../../src/events/users.ts';
import { pageOfReadable } from '../../src/http/readable.ts';
import type { RepositoryAction } from '../../src/identity/authorize.ts';
import type { Caller } from '../../src/identity/caller.ts';
import { mergedPrefixes } from '../../src/identity/ranges.ts';
import { grantsOf, judge, levelIn, readableNames } from '../../src/identity/rights.ts';
import type { Scope } from '../../src/identity/scopes.ts';
import { catalog } from '../../src/projections/catalog.ts';
import { rights } from '../../src/projections/grants.ts';
import { serving } from '../../src/projections/groups.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { type Repository, repositories } from '../../src/projections/repositories.ts';
import { sqliteViews } from '../../src/projections/views/sqlite.ts';
import type { Views } from '../../src/projections/views/views.ts';
import { positionOf } from '../support/projecting.ts';

// A small world, in which callers, names and grants meet at random.

const NAMES = ['ann/a', 'ann/b/c', 'annex/a', 'bob/a', 'team/a', 'team/a/b', 'team/ab', 'team/b', 'teams/a', 'top'] as const;
const SCOPES = [...NAMES, 'team/*', 'team/a/*', 'ann/*', 'annex/*', 'bob/*', 'top/*', 'none/here'] as const;
const USERS = ['ann', 'bob', 'eve'] as const;
const TEAMS = [1, 2] as const;
const ACTIONS: readonly RepositoryAction[] = ['pull', 'push', 'delete', 'configure', 'inspect', 'transfer'];

type Given = Readonly<{ subject: string; scope: string; level: 'read' | 'write' | 'admin'; former: boolean }>;
type World = Readonly<{
  repositories: readonly Readonly<{ name: string; ownerId: number | null; isPublic: boolean; listed: boolean }>[];
  grants: readonly Given[];
  /** By the place of the user in USERS. */
  teams: readonly (readonly number[])[];
}>;

const anyWorld: fc.Arbitrary<World> = fc.record({
  repositories: fc.subarray([...NAMES]).chain((names) =>
    fc.tuple(
      ...names.map((name) =>
        fc.record({
          name: fc.constant(name),
          ownerId: fc.constantFrom(1, 2, 3, null),
          isPublic: fc.integer({ max: 3, min: 0 }).map((n) => n === 0),
          listed: fc.integer({ max: 4, min: 0 }).map((n) => n > 0),
        }),
      ),
    ),
  ),
  grants: fc.array(
    fc.record({
      subject: fc.constantFrom('user:1', 'user:2', 'team:1', 'team:2'),
      scope: fc.constantFrom(...SCOPES),
      level: fc.constantFrom('read', 'write', 'admin'),
      former: fc.boolean(),
    }),
    { maxLength: 8 },
  ),
  teams: fc.tuple(...USERS.map(() => fc.subarray([...TEAMS]))),
});

const callerOf = (index: number, role: Role): Caller => ({
  kind: 'user',
  userId: index + 1,
  username: USERS[index] ?? '',
  role,
  securityVersion: 1,
});
const anyCaller: fc.Arbitrary<Caller> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.nat({ max: 2 }), fc.constantFrom<Role>('user', 'user', 'robot', 'admin', 'auditor'))
      .map(([n, role]) => callerOf(n, role)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Caller>({ kind: 'anonymous', pullsPublic: true }, { kind: 'anonymous' }, { kind: 'operator' }),
  },
);

const lifeOf = (name: string): string => `life of ${name}`;
const repositoryOf = ({ repositories: all }: World, name: string): Repository | undefined => {
  const found = all.find((one) => one.name === name);
  return (
    found && {
      repositoryId: lifeOf(name),
      name,
      ownerId: found.ownerId,
      visibility: found.isPublic ? 'public' : 'private',
      createdAt: '',
      description: '',
      immutableTags: [],
      hasReleasedAttachments: false,
    }
  );
};

/** Who may pull, by the words of the rules and no more. */
const mayPull = (world: World, caller: Caller, name: string): boolean => {
  const found = world.repositories.find((one) => one.name === name);
  if (caller.kind === 'operator') return true;
  if (caller.kind === 'workload') return false;
  if (caller.kind === 'anonymous') return caller.pullsPublic === true && found?.isPublic === true;
  if (caller.role === 'admin' || caller.role === 'auditor') return true;
  if (found?.isPublic || found?.ownerId === caller.userId || name.startsWith(`${caller.username}/`)) return true;
  const subjects = [`user:${caller.userId}`, ...(world.teams[caller.userId - 1] ?? []).map((team) => `team:${team}`)];
  return world.grants.some(
    ({ subject, scope, former }) =>
      subjects.includes(subject) &&
      (scope.endsWith('/*') ? name.startsWith(scope.slice(0, -1)) : scope === name && !former && found !== undefined),
  );
};

let revision = 0;
/** Views that show a world. */
const viewsOf = async (views: Views, world: World): Promise<void> => {
  revision += 1;
  const position = positionOf(revision);
  const held = (subject: string) =>
    world.grants
      .filter((grant) => grant.subject === subject)
      .map(({ scope, level, former }, n) => ({
        grantId: n + 1,
        scope,
        level,
        repositoryId: scope.endsWith('/*') ? null : former ? 'a former life' : lifeOf(scope),
      }));
  const subjects = [1, 2, 3].map((id) => ({
    key: `user:${id}`,
    value: { grants: held(`user:${id}`), teams: world.teams[id - 1] ?? [] },
  }));
  const teams = TEAMS.map((id) => ({ key: `team:${id}`, value: { grants: held(`team:${id}`), teams: [] } }));
  const written = (view: unknown, documents: readonly Readonly<{ key: string; value: object | undefined }>[]) => ({
    view: (view as Projection).view,
    documents: documents.map(({ key, value }) => ({ key, position, value: value as never })),
  });
  await views.commit({
    totals: {},
    documents: [
      written(rights, [...subjects, ...teams]),
      written(
        repositories,
        NAMES.map((name) => ({ key: name, value: repositoryOf(world, name) })),
      ),
      written(
        catalog,
        NAMES.map((name) => {
          const found = world.repositories.find((one) => one.name === name);
          const { repositoryId = '', visibility = 'private', ownerId = null } = repositoryOf(world, name) ?? {};
          const value = { name, repositoryId, visibility, ownerId, listed: found?.listed, manifests: 0, tags: 0 };
          return { key: name, value: found && value };
        }),
      ),
    ],
    cursors: {},
    checkpoint: position,
  });
};

describe('rights', () => {
  let views: Views;
  before(() => {
    views = sqliteViews(':memory:', serving, { cacheBytes: 0 });
  });
  after(() => views.close());

  const may = async (caller: Caller, action: RepositoryAction, world: World, name: string): Promise<boolean> =>
    (await judge(views, caller, action, { name, repository: repositoryOf(world, name) })).allowed;

  it('to pull are what the rules say, for any caller, repositories, teams and grants', () =>
    fc.assert(
      fc.asyncProperty(anyWorld, anyCaller, async (world, caller) => {
        await viewsOf(views, world);
        for (const name of NAMES) expect(await may(caller, 'pull', world, name), name).to.equal(mayPull(world, caller, name));
      }),
      { numRuns: 150 },
    ));

  it('to pull are what lists show: every name that may be read and holds something, whatever the pages', () =>
    fc.assert(
      fc.asyncProperty(anyWorld, anyCaller, fc.integer({ min: 1, max: 4 }), async (world, caller, limit) => {
        await viewsOf(views, world);
        const readable = readableNames(caller, await grantsOf(views, caller));
        const listed: string[] = [];
        for (let after = '', more = true; more; after = listed.at(-1) ?? '') {
          const page = await pageOfReadable(views, readable, { after, limit });
          expect(page.items.length).to.be.at.most(limit);
          if (page.more) expect(page.items.length, 'a page that is not the last is full').to.equal(limit);
          listed.push(...page.items.map(({ name }) => name));
          more = page.more;
        }
        const expected = world.repositories
          .filter((one) => one.listed && mayPull(world, caller, one.name))
          .map(({ name }) => name);
        expect(listed).to.deep.equal(expected.sort((one, other) => (one < other ? -1 : 1)));
      }),
      { numRuns: 150 },
    ));

  it('never become more by a token, by scopes or by a grant that is not there', () =>
    fc.assert(
      fc.asyncProperty(
        anyWorld,
        anyCaller,
        fc.subarray<Permission>(['pull', 'push', 'delete', 'admin']),
        fc.subarray([...SCOPES], { maxLength: 3 }),
        fc.array(
          fc.record<Scope>({
            type: fc.constantFrom('repository', 'registry'),
            name: fc.constantFrom<string>(...NAMES, 'catalog'),
            actions: fc.subarray(['pull', 'push', 'delete', '*']),
          }),
          { maxLength: 4 },
        ),
        fc.nat(),
        async (world, caller, permissions, globs, access, dropped) => {
          const token = { tokenId: 1, permissions, repositories: globs, expiresAt: null };
          const lesser: readonly Caller[] =
            caller.kind === 'user'
              ? [
                  { ...caller, token },
                  { ...caller, access },
                  { ...caller, access, token },
                ]
              : [];
          const fewer = { ...world, grants: world.grants.filter((_grant, n) => n !== dropped % 8) };
          for (const action of ACTIONS)
            for (const name of NAMES) {
              await viewsOf(views, world);
              if (await may(caller, action, world, name)) continue;
              for (const one of lesser) expect(await may(one, action, world, name), `${action} ${name}`).to.equal(false);
              await viewsOf(views, fewer);
              expect(await may(caller, action, fewer, name), `${action} ${name}, a grant less`).to.equal(false);
            }
        },
      ),
      { numRuns: 20 },
    ));

  it('are looked up where they may matter, and nowhere else', async () => {
    const reads: string[] = [];
    const watching = {
      getAtOnce: (view: Projection, key: string) => {
        reads.push(`${view.view} ${key}`);
        return views.getAtOnce(view, key);
      },
    } as unknown as Views;
    const world: World = {
      repositories: [
        { name: 'bob/a', ownerId: 1, isPublic: false, listed: true },
        { name: 'team/a', ownerId: null, isPublic: true, listed: true },
        { name: 'team/b', ownerId: null, isPublic: false, listed: true },
      ],
      grants: [],
      teams: [[1, 2], [], []],
    };
    await viewsOf(views, world);
    const readsOf = async (caller: Caller, action: RepositoryAction, name: string): Promise<readonly string[]> => {
      reads.length = 0;
      await judge(watching, caller, action, { name, repository: repositoryOf(world, name) });
      return [...reads];
    };
    const [ann, bob] = [callerOf(0, 'user'), callerOf(1, 'user')];
    expect(await readsOf(callerOf(0, 'admin'), 'push', 'team/b')).to.deep.equal([]);
    expect(await readsOf(callerOf(0, 'auditor'), 'push', 'team/b')).to.deep.equal([]);
    expect(await readsOf(ann, 'push', 'ann/a'), 'own namespace').to.deep.equal([]);
    expect(await readsOf(ann, 'push', 'bob/a'), 'own repository').to.deep.equal([]);
    expect(await readsOf(ann, 'pull', 'team/a'), 'public').to.deep.equal([]);
    const looked = ['rights user:1', 'rights team:1', 'rights team:2'];
    expect(await readsOf(ann, 'pull', 'team/b'), 'private').to.deep.equal(looked);
    expect(await readsOf(ann, 'pull', 'team/none'), 'missing').to.deep.equal(looked);
    expect(await readsOf(bob, 'pull', 'team/b'), 'in no team').to.deep.equal(['rights user:2']);
    expect(await readsOf({ ...ann, access: [] } as Caller, 'pull', 'team/b'), 'without the scope').to.deep.equal([]);
  });

  it('by several grants are the highest of them', () => {
    const held = (scope: string, level: 'read' | 'write' | 'admin') => ({ grantId: 1, scope, level, repositoryId: null });
    const all = [held('team/*', 'read'), held('team/a/*', 'admin'), held('team/b/*', 'write')];
    const levels = ['team/a/b', 'team/b/c', 'team/c', 'team', 'teams/a'].map((name) =>
      levelIn(all, { name, repository: undefined }),
    );
    expect(levels).to.deep.equal(['admin', 'write', 'read', undefined, undefined]);
  });

  it('to prefixes that stand under others are those of the others', () => {
    expect(mergedPrefixes(['b/', 'a/b/', 'a/', 'a/', 'a-b/', 'ab/'])).to.deep.equal(['a-b/', 'a/', 'ab/', 'b/']);
  });
});
