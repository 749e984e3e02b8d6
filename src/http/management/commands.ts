import type { FastifyRequest } from 'fastify';
import type { Decider } from '../../commands/decider.ts';
import type { Outcome } from '../../commands/execute.ts';
import { contextOf } from '../context.ts';
import type { HttpDeps } from '../deps.ts';

/** @param about the field of the facts' data that says of what they are: `userId` */
export const logFacts = (request: FastifyRequest, facts: Outcome['facts'], about: string): void => {
  for (const { type, data } of facts)
    request.log.info({ event: type, [about]: (data as Readonly<Record<string, unknown>>)[about] }, type);
};

type Stream = 'grants' | 'teams' | 'tokens' | 'users';

/** Makes what gives the commands of one stream on behalf of requests. `about` as in `logFacts`. */
export const commanding =
  <C>(deps: HttpDeps, stream: Stream, decider: Decider<C>, about: string) =>
  async (request: FastifyRequest, command: C): Promise<Outcome> => {
    const outcome = await deps.execute(deps.streams[stream], decider, command, contextOf(request));
    logFacts(request, outcome.facts, about);
    return outcome;
  };
