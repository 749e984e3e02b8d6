import { OPERATIONS, type Operations } from './api.ts';

type Name = keyof Operations;
type Asked = Readonly<{ params?: object; query?: object; body?: unknown }>;

/** The registry refused: with its status, its code for programs, and words for people. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;
  readonly code: string;
  /** Seconds after which to try again, where that helps. */
  readonly retryAfter: number | undefined;

  constructor(status: number, code: string, message: string, retryAfter?: number) {
    super(`${status} ${code}: ${message}`);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

type ErrorBody = Readonly<{ error?: string | Readonly<{ code: string; message: string }>; message?: string }>;

/** `/v2` and `/api/v1` have an object in `error`, the rest of `/api` a text. */
const refusal = async (response: Response): Promise<Refused> => {
  const { error, message = '' } = (await response.json().catch(() => ({}))) as ErrorBody;
  const [code, words] = typeof error === 'object' ? [error.code, error.message] : [error ?? response.statusText, message];
  const retryAfter = response.headers.get('retry-after');
  return new Refused(response.status, code, words, retryAfter === null ? undefined : Number(retryAfter));
};

const urlOf = (base: string, path: string, { params = {}, query = {} }: Asked): URL => {
  let filled = path;
  for (const [name, value] of Object.entries(params)) filled = filled.replace(`{${name}}`, encodeURIComponent(String(value)));
  const url = new URL(base.replace(/\/$/, '') + filled);
  for (const [name, value] of Object.entries(query))
    for (const one of [value].flat()) if (one !== undefined) url.searchParams.append(name, String(one));
  return url;
};

export type Client = Readonly<{
  /** Calls an operation and gives what it answers. @throws Refused */
  call: <N extends Name>(name: N, asked: Operations[N]['request']) => Promise<Operations[N]['answer']>;
  /** The same with the response itself, for what is no JSON: exports, metrics, streams of events. @throws Refused */
  open: <N extends Name>(name: N, asked: Operations[N]['request'], signal?: AbortSignal) => Promise<Response>;
  /** The same registry with another `Authorization`. */
  as: (authorization: string) => Client;
}>;

/** A client that knows every operation of the registry by its name in docs/openapi.json. */
export const ghostdock = (base: string, authorization?: string): Client => {
  const open: Client['open'] = async (name, asked, signal) => {
    const { method, path } = OPERATIONS[name];
    const { body } = asked as Asked;
    const response = await fetch(urlOf(base, path, asked as Asked), {
      method,
      headers: {
        ...(authorization !== undefined && { authorization }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    });
    if (!response.ok) throw await refusal(response);
    return response;
  };
  const call: Client['call'] = async (name, asked) => {
    const text = await (await open(name, asked)).text();
    return (text === '' ? undefined : JSON.parse(text)) as never;
  };
  return { open, call, as: (other) => ghostdock(base, other) };
};
