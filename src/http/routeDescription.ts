/** Plain JSON Schemas, from which the description of the API is made as well. */
export type RouteSchema = Readonly<{
  /** One sentence: what the operation does. */
  summary: string;
  /** What one must know besides. */
  description?: string;
  /** The chapter of the description that it stands in. */
  tags: readonly [string];
  /** Where the one that is made of method and path would not be unique. */
  operationId?: string;
  params?: object;
  querystring?: object;
  headers?: object;
  body?: object;
  /** By status. Answers are written as the handler gives them: no schema leaves anything out of them. */
  response: Readonly<Record<number, object>>;
}>;

/** What a route says of itself where its handler does the checking: read by people and tests, and by no request. */
export type RouteDescription = RouteSchema &
  Readonly<{
    /** What HEAD is asked for, where that is worth a word of its own; else it is not described beside GET. */
    head?: string;
  }>;

declare module 'fastify' {
  interface FastifyContextConfig {
    says?: RouteDescription;
  }
}
