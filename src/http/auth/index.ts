import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { RegistryError } from '../../errors.ts';
import { authorize, REGISTRY } from '../../identity/authorize.ts';
import type { Caller } from '../../identity/caller.ts';
import { grantedScopes, repositoriesIn } from '../../identity/grant.ts';
import { resourcesFor } from '../../identity/rights.ts';
import { formatScope, parseScopes } from '../../identity/scopes.ts';
import type { Grant, IssuedToken } from '../../identity/tokens.ts';
import { userKey, users } from '../../projections/users.ts';
import { letIn } from '../accessRecords.ts';
import type { HttpDeps } from '../deps.ts';
import { CHALLENGING } from '../managementErrors.ts';
import { refuseIn } from '../refusal.ts';
import { resource } from '../resource.ts';
import { GET_TOKEN, LOG_IN, LOG_IN_ALIAS } from './descriptions.ts';
import { logoutRoutes } from './logout.ts';
import { oidcRoutes } from './oidc.ts';
import { peopleRoutes } from './people.ts';

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
    const resources = await resourcesFor(deps.views, caller, repositoriesIn(asked));
    const access = grantedScopes(caller, asked, (name) => resources.get(name));
    const issued = await deps.tokens.issue({ use: 'registry', ...subjectOf(caller), access }, lastOf(caller));
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
    const caller = await deps.authenticate(request.headers.authorization, request);
    // A token of limited scope must not get another one, or it would renew itself for ever.
    if ('access' in caller && caller.kind !== 'workload')
      throw new RegistryError('UNAUTHENTICATED', 'Ask for a token with your password, not with another token.');
    if (caller.kind === 'anonymous' && !authorize(caller, 'catalog', REGISTRY).allowed) {
      throw new RegistryError('UNAUTHENTICATED', 'Log in first.');
    }
    await letIn(deps, request, 'token.issue', caller);
    // A session is to end: what outlives it takes the password.
    const byPassword = /^basic\b/i.test(request.headers.authorization ?? '');
    return reply.headers(NO_STORE).send(await tokenAnswer(caller, texts(scope), offline === 'true' && byPassword));
  };

  const login = async (body: Record<string, unknown>, from: FastifyRequest) => {
    const caller = await deps.login(required(body.username, 'username'), required(body.password, 'password'), from);
    if (caller.kind !== 'user') throw new RegistryError('UNAUTHENTICATED', 'Log in first.');
    await letIn(deps, from, 'user.login', caller);
    const user = await deps.views.get(users, userKey(caller.userId));
    const { token, expiresAt } = await deps.tokens.issue({ use: 'session', ...subjectOf(caller) });
    const { userId, username, role } = caller;
    return { token, expires_at: iso(expiresAt), user: { id: userId, username, email: user?.email ?? null, role } };
  };

  const form = async (body: URLSearchParams, from: FastifyRequest) => {
    const offline = body.get('access_type') === 'offline';
    switch (body.get('grant_type')) {
      case 'password': {
        const username = required(body.get('username'), 'username');
        const caller = await deps.login(username, required(body.get('password'), 'password'), from);
        await letIn(deps, from, 'token.issue', caller);
        return tokenAnswer(caller, body.getAll('scope'), offline);
      }
      case 'refresh_token': {
        const held = required(body.get('refresh_token'), 'refresh_token');
        const caller = await deps.refresh(held, from);
        await letIn(deps, from, 'token.issue', caller, 'bearer');
        const answer = await tokenAnswer(caller, body.getAll('scope'), false);
        return { ...answer, refresh_token: held };
      }
      default:
        throw new RegistryError('REQUEST_INVALID', 'grant_type must be password or refresh_token.', { field: 'grant_type' });
    }
  };

  const post = async (request: FastifyRequest, reply: FastifyReply) => {
    const { body } = request;
    reply.headers(NO_STORE);
    if (body instanceof URLSearchParams) return form(body, request);
    if (typeof body === 'object' && body !== null) return login(body as Record<string, unknown>, request);
    throw new RegistryError('REQUEST_INVALID', 'Send {"username":…,"password":…} as JSON, or an OAuth2 form.');
  };

  // Whoever has credentials shows them here, and gets no more than `authorize` says.
  resource(app, '/', {
    GET: { action: 'open', handler: get, says: GET_TOKEN },
    POST: { action: 'open', handler: post, says: LOG_IN },
  });
  resource(app, '/login', { POST: { action: 'open', handler: post, says: LOG_IN_ALIAS } });
  logoutRoutes(app, deps);
  oidcRoutes(app, deps);
  peopleRoutes(app, deps);
};

/** A workload's token ends with what it was made from, which it may be made from again and again. */
const lastOf = (caller: Caller): number | undefined => (caller.kind === 'workload' ? caller.until : undefined);

/** For whom a token is issued, and what it ends with. */
const subjectOf = (caller: Caller): Omit<Grant, 'use' | 'access'> => {
  if (caller.kind === 'workload') return { userId: null, securityVersion: 0, workload: { id: caller.id, grants: caller.grants } };
  if (caller.kind !== 'user') return { userId: null, securityVersion: 0 };
  const { userId, securityVersion, token, sessionId } = caller;
  return {
    userId,
    securityVersion,
    ...(token !== undefined && { accessTokenId: token.tokenId }),
    ...(sessionId !== undefined && { sessionId }),
  };
};

/** `/auth`: where docker's clients get their tokens and people log in. */
export const authSurface =
  (deps: HttpDeps): FastifyPluginAsync =>
  async (app) => {
    refuseIn(app, CHALLENGING);
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
      done(null, new URLSearchParams(body as string)),
    );
    tokenRoutes(app, deps);
  };
