import type { FastifyRequest } from 'fastify';
import { RegistryError } from '../../errors.ts';
import { authorize, REGISTRY, type RegistryAction, type RepositoryAction } from '../../identity/authorize.ts';
import type { Caller } from '../../identity/caller.ts';
import { judge } from '../../identity/rights.ts';
import { denialOf } from '../denial.ts';
import type { HttpDeps } from '../deps.ts';
import { repositoryOf } from '../permit.ts';

/**
 * For what a handler finds out that it is asked for besides. Lets the caller do something to the registry as a whole, or refuses.
 * @throws RegistryError `UNAUTHENTICATED` | `DENIED`
 */
export const permit = (caller: Caller, action: RegistryAction): void => {
  const verdict = authorize(caller, action, REGISTRY);
  if (!verdict.allowed) throw denialOf(caller, verdict.reason);
};

/** The same in the repository that the request is about. @throws RegistryError `UNAUTHENTICATED` | `DENIED` */
export const permitHere = async (
  { views }: Pick<HttpDeps, 'views'>,
  request: FastifyRequest,
  action: RepositoryAction,
): Promise<void> => {
  const repository = repositoryOf(request);
  const verdict = await judge(views, request.caller, action, { name: repository.name, repository });
  if (!verdict.allowed) throw denialOf(request.caller, verdict.reason);
};

/** The number in a path; what is none names nothing. @throws RegistryError `NOT_FOUND` */
export const idIn = (text: string): number => {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new RegistryError('NOT_FOUND', 'Ids are whole numbers from 1 on.', { id: text.slice(0, 40) });
};

/** RFC 3339 in UTC and whole seconds, as this API writes times. */
export const timeOf = (iso: string): string => `${iso.slice(0, 19)}Z`;
