import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Caller } from '../identity/caller.ts';
import { tokenUses } from './accessRecords.ts';
import type { HttpDeps } from './deps.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sends the request; set before any handler of a surface runs. */
    caller: Caller;
  }
}

/**
 * Works out who calls, once a request, before the body is read. A cached bearer token is answered without a promise.
 * @param headers that stand in every answer of the surface
 */
export const identify = (app: FastifyInstance, deps: HttpDeps, headers: Readonly<Record<string, string>>): void => {
  const { authenticate } = deps;
  const recordUse = tokenUses(deps);
  const goOn = (request: FastifyRequest, caller: Caller, done: (error?: Error) => void): void => {
    request.caller = caller;
    const recorded = recordUse(request, caller);
    if (recorded === undefined) done();
    else recorded.then(() => done(), done);
  };
  app.decorateRequest('caller', undefined as never);
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(headers);
    try {
      const caller = authenticate(request.headers.authorization, request);
      if (!(caller instanceof Promise)) {
        goOn(request, caller, done);
        return;
      }
      caller.then(
        (known) => goOn(request, known, done),
        (error: Error) => done(error),
      );
    } catch (error) {
      done(error as Error);
    }
  });
};
