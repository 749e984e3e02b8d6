import { expect } from 'chai';
import type { TestApp } from '../support/app.ts';
import type { Answer, HttpClient, Sending } from '../support/http.ts';

/** The codes of the OCI distribution spec, and distribution's two for a server that fails. */
const OCI_CODES = new Set([
  ...[
    'BLOB_UNKNOWN',
    'BLOB_UPLOAD_INVALID',
    'BLOB_UPLOAD_UNKNOWN',
    'DIGEST_INVALID',
    'MANIFEST_BLOB_UNKNOWN',
    'MANIFEST_INVALID',
  ],
  ...['MANIFEST_UNKNOWN', 'NAME_INVALID', 'NAME_UNKNOWN', 'SIZE_INVALID', 'UNAUTHORIZED', 'DENIED', 'UNSUPPORTED'],
  ...['TOOMANYREQUESTS', 'UNAVAILABLE', 'UNKNOWN'],
]);

export type OciError = Readonly<{ code: string; message: string; detail: Readonly<Record<string, unknown>> }>;
export type Json = Readonly<Record<string, unknown>>;

/** What an answer must be. Headers: `undefined` for one that must not be there. */
export type Expected = Readonly<{
  status: number;
  headers?: Readonly<Record<string, string | RegExp | undefined>>;
  /** The code of the first error in OCI's body. */
  code?: string;
  /** A part of the first error's message. */
  message?: string | RegExp;
  detail?: unknown;
  json?: unknown;
  bytes?: Buffer;
}>;

/** A request and what comes back. */
export type Exchange = Readonly<{
  it: string;
  /** The administrator where nobody is named. */
  by?: (registry: TestApp) => HttpClient;
  send: readonly [method: string, path: string, sending?: Sending];
  gets: Expected;
}>;

export const jsonOf = (answer: Answer): Json => JSON.parse(answer.body.toString()) as Json;

export const errorsOf = (answer: Answer): readonly OciError[] => jsonOf(answer).errors as readonly OciError[];

/** What every refusal of `/v2` owes: OCI's errors with its own codes, the management API's error beside them, nothing of our insides. */
const expectOciRefusal = (answer: Answer): void => {
  const text = answer.body.toString();
  expect(answer.headers['content-type'], text).to.match(/^application\/json/);
  const { errors, error, ...others } = jsonOf(answer) as { errors: readonly OciError[]; error: Json };
  expect(others).to.deep.equal({});
  expect(errors).to.be.an('array').that.is.not.empty;
  for (const { code, message, detail } of errors) {
    expect(OCI_CODES.has(code), `${code} is a code of the spec`).to.equal(true);
    expect(message).to.be.a('string').that.is.not.empty;
    expect(detail).to.be.an('object');
  }
  expect(error.code).to.match(/^[A-Z_]+$/);
  expect(error.message).to.equal(errors[0]?.message);
  expect(error.details).to.be.an('object');
  expect(text).not.to.match(/node_modules|\.ts:|\.js:\d|at Object\./);
};

/** What holds of every answer, whatever was asked. */
export const expectSound = (method: string, path: string, answer: Answer): void => {
  const shown = `${method} ${path}: ${answer.status} ${answer.body.toString('utf8', 0, 300)}`;
  if (method === 'HEAD') expect(answer.body.length, shown).to.equal(0);
  else if (answer.status !== 304 && answer.headers['transfer-encoding'] === undefined)
    expect(Number(answer.headers['content-length'] ?? 0), shown).to.equal(answer.body.length);
  if (!/^\/v2(?:\/|$)/.test(path)) return;
  expect(answer.headers['docker-distribution-api-version'], shown).to.equal('registry/2.0');
  if (answer.status >= 400 && method !== 'HEAD') expectOciRefusal(answer);
};

export const expectAnswer = (answer: Answer, expected: Expected): void => {
  const { status, headers = {}, code, message, detail, json, bytes } = expected;
  expect(answer.status, answer.body.toString('utf8', 0, 500)).to.equal(status);
  for (const [name, value] of Object.entries(headers)) {
    const actual = answer.headers[name];
    if (value instanceof RegExp) expect(actual, name).to.match(value);
    else expect(actual, name).to.equal(value);
  }
  if (code !== undefined) expect(errorsOf(answer)[0]?.code).to.equal(code);
  if (message instanceof RegExp) expect(errorsOf(answer)[0]?.message).to.match(message);
  else if (message !== undefined) expect(errorsOf(answer)[0]?.message).to.contain(message);
  if (detail !== undefined) expect(errorsOf(answer)[0]?.detail).to.deep.equal(detail);
  if (json !== undefined) expect(jsonOf(answer)).to.deep.equal(json);
  if (bytes !== undefined) expect(answer.body.equals(bytes), 'the very bytes').to.equal(true);
};

/** Sends one request and looks that the answer is sound and what was expected. */
export const exchange = async (
  client: HttpClient,
  [method, path, sending]: Exchange['send'],
  expected: Expected,
): Promise<Answer> => {
  const answer = await client.send(method, path, sending);
  expectSound(method, path, answer);
  expectAnswer(answer, expected);
  return answer;
};

/** A table of requests, a test each. */
export const exchanges = (registry: () => TestApp, rows: readonly Exchange[]): void => {
  for (const { it: title, by, send, gets } of rows) {
    it(title, async () => {
      await exchange(by?.(registry()) ?? registry().admin, send, gets);
    });
  }
};
