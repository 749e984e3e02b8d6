import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { RegistryError } from '../errors.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
type Method = (typeof METHODS)[number];

// biome-ignore lint/suspicious/noExplicitAny: fastify's route generics are invariant; each handler states its own request type.
type Handler = (request: any, reply: FastifyReply) => unknown;

/**
 * One path with its methods. HEAD answers wherever GET does, with the same handler; every other method is refused with 405 and
 * `Allow` (RFC 9110, section 15.5.6), so a client learns what the path takes. It is refused before any login is asked for.
 */
export const resource = (app: FastifyInstance, url: string, handlers: Readonly<Partial<Record<Method, Handler>>>): void => {
  const given = handlers.GET !== undefined && handlers.HEAD === undefined ? { ...handlers, HEAD: handlers.GET } : handlers;
  const allowed = METHODS.filter((method) => given[method] !== undefined);
  for (const method of allowed) app.route({ method, url, exposeHeadRoute: false, handler: given[method] as RouteHandlerMethod });
  const refuse = async (request: FastifyRequest, reply: FastifyReply): Promise<never> => {
    reply.header('allow', allowed.join(', '));
    throw new RegistryError('METHOD_NOT_ALLOWED', `This path takes ${allowed.join(', ')}.`, { method: request.method });
  };
  const others = app.supportedMethods.filter((method) => given[method as Method] === undefined);
  // On request: before the body is read, which may be large or of a type that nobody expects here.
  app.route({ method: others, url, exposeHeadRoute: false, onRequest: refuse, handler: refuse });
};
