import { STATUS_CODES } from 'node:http';
import fastifySwagger from '@fastify/swagger';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { SESSION_COOKIE } from './cookies.ts';
import type { Answer, Content, Document, Operation, Parameter, Schema } from './openapiDocument.ts';
import { errorComponents, errorsOf, refusalOf, type Surface, surfaceOf } from './openapiErrors.ts';
import { exampleOf } from './openapiExamples.ts';
import { CHAPTERS, INTRODUCTION } from './openapiWords.ts';
import type { RouteDescription } from './routeDescription.ts';

type Route = Readonly<{ schema: unknown; url: string; route: RouteOptions }>;

/** A surface's root may be added with a slash at its end or without; only `/v2/` is written with it. */
const asWritten = (url: string): string => (/^\/v2\/?$/.test(url) ? '/v2/' : url.replace(/(?<=.)\/$/, ''));

/** A route's path as the description has it: `/users/{id}`. */
export const templateOf = (url: string): string =>
  asWritten(url)
    .replace(/:(\w+)/g, '{$1}')
    .replace('*', '{path}');

const words = (text: string): readonly string[] => text.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** Paths that stand in no surface. */
const ALONE = /^\/(?!api\/|v2\/|auth(?:\/|$))/;

/** `GET /api/v1/users/{id}` is `getUsersById`: the management API's paths without their beginning, all others whole. */
const operationIdOf = (method: string, path: string): string => {
  const told = ALONE.test(path) ? `/server${path}` : path.replace(/^\/api\/v1(?=\/)/, '');
  const named = told.replace(/\{(\w+)\}/g, (_all, name: string) => `by-${name}`);
  return `${method.toLowerCase()}${words(named).map(capital).join('')}`;
};

const HIDDEN = { hide: true };

/** HEAD is described where there is a word of it; its answers are GET's, without a body. */
const headOf = ({ head, response, ...others }: RouteDescription): object => {
  if (head === undefined) return HIDDEN;
  const empty = Object.entries(response).map(([status, answer]) => [
    status,
    { type: 'null', description: (answer as Schema).description ?? 'No body.', ...headersOf(answer) },
  ]);
  return { ...others, summary: head, response: Object.fromEntries(empty) };
};

const headersOf = (answer: object): object => ('headers' in answer ? { headers: answer.headers } : {});

/** What the plugin is to see of a route: what it validates by, or what it says of itself. */
const shown = ({ schema, url, route }: Route): { schema: object; url: string } => {
  const said = route.config?.says ?? (schema as RouteDescription | undefined);
  if (said?.summary === undefined) return { schema: HIDDEN, url };
  const visible = route.method === 'HEAD' ? headOf(said) : said;
  return { schema: { ...visible, 'x-action': route.config?.action ?? 'open' }, url: asWritten(url) };
};

const LOGIN = [{ basic: [] }, { bearer: [] }, { session: [] }];

const IN_NAME = 'Its slashes may be sent as they are, or as `%2F`.';

const parameterOf = (parameter: Parameter): Parameter => {
  if (parameter.in !== 'path' || parameter.name !== 'name') return parameter;
  const { description = 'The name of the repository.', ...others } = parameter;
  return { ...others, description: `${description} ${IN_NAME}` };
};

/** Each body of JSON with an example, made of what its schema says. */
const contentOf = (content: Content): Content =>
  Object.fromEntries(
    Object.entries(content).map(([type, media]) => {
      const known = media.example !== undefined || media.schema === undefined || type !== 'application/json';
      return [type, known ? media : { ...media, example: exampleOf(media.schema) }];
    }),
  );

const LIMITS = ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset'] as const;
const LIMIT_HEADERS = Object.fromEntries(LIMITS.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

/** What the plugin says of an answer whose schema says nothing. */
const SILENT = 'Default Response';

/** Whether its body always has `error`, as those of refusals do. */
const isRefusal = ({ content }: Answer): boolean => content?.['application/json']?.schema?.required?.includes('error') ?? false;

/** Whose words an operation refuses with, and whether its requests are counted. */
type Place = Readonly<{ surface: Surface; limited: boolean }>;

/** A refusal that a route describes without a word of its own is that of its surface. */
const answerOf = ({ surface, limited }: Place, status: number, answer: Answer): Answer => {
  const silent = answer.description === SILENT;
  return (
    (silent && isRefusal(answer) ? refusalOf(surface, status) : undefined) ??
    describedAnswer(limited, silent ? { ...answer, description: STATUS_CODES[status] ?? SILENT } : answer)
  );
};

const describedAnswer = (limited: boolean, answer: Answer): Answer => ({
  ...answer,
  ...(limited && { headers: { ...LIMIT_HEADERS, ...answer.headers } }),
  ...(answer.content !== undefined && { content: contentOf(answer.content) }),
});

/** What the plugin makes of a route: named only where the route names itself. */
type Made = Omit<Operation, 'operationId'> & Readonly<{ operationId?: string }>;

const operationOf = (method: string, path: string, operation: Made): Operation => {
  const { parameters, requestBody, responses, ...others } = operation;
  const surface = surfaceOf(path);
  // Who needs no login is not counted there.
  const limited = (surface === 'Management' || surface === 'Monitoring') && operation['x-action'] !== 'open';
  const place = { surface, limited };
  const described = Object.entries(responses).map(([status, answer]) => [status, answerOf(place, Number(status), answer)]);
  return {
    ...others,
    operationId: operation.operationId ?? operationIdOf(method, path),
    security: operation['x-action'] === 'open' ? [] : LOGIN,
    ...(parameters !== undefined && { parameters: parameters.map(parameterOf) }),
    ...(requestBody !== undefined && { requestBody: { ...requestBody, content: contentOf(requestBody.content) } }),
    responses: { ...errorsOf(method, path, operation), ...Object.fromEntries(described) },
  };
};

const byPath = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number => (one < other ? -1 : 1);

/** Paths in order, so that the document is the same whatever order surfaces are added in. */
const pathsOf = (paths: Document['paths']): Document['paths'] =>
  Object.fromEntries(
    Object.entries(paths)
      .sort(byPath)
      .map(([path, operations]) => [
        path,
        Object.fromEntries(Object.entries(operations).map(([method, one]) => [method, operationOf(method, path, one)])),
      ]),
  );

const COMPONENTS = {
  securitySchemes: {
    basic: { type: 'http', scheme: 'basic', description: 'A username with its password, or with an access token (`ghd_…`).' },
    bearer: {
      type: 'http',
      scheme: 'bearer',
      description: 'An access token (`ghd_…`), or the token that `POST /auth` gives for a password.',
    },
    session: {
      type: 'apiKey',
      in: 'cookie',
      name: SESSION_COOKIE,
      description:
        'The cookie of a login at an identity provider. Without TLS, which this machine alone may use, it has no `__Host-` before its name.',
    },
  },
  headers: {
    'X-RateLimit-Limit': {
      description: 'Requests an hour; of the monitoring API, a minute. Absent where the limit is off.',
      schema: { type: 'integer' },
    },
    'X-RateLimit-Remaining': { description: 'How many of them are left.', schema: { type: 'integer' } },
    'X-RateLimit-Reset': { description: 'When the count begins anew, in seconds since 1970.', schema: { type: 'integer' } },
    'Retry-After': { description: 'After how many seconds to try again.', schema: { type: 'integer' } },
    'WWW-Authenticate': { description: 'How to log in.', schema: { type: 'string' } },
  },
};

/**
 * Makes the description of all routes that are added from now on, out of the very schemas that they are checked by. `describedBy` gives
 * it, once the application is ready.
 */
export const describeRoutes = async (app: FastifyInstance, version: string, url = '/'): Promise<void> => {
  await app.register(fastifySwagger, {
    exposeHeadRoutes: true,
    stripBasePath: false,
    convertConstToEnum: false,
    openapi: {
      openapi: '3.1.0',
      info: { title: 'GhostDock Registry', version, description: INTRODUCTION },
      servers: [{ url }],
      tags: Object.entries(CHAPTERS).map(([name, description]) => ({ name, description })),
      components: { ...COMPONENTS, ...errorComponents() } as object,
    },
    transform: (route) => shown(route as Route) as never,
    transformObject: (made) => {
      const { openapiObject: document } = made as unknown as { openapiObject: Document };
      return { ...document, paths: pathsOf(document.paths) } as never;
    },
  });
};

/** The description, of which the plugin keeps one. */
export const describedBy = (app: FastifyInstance): Document => app.swagger() as unknown as Document;
