import type { Level } from '../events/grants.ts';
import type { Visibility } from '../events/repository.ts';
import type { Role } from '../events/users.ts';
import type { Caller, CallerToken } from './caller.ts';
import { covers } from './ranges.ts';
import type { Scope } from './scopes.ts';

/**
 * `repository` is undefined for one that does not exist (yet): it is judged by its name alone. `level` is the highest that grants give the
 * caller here; whoever does not know it leaves it out, and gets no more than without grants.
 */
export type RepositoryResource = Readonly<{
  type: 'repository';
  name: string;
  repository: Readonly<{ ownerId: number | null; visibility: Visibility }> | undefined;
  level?: Level | undefined;
}>;
export type RegistryResource = Readonly<{ type: 'registry' }>;
export type Resource = RepositoryResource | RegistryResource;
export const REGISTRY: RegistryResource = { type: 'registry' };

/**
 * `delete` is about its content as well as the repository itself. `configure` changes what holds for it as a whole: its description,
 * visibility, rules and grants, which `inspect` reads. `transfer` gives it to another owner.
 */
export type RepositoryAction = 'pull' | 'push' | 'delete' | 'configure' | 'inspect' | 'transfer';
/**
 * `catalog` lists what the caller may pull; `version` is `GET /v2/`, where clients try their credentials. `readUsers` and `manageUsers`
 * are about everybody's accounts and access tokens, `readOwnAccount` and `manageOwnAccount` about those of the caller. `readAccess` and
 * `manageAccess` are about grants on prefixes and who is in which team; `readTeams` tells which teams there are. `manageKeys` is about the
 * keys that sign tokens. `monitor` reads what the registry as a whole holds and does, with the names of all repositories; `readAudit` who did
 * what, and `readLogs` what the process logs.
 */
export type RegistryAction =
  | 'catalog'
  | 'version'
  | 'readUsers'
  | 'manageUsers'
  | 'readOwnAccount'
  | 'manageOwnAccount'
  | 'readAccess'
  | 'manageAccess'
  | 'readTeams'
  | 'manageKeys'
  | 'monitor'
  | 'readAudit'
  | 'readLogs';
export type Action = RepositoryAction | RegistryAction;

export type Reason = 'anonymous' | 'notYours' | 'private' | 'readOnly' | 'tokenScope' | 'unknownAction';
export type Verdict = Readonly<{ allowed: true } | { allowed: false; reason: Reason }>;

type User = Extract<Caller, { kind: 'user' }>;
type Anonymous = Extract<Caller, { kind: 'anonymous' }>;
type Workload = Extract<Caller, { kind: 'workload' }>;

/** @returns what stands against it */
type Rule<C extends Caller, R extends Resource> = (caller: C, resource: R) => Reason | undefined;
type Rules<C extends Caller> = Readonly<
  Record<RepositoryAction, Rule<C, RepositoryResource>> & Record<RegistryAction, Rule<C, RegistryResource>>
>;

const always = (): undefined => undefined;
const notForUsers = (): Reason => 'notYours';
const never = (): Reason => 'readOnly';
const loginFirst = (): Reason => 'anonymous';

const isPublic = ({ repository }: RepositoryResource): boolean => repository?.visibility === 'public';

const isOwn = ({ userId, username }: User, { name, repository }: RepositoryResource): boolean =>
  repository?.ownerId === userId || (name.startsWith(username) && name[username.length] === '/');

/** What a grant allows. Who may push, may not take away: what is deleted is gone, what a push moves is still there by its digest. */
const LEVEL_ACTIONS: Readonly<Record<Level, readonly RepositoryAction[]>> = {
  read: ['pull'],
  write: ['pull', 'push'],
  admin: ['pull', 'push', 'delete', 'configure', 'inspect'],
};

/** The caller's own, or granted to him. */
const ownOr =
  (action: RepositoryAction): Rule<User, RepositoryResource> =>
  (user, resource) =>
    isOwn(user, resource) || (resource.level !== undefined && LEVEL_ACTIONS[resource.level].includes(action))
      ? undefined
      : 'notYours';

// One that does not exist and a private one get the same answer: a refusal must not tell them apart.
const publicOrOwn: Rule<User, RepositoryResource> = (user, resource) =>
  isPublic(resource) || isOwn(user, resource) || resource.level !== undefined ? undefined : 'private';
const publicOnly: Rule<Anonymous, RepositoryResource> = ({ pullsPublic }, resource) =>
  pullsPublic && isPublic(resource) ? undefined : 'anonymous';

const whoPulls: Rule<Anonymous, RegistryResource> = ({ pullsPublic }) => (pullsPublic ? undefined : 'anonymous');

// An anonymous token shows that its holder has been at the token service. Without one `GET /v2/` must challenge: that is
// what makes a client log in.
const withToken: Rule<Anonymous, RegistryResource> = ({ pullsPublic, access }) =>
  pullsPublic && access !== undefined ? undefined : 'anonymous';

const everybodys = {
  catalog: always,
  version: always,
  readOwnAccount: always,
  manageOwnAccount: always,
  readTeams: always,
} as const;
const inOwnNamespace: Rules<User> = {
  pull: publicOrOwn,
  push: ownOr('push'),
  delete: ownOr('delete'),
  configure: ownOr('configure'),
  inspect: ownOr('inspect'),
  transfer: ownOr('transfer'),
  ...everybodys,
  readUsers: notForUsers,
  manageUsers: notForUsers,
  readAccess: notForUsers,
  manageAccess: notForUsers,
  manageKeys: notForUsers,
  monitor: notForUsers,
  readAudit: notForUsers,
  readLogs: notForUsers,
};

const USER_RULES: Readonly<Record<Role, Rules<User>>> = {
  admin: {
    ...everybodys,
    pull: always,
    push: always,
    delete: always,
    configure: always,
    inspect: always,
    transfer: always,
    readUsers: always,
    manageUsers: always,
    readAccess: always,
    manageAccess: always,
    manageKeys: always,
    monitor: always,
    readAudit: always,
    readLogs: always,
  },
  auditor: {
    ...everybodys,
    pull: always,
    push: never,
    delete: never,
    configure: never,
    inspect: always,
    transfer: never,
    readUsers: always,
    manageUsers: never,
    readAccess: always,
    manageAccess: never,
    manageKeys: never,
    monitor: always,
    readAudit: always,
    readLogs: never,
  },
  user: inOwnNamespace,
  robot: inOwnNamespace,
};

const ANONYMOUS_RULES: Rules<Anonymous> = {
  pull: publicOnly,
  push: loginFirst,
  delete: loginFirst,
  configure: loginFirst,
  inspect: loginFirst,
  transfer: loginFirst,
  catalog: whoPulls,
  version: withToken,
  readUsers: loginFirst,
  manageUsers: loginFirst,
  readOwnAccount: loginFirst,
  manageOwnAccount: loginFirst,
  readAccess: loginFirst,
  manageAccess: loginFirst,
  readTeams: loginFirst,
  manageKeys: loginFirst,
  monitor: loginFirst,
  readAudit: loginFirst,
  readLogs: loginFirst,
};

const granted =
  (action: RepositoryAction, reason: Reason): Rule<Workload, RepositoryResource> =>
  ({ grants }, resource) =>
    isGranted(grants, action, resource) ? undefined : reason;

/** Its grants are all that a workload has: it is nobody with an account, and sees nothing else, be it public. */
const WORKLOAD_RULES: Rules<Workload> = {
  pull: granted('pull', 'private'),
  push: granted('push', 'notYours'),
  delete: granted('delete', 'notYours'),
  configure: notForUsers,
  inspect: notForUsers,
  transfer: notForUsers,
  catalog: notForUsers,
  version: always,
  readUsers: notForUsers,
  manageUsers: notForUsers,
  readOwnAccount: notForUsers,
  manageOwnAccount: notForUsers,
  readAccess: notForUsers,
  manageAccess: notForUsers,
  readTeams: notForUsers,
  manageKeys: notForUsers,
  monitor: notForUsers,
  readAudit: notForUsers,
  readLogs: notForUsers,
};

const rulesFor = (caller: User | Anonymous | Workload): Rules<User> | Rules<Anonymous> | Rules<Workload> => {
  switch (caller.kind) {
    case 'user':
      return USER_RULES[caller.role];
    case 'workload':
      return WORKLOAD_RULES;
    case 'anonymous':
      return ANONYMOUS_RULES;
  }
};

const ACTIONS: Readonly<Record<Resource['type'], readonly Action[]>> = {
  repository: ['pull', 'push', 'delete', 'configure', 'inspect', 'transfer'],
  registry: [
    ...['catalog', 'version', 'readUsers', 'manageUsers', 'readOwnAccount', 'manageOwnAccount'],
    ...['readAccess', 'manageAccess', 'readTeams', 'manageKeys', 'monitor', 'readAudit', 'readLogs'],
  ] as readonly RegistryAction[],
};

export const isRepositoryAction = (action: Action): action is RepositoryAction => ACTIONS.repository.includes(action);

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
  if (caller.kind === 'user' && caller.token !== undefined && !tokenPermits(caller.token, action, resource)) return 'tokenScope';
  // The table pairs callers with rules, and ACTIONS actions with resources, which types cannot follow.
  const rule = rulesFor(caller)[action] as Rule<Caller, Resource>;
  return rule(caller, resource);
};

/** What is about the registry as a whole and takes no more of a token than to pull. */
const READS: readonly Action[] = ['catalog', 'monitor'];

/**
 * What an access token leaves of its owner's rights. `admin` leaves all of them; what is about the registry as a whole takes it, and a
 * token for all repositories; to list and to monitor, one that pulls. Who somebody is, and that a login works, every token may ask.
 */
const tokenPermits = ({ permissions, repositories }: CallerToken, action: Action, resource: Resource): boolean => {
  if (action === 'version' || action === 'readOwnAccount') return true;
  if (resource.type === 'repository')
    return (
      (permissions.includes('admin') || (permissions as readonly Action[]).includes(action)) &&
      (repositories.length === 0 || repositories.some((glob) => covers(glob, resource.name)))
    );
  const needed = READS.includes(action) ? 'pull' : 'admin';
  return repositories.length === 0 && (permissions.includes('admin') || permissions.includes(needed));
};

/** Docker's scopes: `repository:<name>:<actions>` and `registry:catalog:*`; nobody can ask for a glob. Every token may ask for the version. */
const isGranted = (access: readonly Scope[], action: Action, resource: Resource): boolean => {
  if (action === 'version') return true;
  const name = resource.type === 'repository' ? resource.name : action;
  return access.some(
    (scope) =>
      scope.type === resource.type && covers(scope.name, name) && (scope.actions.includes(action) || scope.actions.includes('*')),
  );
};
