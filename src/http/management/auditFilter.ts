import { RegistryError } from '../../errors.ts';
import { ACCESS_ACTIONS } from '../../events/access.ts';
import { isName } from '../../oci/names.ts';
import { FACT_ACTIONS } from '../../projections/auditTrail.ts';
import { ANONYMOUS, accountOf, SYSTEM } from '../../projections/trail.ts';
import type { HttpDeps } from '../deps.ts';
import { TEXT, TIME } from '../schemas.ts';
import { userNamed } from './names.ts';

export type AuditQuery = Readonly<{ user?: string; action?: string; resource?: string; from?: string; to?: string }>;

export const AUDIT_PARAMETERS = {
  user: {
    ...TEXT,
    description:
      'A username, or `user:7`, `robot:<provider>:<subject>`, `anonymous` or `system`. With what was done by access tokens.',
    example: 'admin',
  },
  action: { ...TEXT, description: 'An action, or `repository.*` for all of a noun.', example: 'repository.*' },
  resource: {
    ...TEXT,
    description:
      'The name of a repository: everything about it. Anything else, such as `myapp/frontend:latest`, `myapp/frontend@sha256:…` or `user:7`: exactly that.',
    example: 'myapp/frontend',
  },
  from: { ...TIME, description: 'From this time on.', example: '2024-01-15T00:00:00Z' },
  to: { ...TIME, description: 'Before this time.', example: '2024-01-16T00:00:00Z' },
} as const;

/** What is asked for, in the words of the trails. `from` and `to` are where keys begin. */
export type AuditFilter = Readonly<{
  who?: string;
  actions?: readonly string[];
  about?: Readonly<{ field: 'repository' | 'resource'; text: string }>;
  from?: string;
  to?: string;
}>;

const ACTIONS: readonly string[] = [...new Set<string>([...FACT_ACTIONS, ...ACCESS_ACTIONS])].sort((one, other) =>
  one < other ? -1 : 1,
);
/** Nobody's: finds nothing. */
const NOBODY = '';
const LONGEST_USER = 320;
const LONGEST_RESOURCE = 512;

export const refused = (field: string, message: string): RegistryError =>
  new RegistryError('REQUEST_INVALID', message, { field });

const accountNamed = async (deps: HttpDeps, username: string): Promise<string> => {
  const user = await userNamed(deps, username);
  return user === undefined ? NOBODY : accountOf(user.userId);
};

const whoIn = async (deps: HttpDeps, user: string): Promise<string> => {
  if (user === ANONYMOUS || user === SYSTEM) return user;
  const account = /^(?:user|robot):([1-9]\d{0,14})$/.exec(user)?.[1];
  if (account !== undefined) return accountOf(account);
  const isWorkload = /^robot:[^:]+:./.test(user) && user.length <= LONGEST_USER;
  if (isWorkload) return user;
  if (user === '' || user.includes(':') || user.length > LONGEST_USER)
    throw refused('user', 'user must be a username, user:<id>, robot:<provider>:<subject>, anonymous or system.');
  return accountNamed(deps, user);
};

const actionsIn = (action: string): readonly string[] => {
  const found = ACTIONS.filter((one) => one === action || (action.endsWith('.*') && one.startsWith(action.slice(0, -1))));
  if (found.length > 0) return found;
  throw new RegistryError('REQUEST_INVALID', 'action must be one of those that there are, or <noun>.* for all of a noun.', {
    field: 'action',
    actions: ACTIONS,
  });
};

const aboutIn = (resource: string): AuditFilter['about'] => {
  if (resource === '' || resource.length > LONGEST_RESOURCE)
    throw refused('resource', `resource must have 1 to ${LONGEST_RESOURCE} characters.`);
  return { field: isName(resource) ? 'repository' : 'resource', text: resource };
};

/** The first millisecond that is not before a time: trails know no shorter ones. Years that have more than four digits come last. */
const keyOf = (time: string): string => {
  const isPastMs = /\.\d{3}\d*[1-9]/.test(time);
  return new Date(Date.parse(time) + Number(isPastMs)).toISOString().replace(/^\+/, ':');
};

/** @throws RegistryError `REQUEST_INVALID` */
export const filterOf = async (deps: HttpDeps, { user, action, resource, from, to }: AuditQuery): Promise<AuditFilter> => {
  const [first, end] = [from, to].map((time) => (time === undefined ? undefined : keyOf(time)));
  if (first !== undefined && end !== undefined && end < first) throw refused('to', 'to must not be before from.');
  return {
    ...(action !== undefined && { actions: actionsIn(action) }),
    ...(resource !== undefined && { about: aboutIn(resource) }),
    ...(first !== undefined && { from: first }),
    ...(end !== undefined && { to: end }),
    // Last: it reads a view.
    ...(user !== undefined && { who: await whoIn(deps, user) }),
  } as AuditFilter;
};
