import { randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CommandContext, Outcome } from '../../commands/execute.ts';
import type { RepositoryCommand } from '../../commands/repository.ts';
import { repositoryDecider } from '../../commands/repository.ts';
import { RegistryError } from '../../errors.ts';
import type { HttpDeps } from '../deps.ts';
import { actorOf } from './guard.ts';

const contextOf = (request: FastifyRequest): CommandContext => {
  const userAgent = request.headers['user-agent'];
  return {
    commandId: randomUUID(),
    actor: actorOf(request.caller),
    ip: request.ip,
    ...(userAgent !== undefined && { userAgent }),
    requestId: request.id,
    correlationId: request.id,
  };
};

/** Gives one command to a repository on behalf of the request. */
export const change = async (
  { execute, streams }: HttpDeps,
  request: FastifyRequest,
  command: RepositoryCommand,
): Promise<Outcome> => {
  const outcome = await execute(streams.repository(command.repository), repositoryDecider, command, contextOf(request));
  for (const { type } of outcome.facts)
    request.log.info({ event: type, repository: command.repository }, `${type} in ${command.repository}`);
  return outcome;
};

/** Waits until readers see a push. It is durable either way, so a lagging view is a warning. */
export const seenOrWarned = async ({ reached }: HttpDeps, { position }: Outcome, reply: FastifyReply): Promise<void> => {
  if (await reached(position)) return;
  reply.header('warning', '299 - "Stored. Listings will show it a little later."');
};

/** Waits until no reader sees what was deleted. @throws RegistryError `UNAVAILABLE`: deleting again is a no-op */
export const goneForReaders = async ({ reached }: HttpDeps, { position }: Outcome): Promise<void> => {
  if (await reached(position)) return;
  throw new RegistryError('UNAVAILABLE', 'Deleted, but still being taken out of the listings. Try again.');
};
