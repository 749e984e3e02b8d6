import type { Visibility } from '../events/repository.ts';
import type { Role } from '../events/users.ts';
import type { Caller } from './caller.ts';
import type { Scope } from './scopes.ts';

/** `repository` is undefined for one that does not exist (yet): it is judged by its name alone. */
export type RepositoryResource = Readonly<{
  type: 'repository';
  name: string;
  repository: Readonly<{ ownerId: number | null; visibility: Visibility }> | undefined;
}>;
export type RegistryResource = Readonly<{ type: 'registry' }>;
export type Resource = RepositoryResource | RegistryResource;
export const REGISTRY: RegistryResource = { type: 'registry' };

export type RepositoryAction = 'pull' | 'push' | 'delete';
/** `catalog` lists what the caller may pull; `version` is `GET /v2/`, where clients try their credentials. */
export type RegistryAction = 'catalog' | 'version';
export type Action = RepositoryAction | RegistryAction;

export type Reason = 'anonymous' | 'notYours' | 'private' | 'readOnly' | 'tokenScope' | 'unknownAction';
export type Verdict = Readonly<{ allowed: true } | { allowed: false; reason: Reason }>;

type User = Extract<Caller, { kind: 'user' }>;
type Anonymous = Extract<Caller, { kind: 'anonymous' }>;

/** @returns what stands against it */
type Rule<C extends Caller, R extends Resource> = (caller: C, resource: R) => Reason | undefined;
type Rules<C extends Caller> = Readonly<
  Record<RepositoryAction, Rule<C, RepositoryResource>> & Record<RegistryAction, Rule<C, RegistryResource>>
>;

const always = (): undefined => undefined;
const never = (): Reason => 'readOnly';
const loginFirst = (): Reason => 'anonymous';

const isPublic = ({ repository }: RepositoryResource): boolean => repository?.visibility === 'public';

const isOwn = ({ userId, username }: User, { name, repository }: RepositoryResource): boolean =>
  repository?.ownerId === userId || (name.startsWith(username) && name[username.length] === '/');

const own: Rule<User, RepositoryResource> = (user, resource) => (isOwn(user, resource) ? undefined : 'notYours');

// One that does not exist and a private one get the same answer: a refusal must not tell them apart.
const publicOrOwn: Rule<User, RepositoryResource> = (user, resource) =>
  isPublic(resource) || isOwn(user, resource) ? undefined : 'private';
const publicOnly: Rule<Anonymous, RepositoryResource> = ({ pullsPublic }, resource) =>
  pullsPublic && isPublic(resource) ? undefined : 'anonymous';

const whoPulls: Rule<Anonymous, RegistryResource> = ({ pullsPublic }) => (pullsPublic ? undefined : 'anonymous');

// An anonymous token shows that its holder has been at the token service. Without one `GET /v2/` must challenge: that is
// what makes a client log in.
const withToken: Rule<Anonymous, RegistryResource> = ({ pullsPublic, access }) =>
  pullsPublic && access !== undefined ? undefined : 'anonymous';

const inOwnNamespace: Rules<User> = { pull: publicOrOwn, push: own, delete: own, catalog: always, version: always };

const USER_RULES: Readonly<Record<Role, Rules<User>>> = {
  admin: { pull: always, push: always, delete: always, catalog: always, version: always },
  auditor: { pull: always, push: never, delete: never, catalog: always, version: always },
  user: inOwnNamespace,
  robot: inOwnNamespace,
};

const ANONYMOUS_RULES: Rules<Anonymous> = {
  pull: publicOnly,
  push: loginFirst,
  delete: loginFirst,
  catalog: whoPulls,
  version: withToken,
};

const ACTIONS: Readonly<Record<Resource['type'], readonly Action[]>> = {
  repository: ['pull', 'push', 'delete'],
  registry: ['catalog', 'version'],
};

// Made once: a verdict a request is garbage on the hottest path.
const ALLOWED: Verdict = { allowed: true };
const REFUSED: Readonly<Record<Reason, Verdict>> = {
  anonymous: { allowed: false, reason: 'anonymous' },
  notYours: { allowed: false, reason: 'notYours' },
  private: { allowed: false, reason: 'private' },
  readOnly: { allowed: false, reason: 'readOnly' },
  tokenScope: { allowed: false, reason: 'tokenScope' },
  unknownAction: { allowed: false, reason: 'unknownAction' },
};

/**
 * Stands behind every route. Pure: what is to be known of the resource comes with it. A scoped token only ever takes away
 * from what its user may do.
 */
export const authorize = (caller: Caller, action: Action, resource: Resource): Verdict => {
  const reason = reasonAgainst(caller, action, resource);
  return reason === undefined ? ALLOWED : REFUSED[reason];
};

const reasonAgainst = (caller: Caller, action: Action, resource: Resource): Reason | undefined => {
  if (!ACTIONS[resource.type].includes(action)) return 'unknownAction';
  if (caller.kind === 'operator') return undefined;
  if (caller.access !== undefined && !isGranted(caller.access, action, resource)) return 'tokenScope';
  // The table pairs callers with rules, and ACTIONS actions with resources, which types cannot follow.
  const rules = caller.kind === 'user' ? USER_RULES[caller.role] : ANONYMOUS_RULES;
  const rule = rules[action] as Rule<Caller, Resource>;
  return rule(caller, resource);
};

/** Docker's scopes: `repository:<name>:<actions>` and `registry:catalog:*`. Every token may ask for the version. */
const isGranted = (access: readonly Scope[], action: Action, resource: Resource): boolean => {
  if (action === 'version') return true;
  const name = resource.type === 'repository' ? resource.name : action;
  return access.some(
    (scope) =>
      scope.type === resource.type && scope.name === name && (scope.actions.includes(action) || scope.actions.includes('*')),
  );
};

/** What a caller may pull, as conditions on lists: a repository that meets any of them. Says of no list that it may be had. */
export type Readable = 'all' | 'none' | Readonly<{ public: true; ownerId?: number; prefix?: string }>;

export const readableNames = (caller: Caller): Readable => {
  if (caller.kind === 'operator') return 'all';
  if (caller.kind === 'anonymous') return caller.pullsPublic ? { public: true } : 'none';
  if (caller.role === 'admin' || caller.role === 'auditor') return 'all';
  return { public: true, ownerId: caller.userId, prefix: `${caller.username}/` };
};
