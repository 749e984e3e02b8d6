import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, RouteHandlerMethod } from 'fastify';
import { RegistryError } from '../errors.ts';
import type { RouteAction } from './permit.ts';
import type { RouteDescription } from './routeDescription.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type Method = (typeof METHODS)[number];

// biome-ignore lint/suspicious/noExplicitAny: fastify's route generics are invariant; each handler states its own request type.
export type Handler = (request: any, reply: FastifyReply) => unknown;
/**
 * A handler, what its caller must be allowed to do, and what is checked of the request before it runs. Where nothing is checked by a
 * schema, because the handler reads the request as a stream or in its own words, `says` describes it all the same. `stream`: the answer
 * goes on for as long as somebody listens.
 */
export type Route = Readonly<{
  action: RouteAction;
  handler: Handler;
  schema?: FastifySchema;
  says?: RouteDescription;
  stream?: true;
}>;

/** Of routes that do nothing. */
const OPEN = { action: 'open' } as const;

/**
 * One path with its methods. HEAD answers wherever GET does, with the same handler; every other method is refused with 405 and
 * `Allow` (RFC 9110, section 15.5.6), so a client learns what the path takes. It is refused before any login is asked for. OPTIONS says
 * the same and nothing else: a browser's preflight finds no permission in it, so that no page of another site can use the registry.
 */
export const resource = (app: FastifyInstance, url: string, handlers: Readonly<Partial<Record<Method, Route>>>): void => {
  const given = handlers.GET !== undefined && handlers.HEAD === undefined ? { ...handlers, HEAD: handlers.GET } : handlers;
  const allowed = METHODS.filter((method) => given[method] !== undefined);
  for (const method of allowed) {
    const { action, handler, schema, says, stream } = given[method] as Route;
    app.route({
      method,
      url,
      exposeHeadRoute: false,
      config: { action, ...(says !== undefined && { says }), ...(stream !== undefined && { stream }) },
      ...(schema !== undefined && { schema }),
      handler: handler as RouteHandlerMethod,
    });
  }
  const refuse = async (request: FastifyRequest, reply: FastifyReply): Promise<never> => {
    reply.header('allow', allowed.join(', '));
    throw new RegistryError('METHOD_NOT_ALLOWED', `This path takes ${allowed.join(', ')}.`, { method: request.method });
  };
  const tell = async (_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
    reply.code(204).header('allow', allowed.join(', ')).send();
  app.route({ method: 'OPTIONS', url, exposeHeadRoute: false, config: OPEN, onRequest: tell, handler: tell });
  const others = app.supportedMethods.filter((method) => given[method as Method] === undefined && method !== 'OPTIONS');
  // On request: before the body is read, which may be large or of a type that nobody expects here.
  app.route({ method: others, url, exposeHeadRoute: false, config: OPEN, onRequest: refuse, handler: refuse });
};
