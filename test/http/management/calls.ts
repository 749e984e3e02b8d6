import { Ajv } from 'ajv';
import { expect } from 'chai';
import Fastify from 'fastify';
import type { HttpDeps } from '../../../src/http/deps.ts';
import type { RouteSchema } from '../../../src/http/described.ts';
import { managementSurface } from '../../../src/http/management/index.ts';
import type { RouteAction } from '../../../src/http/permit.ts';
import type { TestApp } from '../../support/app.ts';
import { type Answer, expectStatus, type HttpClient } from '../../support/http.ts';
import { waitUntil } from '../../support/processes.ts';
import { type Json, jsonOf } from '../exchanges.ts';

/** A route of the management API as it says of itself. */
export type Described = Readonly<{ method: string; url: string; action: RouteAction; schema: RouteSchema }>;

const described = async (): Promise<readonly Described[]> => {
  const routes: Described[] = [];
  const app = Fastify();
  app.addHook('onRoute', ({ method, url, schema, config }) => {
    if (schema === undefined) return;
    for (const one of [method].flat())
      routes.push({ method: one, url, schema: schema as RouteSchema, action: config?.action ?? 'open' });
  });
  // Routes only keep what they are given until somebody calls.
  await app.register(managementSurface({ limits: {}, settings: {} } as unknown as HttpDeps), { prefix: '/api/v1' });
  await app.ready();
  await app.close();
  return routes;
};

/** Every route that has a schema: all but those that refuse a method. */
export const ROUTES: readonly Described[] = await described();

const ajv = new Ajv({
  allErrors: true,
  strict: true,
  allowUnionTypes: true,
  formats: { 'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ },
});
ajv.addVocabulary(['example']);

/** A repository's name has slashes, and ends where its own resources begin. */
const patternOf = (url: string): RegExp =>
  new RegExp(`^${url.replace(':name', '(?:(?!/-/).)+').replace(/:\w+/g, '[^/]+').replace('*', '.+')}$`);

/** The most literal of the patterns that fit, as the router takes it. */
const routeOf = (method: string, path: string): Described | undefined =>
  ROUTES.filter((route) => route.method === method && patternOf(route.url).test(path.replace(/[?#].*$/, ''))).sort(
    (a, b) => a.url.split(':').length - b.url.split(':').length,
  )[0];

/** What holds of every answer of the management API: its own description, if it succeeds, and else the form of its errors. */
export const expectManaged = (method: string, path: string, answer: Answer): void => {
  const shown = `${method} ${path}: ${answer.status} ${answer.body.toString('utf8', 0, 300)}`;
  if (answer.status >= 400) {
    const { error, ...others } = jsonOf(answer) as { error: Json };
    expect(others, shown).to.deep.equal({});
    expect(error, shown).to.have.all.keys('code', 'message', 'details');
    expect(error.code, shown).to.match(/^[A-Z_]+$/);
    expect(error.details, shown).to.be.an('object');
    return;
  }
  expect(answer.headers['cache-control'], shown).to.equal('no-store');
  const schema = routeOf(method, path)?.schema.response[answer.status];
  expect(schema, `${shown}: is described`).not.to.equal(undefined);
  const body = answer.body.length === 0 ? null : (jsonOf(answer) as unknown);
  expect(ajv.validate(schema as object, body), `${shown}: ${ajv.errorsText()}`).to.equal(true);
};

export type Called = Readonly<{ status: number; headers: Answer['headers']; body: Json; error: Json }>;

/** Sends JSON and reads JSON. Looks that the answer is what the route promises. */
export const call = async (client: HttpClient, method: string, path: string, body?: unknown): Promise<Called> => {
  const sending =
    body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: typeof body === 'string' ? body : JSON.stringify(body) };
  const answer = await client.send(method, path, sending);
  expectManaged(method, path, answer);
  const json = answer.body.length === 0 ? {} : jsonOf(answer);
  return { status: answer.status, headers: answer.headers, body: json, error: (json.error ?? {}) as Json };
};

/** The same connections in a session that a password, or an access token in its place, has opened. */
export const sessionBy = async (client: HttpClient, username: string, password: string): Promise<HttpClient> => {
  const sending = { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username, password }) };
  const answer = expectStatus('login', await client.as(undefined).send('POST', '/auth', sending), 200);
  return client.as(`Bearer ${jsonOf(answer).token}`);
};

export type Call = Readonly<{
  it: string;
  by?: (registry: TestApp) => HttpClient;
  send: readonly [method: string, path: string, body?: unknown];
  gets: Readonly<{ status: number; code?: string; field?: string; message?: string; body?: unknown }>;
}>;

/** A table of calls, a test each. The administrator sends those that name nobody. */
export const calls = (registry: () => TestApp, rows: readonly Call[]): void => {
  for (const { it: title, by, send, gets } of rows)
    it(title, async () => {
      const { status, body, error } = await call(by?.(registry()) ?? registry().admin, ...send);
      expect(status, JSON.stringify(body)).to.equal(gets.status);
      if (gets.code !== undefined) expect(error.code).to.equal(gets.code);
      if (gets.field !== undefined) expect(error.details).to.include({ field: gets.field });
      if (gets.message !== undefined) expect(error.message).to.contain(gets.message);
      if (gets.body !== undefined) expect(body).to.deep.include(gets.body);
    });
};

/** The views of the access log are not waited for at the start: until they are there, nothing tells of pulls. */
export const untilPullsAreTold = (client: HttpClient): Promise<unknown> =>
  waitUntil('the views of the access log are there', async () => {
    const { status, body } = await call(client, 'GET', '/api/v1/metrics');
    return status === 200 && (body.registry as unknown as Readonly<{ pulls: number | null }>).pulls !== null;
  });
