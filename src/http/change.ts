import type { FastifyRequest } from 'fastify';
import type { Outcome } from '../commands/execute.ts';
import type { RepositoryCommand } from '../commands/repository/commands.ts';
import { repositoryDecider } from '../commands/repository.ts';
import { pushedInVain } from './accessRecords.ts';
import { contextOf } from './context.ts';
import type { HttpDeps } from './deps.ts';

/** Gives one command to a repository on behalf of the request. */
export const change = async (deps: HttpDeps, request: FastifyRequest, command: RepositoryCommand): Promise<Outcome> => {
  const { execute, streams } = deps;
  const outcome = await execute(streams.repository(command.repository), repositoryDecider, command, contextOf(request));
  for (const { type } of outcome.facts)
    request.log.info({ event: type, repository: command.repository }, `${type} in ${command.repository}`);
  if (outcome.facts.length === 0) await pushedInVain(deps, request, command);
  return outcome;
};

/** The same for what may be more than one append takes: the command is given until `isDone`. @returns the last outcome */
export const changeUntil = async (
  isDone: (outcome: Outcome) => boolean,
  ...[deps, request, command]: Parameters<typeof change>
): Promise<Outcome> => {
  for (;;) {
    const outcome = await change(deps, request, command);
    if (isDone(outcome)) return outcome;
  }
};
