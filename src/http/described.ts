import type { FastifyInstance } from 'fastify';
import type { RouteAction } from './permit.ts';
import { type Handler, type Method, resource } from './resource.ts';

/** Plain JSON Schemas, from which the description of the API is made as well. */
export type RouteSchema = Readonly<{
  /** One sentence: what the operation does. */
  summary: string;
  /** The chapter of the description that it stands in. */
  tags: readonly [string];
  params?: object;
  querystring?: object;
  body?: object;
  /** By status. Answers are written as the handler gives them: no schema leaves anything out of them. */
  response: Readonly<Record<number, object>>;
}>;

export type DescribedRoute = Readonly<{ action: RouteAction; schema: RouteSchema; handler: Handler }>;

/** One path of an API that is described, with its methods. */
export const described = (app: FastifyInstance, url: string, routes: Readonly<Partial<Record<Method, DescribedRoute>>>): void =>
  resource(app, url, routes);
