import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { usersDecider } from '../../commands/users.ts';
import { isRefusal } from '../../errors.ts';
import type { Caller } from '../../identity/caller.ts';
import { contextOf } from '../context.ts';
import { sessionHeader, setCookie } from '../cookies.ts';
import type { HttpDeps } from '../deps.ts';
import { goneForReaders } from '../ownWrites.ts';
import { resource } from '../resource.ts';
import { LOG_OUT } from './descriptions.ts';

const NO_STORE = { 'cache-control': 'no-store' };
const BEARER = /^bearer +/i;

type Session = Readonly<{ userId: number; sessionId: string; expiresAt: string; caller: Caller }>;

/** The session whose own token a request was sent with, unless it has ended. */
const sessionOf = async (
  { tokens, authenticate }: HttpDeps,
  request: FastifyRequest,
  authorization: string,
): Promise<Session | undefined> => {
  try {
    const { use, userId, tokenId, expiresAt } = await tokens.verify(authorization.replace(BEARER, ''));
    if (use !== 'session' || userId === null) return undefined;
    const caller = await authenticate(authorization, request);
    return { userId, sessionId: tokenId, expiresAt: new Date(expiresAt).toISOString(), caller };
  } catch (error) {
    if (isRefusal(error, 'UNAUTHENTICATED')) return undefined;
    throw error;
  }
};

/**
 * `POST /auth/logout` ends the session whose token is sent, and what was issued in it. Whoever sends something else, or nothing, has no
 * session that could go on, and gets the same answer. Passwords and access tokens are no sessions: those are changed and revoked.
 */
export const logoutRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const logout = async (request: FastifyRequest, reply: FastifyReply) => {
    const { publicUrl } = deps.settings;
    const authorization = request.headers.authorization ?? sessionHeader(request, publicUrl) ?? '';
    if (request.headers.cookie !== undefined) setCookie(request, reply, 'session', '', { publicUrl, maxAgeSeconds: 0 });
    const session = BEARER.test(authorization) ? await sessionOf(deps, request, authorization) : undefined;
    if (session !== undefined) {
      const { caller, ...of } = session;
      const command = { type: 'EndSession', ...of } as const;
      await goneForReaders(deps, await deps.execute(deps.streams.users, usersDecider, command, contextOf(request, caller)));
    }
    return reply.headers(NO_STORE).send({ message: 'Successfully logged out' });
  };

  resource(app, '/logout', { POST: { action: 'open', handler: logout, says: LOG_OUT } });
};
