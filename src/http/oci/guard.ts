import type { FastifyRequest } from 'fastify';
import { RegistryError } from '../../errors.ts';
import type { Actor } from '../../events/event.ts';
import {
  type Action,
  authorize,
  REGISTRY,
  type RegistryAction,
  type RepositoryAction,
  type Resource,
} from '../../identity/authorize.ts';
import type { Caller } from '../../identity/caller.ts';
import { type Repository, repositories } from '../../projections/repositories.ts';
import type { HttpDeps } from '../deps.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sends the request; set before any handler of a surface runs. */
    caller: Caller;
  }
}

/** What docker's token service is asked for when this action needs a login: a push reads what it pushes. */
export const scopeOf = (name: string, action: RepositoryAction): string =>
  `repository:${name}:${action === 'push' ? 'pull,push' : action}`;

export const CATALOG_SCOPE = 'registry:catalog:*';

const unlimited = (caller: Caller): Caller => {
  if (caller.kind !== 'user') return caller;
  const { access: _limits, ...user } = caller;
  return user;
};

/**
 * Lets the caller do it, or refuses. Who could do it with a login, or with a token that was asked for more, is challenged, so that
 * the client gets one; who could not is denied.
 * @throws RegistryError `UNAUTHENTICATED` | `DENIED`
 */
const permit = (caller: Caller, action: Action, resource: Resource, scope: string): void => {
  const verdict = authorize(caller, action, resource);
  if (verdict.allowed) return;
  if (caller.kind === 'anonymous') throw new RegistryError('UNAUTHENTICATED', 'Log in first.', { scope });
  if (verdict.reason === 'tokenScope' && authorize(unlimited(caller), action, resource).allowed) {
    throw new RegistryError('UNAUTHENTICATED', 'This token was not issued for that. Get one with the scope of the challenge.', {
      scope,
    });
  }
  throw new RegistryError('DENIED', 'You may not do this here.', { scope });
};

/** @throws RegistryError `UNAUTHENTICATED` | `DENIED` */
export const permitRegistry = (caller: Caller, action: RegistryAction): void =>
  permit(caller, action, REGISTRY, action === 'catalog' ? CATALOG_SCOPE : '');

/**
 * The repository that a request names, if the caller may do `action` in it; undefined where it does not exist (yet).
 * @throws RegistryError `UNAUTHENTICATED` | `DENIED`
 */
export const permitted = async (
  { views }: HttpDeps,
  { caller }: FastifyRequest,
  action: RepositoryAction,
  name: string,
): Promise<Repository | undefined> => {
  const repository = await views.get(repositories, name);
  permit(caller, action, { type: 'repository', name, repository }, scopeOf(name, action));
  return repository;
};

/** The same, where the repository must exist. @throws RegistryError also `REPOSITORY_UNKNOWN` */
export const permittedIn = async (
  deps: HttpDeps,
  request: FastifyRequest,
  action: RepositoryAction,
  name: string,
): Promise<Repository> => {
  const repository = await permitted(deps, request, action, name);
  if (repository === undefined) throw new RegistryError('REPOSITORY_UNKNOWN', `There is no repository ${name}.`, { name });
  return repository;
};

/** The caller as events name it. */
export const actorOf = (caller: Caller): Actor =>
  caller.kind === 'user'
    ? { kind: caller.role === 'robot' ? 'robot' : 'user', id: String(caller.userId) }
    : { kind: 'anonymous', id: 'anonymous' };

/** Who a new repository belongs to: nobody, where nobody is logged in. */
export const ownerIdOf = (caller: Caller): number | null => (caller.kind === 'user' ? caller.userId : null);
