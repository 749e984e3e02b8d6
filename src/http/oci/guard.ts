import { RegistryError } from '../../errors.ts';
import { isRepositoryAction, type RepositoryAction } from '../../identity/authorize.ts';
import type { Caller } from '../../identity/caller.ts';
import { judge } from '../../identity/rights.ts';
import type { Repository } from '../../projections/repositories.ts';
import type { HttpDeps } from '../deps.ts';
import type { Refusing, RouteAction } from '../permit.ts';

const CATALOG_SCOPE = 'registry:catalog:*';

/** What docker's token service is asked for when this needs a login: a push reads what it pushes. Empty: nothing in particular. */
export const scopeOf = (name: string, action: RouteAction): string => {
  if (action === 'catalog') return CATALOG_SCOPE;
  if (action === 'open' || name === '' || !isRepositoryAction(action)) return '';
  return `repository:${name}:${action === 'push' ? 'pull,push' : action}`;
};

const unlimited = (caller: Caller): Caller => {
  if (caller.kind !== 'user' && caller.kind !== 'workload') return caller;
  const { access: _limits, ...unscoped } = caller;
  return unscoped;
};

/** Whether it is for want of a scope alone that the caller's token is not enough. */
export const needsScope = async (
  { views }: Pick<HttpDeps, 'views'>,
  caller: Caller,
  action: RepositoryAction,
  named: Readonly<{ name: string; repository: Repository | undefined }>,
): Promise<boolean> => {
  const verdict = await judge(views, caller, action, named);
  if (verdict.allowed || verdict.reason !== 'tokenScope') return false;
  return (await judge(views, unlimited(caller), action, named)).allowed;
};

const insufficient = (scope: string): RegistryError =>
  new RegistryError('UNAUTHENTICATED', 'This token was not issued for that. Get one with the scope of the challenge.', { scope });

/**
 * Who could do it with a login, or with a token that was asked for more, is challenged, so that the client gets one; who could not is
 * denied. What a caller may not see is refused as what does not exist: clients word 403 as "does not exist or may require a login".
 */
export const ociRefusing: Refusing = async ({ caller, action, name, reason }, may) => {
  const scope = scopeOf(name, action);
  if (caller.kind === 'anonymous') return new RegistryError('UNAUTHENTICATED', 'Log in first.', { scope });
  if (reason === 'tokenScope' && (await may(unlimited(caller))).allowed) return insufficient(scope);
  return new RegistryError('DENIED', 'You may not do this here.', { scope });
};
