import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { usersDecider } from '../../commands/users.ts';
import { RegistryError } from '../../errors.ts';
import type { Caller } from '../../identity/caller.ts';
import type { PeopleLogin } from '../../identity/oidc/people.ts';
import { type Person, personOf, usernameAfter } from '../../identity/oidc/person.ts';
import { identities } from '../../projections/identities.ts';
import { type User, userKey, users } from '../../projections/users.ts';
import { letIn } from '../accessRecords.ts';
import { contextOf } from '../context.ts';
import { cookieOf, mayLogIn, setCookie } from '../cookies.ts';
import type { HttpDeps } from '../deps.ts';
import { refuseBegunNamespace } from '../namespace.ts';
import { baseOf } from '../origin.ts';
import { goneForReaders } from '../ownWrites.ts';
import { resource } from '../resource.ts';
import { BEGIN_LOGIN, FINISH_LOGIN } from './descriptions.ts';
import { LOGIN_SECONDS, loginCookies } from './loginCookie.ts';

type Named = { Params: { provider: string }; Querystring: Readonly<Record<string, unknown>> };

const ANONYMOUS: Caller = { kind: 'anonymous' };
/** Names that are tried for a person who is new, before giving up. */
const MOST_NAMES = 100;

/** A path of this registry: `//host` and `/\host` lead elsewhere. */
const isLocalPath = (text: unknown): text is string =>
  typeof text === 'string' && /^\/(?![/\\])[\x21-\x7e]{0,1023}$/.test(text) && !text.includes('\\');

const refused = (message: string): RegistryError => new RegistryError('DENIED', message);

/** A page, and not a redirect: the session's cookie goes with what a page of ours leads to, not with where another site does. */
const pageTo = (path: string): string => {
  const target = path.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=${target}"><title>GhostDock Registry</title><p>You are logged in. <a href="${target}">Go on</a></p></html>\n`;
};

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** Finds the user of an identity, or makes one, and brings the role to what the provider says today. */
const userOfPerson = (deps: HttpDeps, request: FastifyRequest, issuer: string) => {
  const { views, execute, streams, fingerprints } = deps;
  const context = () => contextOf(request, ANONYMOUS);
  const known = async (subject: string): Promise<User | undefined> => {
    const identity = await views.get(identities, fingerprints.identity(issuer, subject));
    return identity && views.get(users, userKey(identity.userId));
  };

  const register = async ({ subject, username: wish, email, role }: Person & Readonly<{ role: User['role'] }>): Promise<User> => {
    const identity = fingerprints.identity(issuer, subject);
    for (let tried = 0; tried < MOST_NAMES; tried += 1) {
      const username = usernameAfter(wish, tried);
      const fingerprint = fingerprints.username(username);
      const command = { type: 'RegisterIdentity', issuer, subject, identity, username, fingerprint, email, role } as const;
      try {
        await refuseBegunNamespace(deps, username);
        await goneForReaders(deps, await execute(streams.users, usersDecider, command, context()));
      } catch (error) {
        const field = error instanceof RegistryError ? error.detail.field : undefined;
        // Taken, reserved, or others' namespace; or the same person, logging in twice at once.
        if (field !== 'username' && field !== 'subject') throw error;
      }
      const user = await known(subject);
      if (user !== undefined) return user;
    }
    throw new RegistryError('CONFLICT', 'No username is left for you. Ask an administrator.', { field: 'username' });
  };

  return async (person: Person): Promise<User> => {
    const { subject, role } = person;
    if (role === null) throw refused('Your organisation does not let you into this registry.');
    const user = (await known(subject)) ?? (await register({ ...person, role }));
    if (user.deleted) throw refused('Your account was deleted.');
    if (user.suspended) throw refused('Your account is suspended.');
    if (user.role === role) return user;
    const command = { type: 'ChangeUser', userId: user.userId, role } as const;
    await goneForReaders(deps, await execute(streams.users, usersDecider, command, context()));
    return (await known(subject)) ?? user;
  };
};

/** `GET /auth/oidc/<provider>` and its `/callback`: how people log in, ending in a cookie. */
export const peopleRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const { publicUrl } = deps.settings;
  const cookies = loginCookies(deps.loginKey);

  const providerOf = ({ params }: FastifyRequest<Named>): PeopleLogin => {
    const found = deps.people.get(params.provider);
    if (found !== undefined) return found;
    throw new RegistryError('NOT_FOUND', 'There is no identity provider of that name for people.');
  };
  const redirectUriOf = (request: FastifyRequest<Named>): string =>
    `${baseOf(request, publicUrl)}/auth/oidc/${request.params.provider}/callback`;

  const begin = async (request: FastifyRequest<Named>, reply: FastifyReply) => {
    const login = providerOf(request);
    if (!mayLogIn(request, publicUrl))
      throw refused('People log in by https only. See GHOSTDOCK_PUBLIC_URL and GHOSTDOCK_TRUSTED_PROXIES.');
    const { return: wanted = '/' } = request.query;
    if (!isLocalPath(wanted))
      throw new RegistryError('REQUEST_INVALID', 'return must be a path of this registry.', { field: 'return' });
    const redirectUri = redirectUriOf(request);
    const { url, checks } = await login.begin(redirectUri);
    const sealed = cookies.seal({ ...checks, provider: login.provider.name, redirectUri, returnTo: wanted });
    setCookie(request, reply, 'login', sealed, { publicUrl, maxAgeSeconds: LOGIN_SECONDS });
    return reply.header('cache-control', 'no-store').redirect(url, 302);
  };

  const finish = async (request: FastifyRequest<Named>, reply: FastifyReply) => {
    const login = providerOf(request);
    const pending = cookies.open(cookieOf(request, 'login', publicUrl) ?? '');
    setCookie(request, reply, 'login', '', { publicUrl, maxAgeSeconds: 0 });
    if (pending?.provider !== login.provider.name)
      throw new RegistryError('UNAUTHENTICATED', 'This login was not begun here, took too long, or is over. Log in again.');
    const answer = new URL(pending.redirectUri);
    answer.search = new URL(request.originalUrl, 'http://localhost').search;
    const person = personOf(await login.finish(answer, pending), login.people);
    if (person === undefined) throw new RegistryError('UNAUTHENTICATED', 'The identity provider does not say who you are.');
    const user = await userOfPerson(deps, request, login.provider.issuer)(person);
    return enter(request, reply, user, pending.returnTo);
  };

  const enter = async (request: FastifyRequest, reply: FastifyReply, user: User, returnTo: string) => {
    const { userId, username, role, securityVersion } = user;
    await letIn(deps, request, 'user.login', { kind: 'user', userId, username, role, securityVersion }, 'oidc');
    const { token, expiresInSeconds } = await deps.tokens.issue({ use: 'session', userId, securityVersion });
    setCookie(request, reply, 'session', token, { publicUrl, maxAgeSeconds: expiresInSeconds });
    return reply.headers(PAGE_HEADERS).send(pageTo(`${request.pathPrefix}${returnTo}`));
  };

  // Whoever it is shows it to the provider, which tells.
  resource(app, '/oidc/:provider', { GET: { action: 'open', handler: begin, says: BEGIN_LOGIN } });
  resource(app, '/oidc/:provider/callback', { GET: { action: 'open', handler: finish, says: FINISH_LOGIN } });
};
