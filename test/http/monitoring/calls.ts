import { Ajv } from 'ajv';
import { expect } from 'chai';
import Fastify from 'fastify';
import type { HttpDeps } from '../../../src/http/deps.ts';
import type { RouteSchema } from '../../../src/http/described.ts';
import { monitoringSurface } from '../../../src/http/monitoring/index.ts';
import type { TestApp } from '../../support/app.ts';
import type { Answer, HttpClient } from '../../support/http.ts';
import { waitUntil } from '../../support/processes.ts';
import { type Json, jsonOf } from '../exchanges.ts';

type Described = Readonly<{ method: string; url: string; schema: RouteSchema }>;

const described = async (): Promise<readonly Described[]> => {
  const routes: Described[] = [];
  const app = Fastify();
  app.addHook('onRoute', ({ method, url, schema }) => {
    if (schema === undefined) return;
    for (const one of [method].flat()) routes.push({ method: one, url, schema: schema as RouteSchema });
  });
  // Routes only keep what they are given until somebody calls.
  await app.register(monitoringSurface({ limits: {}, settings: {}, live: {} } as unknown as HttpDeps), { prefix: '/api' });
  await app.ready();
  await app.close();
  return routes;
};

const ROUTES = await described();

const ajv = new Ajv({
  allErrors: true,
  strict: true,
  allowUnionTypes: true,
  formats: { 'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ },
});
ajv.addVocabulary(['example']);

const patternOf = (url: string): RegExp => new RegExp(`^${url.replace(':name', '.+').replace(/:\w+/g, '[^/]+')}/?$`);

const schemaOf = (method: string, path: string, status: number): object | undefined =>
  ROUTES.find((route) => route.method === method && patternOf(route.url).test(path.replace(/[?#].*$/, '')))?.schema.response[
    status
  ];

/** The JSON that an answer of the monitoring API has, which is what the description of the route promises for its status. */
export const monitored = (method: string, path: string, answer: Answer): Json => {
  const shown = `${method} ${path}: ${answer.status} ${answer.body.toString('utf8', 0, 500)}`;
  expect(answer.headers['content-type'], shown).to.equal('application/json; charset=utf-8');
  if (answer.status < 400) expect(answer.headers['cache-control'], shown).to.equal('no-store');
  const body = jsonOf(answer);
  const schema = schemaOf(method, path, answer.status);
  expect(schema, `${shown}: is described`).not.to.equal(undefined);
  expect(ajv.validate(schema as object, body), `${shown}: ${ajv.errorsText()}`).to.equal(true);
  return body;
};

/** What is answered to a GET, with this status. */
export const get = async (client: HttpClient, path: string, status = 200): Promise<Json> => {
  const answer = await client.send('GET', path);
  expect(answer.status, answer.body.toString('utf8', 0, 500)).to.equal(status);
  return monitored('GET', path, answer);
};

export type State = Readonly<{
  timestamp: number;
  summary: Readonly<Record<string, number>> & Readonly<{ position: string }>;
  storage: Readonly<Record<string, number>>;
  repositories: readonly Readonly<{ name: string; tags: readonly string[]; tagCount: number }>[];
  activeSessions: Readonly<{ count: number; sessions: readonly Readonly<Record<string, unknown>>[] }>;
  health: Readonly<{ status: string; uptime: number; logStreamClients: number }>;
}>;

export const stateOf = async ({ admin }: TestApp, query = ''): Promise<State> =>
  (await get(admin, `/api/registry/state${query}`)) as unknown as State;

/** Views that nothing is decided from are not waited for at the start, and make it degraded until they are there. */
export const untilHealthy = ({ anonymous }: TestApp): Promise<unknown> =>
  waitUntil('all views are there', async () => jsonOf(await anonymous.send('GET', '/health')).status === 'healthy');
