import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RegistryError } from '../../errors.ts';
import { authorize, REGISTRY, type Reason, type RegistryAction, type RepositoryAction } from '../../identity/authorize.ts';
import type { Caller } from '../../identity/caller.ts';
import { judge } from '../../identity/rights.ts';
import type { HttpDeps } from '../deps.ts';
import { type Refusing, type RouteAction, repositoryOf } from '../permit.ts';
import { type Handler, type Method, resource } from '../resource.ts';

/** Plain JSON Schemas, from which the description of the API is made as well. */
export type RouteSchema = Readonly<{
  /** One sentence: what the operation does. */
  summary: string;
  /** The chapter of the description that it stands in. */
  tags: readonly [string];
  params?: object;
  querystring?: object;
  body?: object;
  /** By status. Answers are written as the handler gives them: no schema leaves anything out of them. */
  response: Readonly<Record<number, object>>;
}>;

export type ManagementRoute = Readonly<{ action: RouteAction; schema: RouteSchema; handler: Handler }>;

/** One path of the management API with its methods. */
export const managed = (app: FastifyInstance, url: string, routes: Readonly<Partial<Record<Method, ManagementRoute>>>): void =>
  resource(app, url, routes);

const refusalOf = (caller: Caller, reason: Reason): RegistryError => {
  if (caller.kind === 'anonymous') return new RegistryError('UNAUTHENTICATED', 'Log in first.');
  return new RegistryError('DENIED', reason === 'tokenScope' ? 'This token was not issued for that.' : 'You may not do this.');
};

/** Refuses in front of every route: who is not logged in is told to, and everybody else that this is not for him. */
export const managementRefusing: Refusing = ({ caller, reason }) => refusalOf(caller, reason);

/**
 * For what a handler finds out that it is asked for besides. Lets the caller do something to the registry as a whole, or refuses.
 * @throws RegistryError `UNAUTHENTICATED` | `DENIED`
 */
export const permit = (caller: Caller, action: RegistryAction): void => {
  const verdict = authorize(caller, action, REGISTRY);
  if (!verdict.allowed) throw refusalOf(caller, verdict.reason);
};

/** The same in the repository that the request is about. @throws RegistryError `UNAUTHENTICATED` | `DENIED` */
export const permitHere = async (
  { views }: Pick<HttpDeps, 'views'>,
  request: FastifyRequest,
  action: RepositoryAction,
): Promise<void> => {
  const repository = repositoryOf(request);
  const verdict = await judge(views, request.caller, action, { name: repository.name, repository });
  if (!verdict.allowed) throw refusalOf(request.caller, verdict.reason);
};

/** The number in a path; what is none names nothing. @throws RegistryError `NOT_FOUND` */
export const idIn = (text: string): number => {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new RegistryError('NOT_FOUND', 'Ids are whole numbers from 1 on.', { id: text.slice(0, 40) });
};

/** RFC 3339 in UTC and whole seconds, as this API writes times. */
export const timeOf = (iso: string): string => `${iso.slice(0, 19)}Z`;
