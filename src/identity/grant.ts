import { parseName } from '../oci/names.ts';
import { authorize, REGISTRY, type RepositoryAction, type RepositoryResource } from './authorize.ts';
import type { Caller } from './caller.ts';
import type { Scope } from './scopes.ts';

const REPOSITORY_ACTIONS: readonly RepositoryAction[] = ['pull', 'push', 'delete'];

type Find = (name: string) => RepositoryResource | undefined;

const isRepository = ({ type, name }: Scope): boolean => {
  if (type !== 'repository') return false;
  try {
    return parseName(name) === name;
  } catch {
    return false;
  }
};

/** The repositories to look up before these scopes can be granted. */
export const repositoriesIn = (scopes: readonly Scope[]): readonly string[] =>
  scopes.filter(isRepository).map(({ name }) => name);

/**
 * What a token for `caller` may hold of the scopes that it asked for. The rest is left out, as the token protocol wants:
 * the request that needs it is then refused.
 * @param find what is known of a repository, and of the caller's rights in it
 */
export const grantedScopes = (caller: Caller, scopes: readonly Scope[], find: Find): readonly Scope[] =>
  scopes.map((scope) => ({ ...scope, actions: grantedActions(caller, scope, find) })).filter(({ actions }) => actions.length > 0);

const grantedActions = (caller: Caller, scope: Scope, find: Find): readonly string[] => {
  const { type, name, actions } = scope;
  const all = actions.includes('*');
  if (isRepository(scope)) {
    const resource = find(name) ?? { type: 'repository', name, repository: undefined };
    const asked = REPOSITORY_ACTIONS.filter((action) => all || actions.includes(action));
    return asked.filter((action) => authorize(caller, action, resource).allowed);
  }
  const isCatalog = type === 'registry' && name === 'catalog' && all;
  return isCatalog && authorize(caller, 'catalog', REGISTRY).allowed ? ['*'] : [];
};
