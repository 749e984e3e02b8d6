import { createHook } from 'node:async_hooks';
import { expect } from 'chai';
import type { TestApp } from '../../support/app.ts';
import { type Answer, basic, expectStatus, type HttpClient, type Sending } from '../../support/http.ts';
import { PASSWORD } from '../../support/registryProcess.ts';
import { jsonOf } from '../exchanges.ts';

export const json = (body: unknown, headers: Readonly<Record<string, string>> = {}): Sending => ({
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

export const form = (fields: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}): Sending => ({
  headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  body: new URLSearchParams(fields).toString(),
});

/** Everything of an answer that may tell something, with `names` made alike. */
export const tellingOf = ({ status, headers, body }: Answer, ...names: readonly string[]) => {
  const alike = (text: string): string => names.reduce((all, name) => all.replaceAll(name, 'NAME'), text);
  const { date: _date, ...others } = headers;
  return { status, headers: JSON.parse(alike(JSON.stringify(others))), body: alike(body.toString()) };
};

export type Door = Readonly<{
  door: string;
  knock: (registry: TestApp, username: string, password: string, headers?: Readonly<Record<string, string>>) => Promise<Answer>;
}>;

const withBasic =
  (path: string): Door['knock'] =>
  ({ admin }, username, password, headers = {}) =>
    admin.as(basic(username, password)).send('GET', path, { headers });

/** Everywhere that a username and a password are taken. */
export const DOORS: readonly Door[] = [
  { door: 'Basic on /v2', knock: withBasic('/v2/') },
  { door: 'Basic on /api/v1', knock: withBasic('/api/v1/users/me') },
  { door: 'the token service', knock: withBasic('/auth?service=x&scope=repository:a/b:pull') },
  {
    door: 'the login with JSON',
    knock: ({ anonymous }, username, password, headers) => anonymous.send('POST', '/auth', json({ username, password }, headers)),
  },
  {
    door: 'the login at its other path',
    knock: ({ anonymous }, username, password, headers) =>
      anonymous.send('POST', '/auth/login', json({ username, password }, headers)),
  },
  {
    door: 'the login with a form',
    knock: ({ anonymous }, username, password, headers) =>
      anonymous.send('POST', '/auth', form({ grant_type: 'password', username, password }, headers)),
  },
];

/** The tokens that a login with the password gives. */
export const tokensOf = async (
  { anonymous }: TestApp,
  username: string,
): Promise<Readonly<{ session: string; refresh: string }>> => {
  const session = expectStatus('login', await anonymous.send('POST', '/auth', json({ username, password: PASSWORD })), 200);
  const fields = { grant_type: 'password', username, password: PASSWORD, access_type: 'offline' };
  const offline = expectStatus('offline', await anonymous.send('POST', '/auth', form(fields)), 200);
  return { session: String(jsonOf(session).token), refresh: String(jsonOf(offline).refresh_token) };
};

/** The id of a user, who asks for it. */
export const idOf = async (client: HttpClient): Promise<number> =>
  Number(jsonOf(expectStatus('profile', await client.send('GET', '/api/v1/users/me'), 200)).id);

export const suspend = async ({ admin }: TestApp, userId: number): Promise<void> => {
  expectStatus('suspend', await admin.send('PATCH', `/api/v1/users/${userId}`, json({ suspended: true })), 200);
};

/** How many argon2 hashes this process computes meanwhile: the binding runs each as one piece of work of the thread pool, without a name. */
export const hashesDuring = async (work: () => Promise<unknown>): Promise<number> => {
  let hashes = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (String(type) === 'undefined') hashes += 1;
    },
  }).enable();
  try {
    await work();
  } finally {
    hook.disable();
  }
  return hashes;
};

/** A refusal that shows nothing of our insides. */
export const expectQuiet = (answer: Answer, ...secrets: readonly string[]): void => {
  const text = answer.body.toString() + JSON.stringify(answer.headers);
  expect(text).to.not.match(/node_modules|\.ts:|\.js:\d|at Object\.|argon2|sqlite|mongo/i);
  for (const secret of secrets) expect(text.includes(secret), 'a secret in an answer').to.equal(false);
};
