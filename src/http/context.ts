import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { CommandContext } from '../commands/execute.ts';
import type { Actor } from '../events/event.ts';
import { userSubject } from '../events/users.ts';
import type { Caller } from '../identity/caller.ts';

/** The user who calls, whatever with. */
export const userOf = (caller: Caller): Actor => {
  if (caller.kind === 'user') return { kind: caller.role === 'robot' ? 'robot' : 'user', id: String(caller.userId) };
  return caller.kind === 'workload' ? { kind: 'robot', id: caller.id } : { kind: 'anonymous', id: 'anonymous' };
};

/** The caller as events name it: the access token, where one was used, which has its owner in its own events. */
export const actorOf = (caller: Caller): Actor =>
  caller.kind === 'user' && caller.token !== undefined ? { kind: 'token', id: String(caller.token.tokenId) } : userOf(caller);

/** On whose behalf, from where and in which request a command is given. */
export const contextOf = (request: FastifyRequest, caller: Caller = request.caller): CommandContext => {
  const userAgent = request.headers['user-agent'];
  return {
    commandId: randomUUID(),
    actor: actorOf(caller),
    ip: request.ip,
    ...(userAgent !== undefined && { userAgent }),
    ...(caller.kind === 'user' && { subject: userSubject(caller.userId) }),
    requestId: request.id,
    correlationId: request.id,
  };
};
