import type { FastifyInstance } from 'fastify';
import type { RouteAction } from './permit.ts';
import { type Handler, type Method, resource } from './resource.ts';
import type { RouteSchema } from './routeDescription.ts';

export type { RouteSchema } from './routeDescription.ts';

/** `stream`: the answer goes on for as long as somebody listens. */
export type DescribedRoute = Readonly<{ action: RouteAction; schema: RouteSchema; handler: Handler; stream?: true }>;

/** One path of an API that is described, with its methods. */
export const described = (app: FastifyInstance, url: string, routes: Readonly<Partial<Record<Method, DescribedRoute>>>): void =>
  resource(app, url, routes);
