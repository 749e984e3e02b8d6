import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { RegistryError } from '../../errors.ts';
import { authorize, REGISTRY } from '../../identity/authorize.ts';
import type { Caller } from '../../identity/caller.ts';
import { grantedScopes, repositoriesIn } from '../../identity/grant.ts';
import { basicChallengeOf, formatScope, parseScopes } from '../../identity/scopes.ts';
import type { IssuedToken } from '../../identity/tokens.ts';
import { repositories } from '../../projections/repositories.ts';
import { userKey, users } from '../../projections/users.ts';
import type { HttpDeps } from '../deps.ts';
import { MANAGEMENT_REFUSING } from '../managementErrors.ts';
import { refuseIn } from '../refusal.ts';
import { resource } from '../resource.ts';

const NO_STORE = { 'cache-control': 'no-store' };

const iso = (ms: number): string => new Date(ms).toISOString();

const texts = (value: unknown): readonly string[] => {
  const values = Array.isArray(value) ? value : [value];
  return values.filter((one): one is string => typeof one === 'string');
};

const required = (value: unknown, field: string): string => {
  if (typeof value === 'string' && value !== '') return value;
  throw new RegistryError('REQUEST_INVALID', `${field} is missing.`, { field });
};

/** The three ways to a token: a JSON login, docker's token service (GET with Basic), and OAuth2's form. */
const tokenRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const grant = async (caller: Caller, scope: readonly string[]): Promise<{ issued: IssuedToken; granted: string }> => {
    const asked = parseScopes(scope);
    const names = repositoriesIn(asked);
    const found = await deps.views.getMany(repositories, names);
    const existing = new Map(names.map((name, index) => [name, found[index]]));
    const access = grantedScopes(caller, asked, (name) => existing.get(name));
    const issued = await deps.tokens.issue({ use: 'registry', ...subjectOf(caller), access });
    return { issued, granted: access.map(formatScope).join(' ') };
  };

  /** Docker's answer. `refresh_token` only to those who ask for it and have an account. */
  const tokenAnswer = async (caller: Caller, scope: readonly string[], offline: boolean): Promise<Record<string, unknown>> => {
    const { issued, granted } = await grant(caller, scope);
    const refresh =
      offline && caller.kind === 'user' ? await deps.tokens.issue({ use: 'refresh', ...subjectOf(caller) }) : undefined;
    return {
      token: issued.token,
      access_token: issued.token,
      expires_in: issued.expiresInSeconds,
      issued_at: iso(issued.issuedAt),
      scope: granted,
      ...(refresh !== undefined && { refresh_token: refresh.token }),
    };
  };

  const get = async (request: FastifyRequest<{ Querystring: Record<string, unknown> }>, reply: FastifyReply) => {
    const { scope, offline_token: offline } = request.query;
    const caller = await deps.authenticate(request.headers.authorization);
    // A token of limited scope must not get another one, or it would renew itself for ever.
    if ('access' in caller)
      throw new RegistryError('UNAUTHENTICATED', 'Ask for a token with your password, not with another token.');
    if (caller.kind === 'anonymous' && !authorize(caller, 'catalog', REGISTRY).allowed) {
      throw new RegistryError('UNAUTHENTICATED', 'Log in first.');
    }
    // A session is to end: what outlives it takes the password.
    const byPassword = /^basic\b/i.test(request.headers.authorization ?? '');
    return reply.headers(NO_STORE).send(await tokenAnswer(caller, texts(scope), offline === 'true' && byPassword));
  };

  const login = async (body: Record<string, unknown>) => {
    const caller = await deps.login(required(body.username, 'username'), required(body.password, 'password'));
    if (caller.kind !== 'user') throw new RegistryError('UNAUTHENTICATED', 'Log in first.');
    const user = await deps.views.get(users, userKey(caller.userId));
    const { token, expiresAt } = await deps.tokens.issue({ use: 'session', ...subjectOf(caller) });
    const { userId, username, role } = caller;
    return { token, expires_at: iso(expiresAt), user: { id: userId, username, email: user?.email ?? null, role } };
  };

  const form = async (body: URLSearchParams) => {
    const offline = body.get('access_type') === 'offline';
    switch (body.get('grant_type')) {
      case 'password': {
        const username = required(body.get('username'), 'username');
        return tokenAnswer(await deps.login(username, required(body.get('password'), 'password')), body.getAll('scope'), offline);
      }
      case 'refresh_token': {
        const held = required(body.get('refresh_token'), 'refresh_token');
        const answer = await tokenAnswer(await deps.refresh(held), body.getAll('scope'), false);
        return { ...answer, refresh_token: held };
      }
      default:
        throw new RegistryError('REQUEST_INVALID', 'grant_type must be password or refresh_token.', { field: 'grant_type' });
    }
  };

  const post = async ({ body }: FastifyRequest, reply: FastifyReply) => {
    reply.headers(NO_STORE);
    if (body instanceof URLSearchParams) return form(body);
    if (typeof body === 'object' && body !== null) return login(body as Record<string, unknown>);
    throw new RegistryError('REQUEST_INVALID', 'Send {"username":…,"password":…} as JSON, or an OAuth2 form.');
  };

  resource(app, '/', { GET: get, POST: post });
  resource(app, '/login', { POST: post });
};

const subjectOf = (caller: Caller): Readonly<{ userId: number | null; securityVersion: number }> =>
  caller.kind === 'user'
    ? { userId: caller.userId, securityVersion: caller.securityVersion }
    : { userId: null, securityVersion: 0 };

/** `/auth`: where docker's clients get their tokens and people log in. */
export const authSurface =
  (deps: HttpDeps): FastifyPluginAsync =>
  async (app) => {
    refuseIn(app, {
      ...MANAGEMENT_REFUSING,
      headers: ({ error }) =>
        error.code === 'UNAUTHENTICATED' ? { 'www-authenticate': basicChallengeOf('GhostDock Registry') } : {},
    });
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
      done(null, new URLSearchParams(body as string)),
    );
    tokenRoutes(app, deps);
  };
