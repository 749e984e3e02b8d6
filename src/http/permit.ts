import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RegistryError } from '../errors.ts';
import {
  type Action,
  authorize,
  isRepositoryAction,
  REGISTRY,
  type Reason,
  type RegistryAction,
  type RepositoryAction,
  type Verdict,
} from '../identity/authorize.ts';
import type { Caller } from '../identity/caller.ts';
import { judge } from '../identity/rights.ts';
import { parseName } from '../oci/names.ts';
import { type Repository, repositories } from '../projections/repositories.ts';
import type { HttpDeps } from './deps.ts';

/**
 * What the caller must be allowed to do before anything else of the request is looked at: in the repository that the path names as
 * `:name`, or to the registry as a whole. `open`: anybody may, also without a login.
 */
export type RouteAction = Action | 'open';

declare module 'fastify' {
  interface FastifyContextConfig {
    action?: RouteAction;
    /** Its answer goes on for as long as somebody listens. */
    stream?: true;
  }
  interface FastifyRequest {
    /** Of a route about a repository: the one that its path names, which the caller may use so; undefined where there is none (yet). */
    repository: Repository | undefined;
  }
}

/** `name`: of the repository, where it was about one. */
export type Refused = Readonly<{ caller: Caller; action: Action; name: string; reason: Reason }>;
/** What a surface answers to a caller who may not. `may` asks for another one. */
export type Refusing = (
  refused: Refused,
  may: (caller: Caller) => Verdict | Promise<Verdict>,
) => RegistryError | Promise<RegistryError>;

type Named = FastifyRequest<{ Params: { name?: string } }>;

/** From now on a route that does not say what its caller must be allowed to do is a defect: the registry does not start. */
export const demandActions = (app: FastifyInstance): void => {
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.action === undefined) throw new Error(`${method} ${url} does not say what its caller must be allowed to do.`);
  });
};

/** Asks `authorize` in front of every route that is added from now on, before its body is read. After `identify`. */
export const permitRoutes = (app: FastifyInstance, { views }: Pick<HttpDeps, 'views'>, refusing: Refusing): void => {
  const permitInRepository = async (request: Named, action: RepositoryAction): Promise<void> => {
    const { caller } = request;
    const name = parseName(request.params.name ?? '');
    const repository = await views.get(repositories, name);
    const verdict = await judge(views, caller, action, { name, repository });
    if (!verdict.allowed)
      throw await refusing({ caller, action, name, reason: verdict.reason }, (other) =>
        judge(views, other, action, { name, repository }),
      );
    request.repository = repository;
  };

  const permitInRegistry = async ({ caller }: FastifyRequest, action: RegistryAction): Promise<void> => {
    const verdict = authorize(caller, action, REGISTRY);
    if (!verdict.allowed)
      throw await refusing({ caller, action, name: '', reason: verdict.reason }, (other) => authorize(other, action, REGISTRY));
  };

  app.decorateRequest('repository', undefined);
  app.addHook('onRoute', (route) => {
    const { action = 'open' } = route.config ?? {};
    if (action === 'open') return;
    const permit = (request: FastifyRequest): Promise<void> =>
      isRepositoryAction(action) ? permitInRepository(request as Named, action) : permitInRegistry(request, action);
    route.onRequest = [permit, ...[route.onRequest ?? []].flat()];
  });
};

/** The repository that the path of the request names. @throws RegistryError `REPOSITORY_UNKNOWN` */
export const repositoryOf = ({ repository, params }: FastifyRequest): Repository => {
  if (repository !== undefined) return repository;
  const { name = '' } = params as Readonly<{ name?: string }>;
  throw new RegistryError('REPOSITORY_UNKNOWN', `Repository ${name} not found`, { name });
};

/** Who a new repository belongs to: nobody, where a robot or nobody is logged in. Robots push where they may, and own nothing by it. */
export const ownerIdOf = (caller: Caller): number | null =>
  caller.kind === 'user' && caller.role !== 'robot' ? caller.userId : null;
