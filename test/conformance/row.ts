import type { IncomingHttpHeaders } from 'node:http';
import type { Line } from './lines.ts';

/** Who asks for it: the OCI distribution spec, its development version, or what clients expect in practice. */
export type Version = '1.1' | 'dev' | 'clients';
export const VERSIONS: readonly Version[] = ['1.1', 'dev', 'clients'];

export type Answer = Readonly<{ status: number; headers: IncomingHttpHeaders; body: Buffer }>;

/** Names for what a row does not know beforehand: `{repo}`, `{location}` of the latest answer, what a step has kept. */
export type Names = Readonly<Record<string, string>>;

/** Without what a row is not applicable: a login that the registry asks for, its token service, another account without any rights. */
export type Need = 'login' | 'tokens' | 'stranger';

/** Who sends a request: the account of the run (following challenges), the same straight by Basic, another account, nobody. */
export type Sender = 'account' | 'basic' | 'stranger' | 'nobody';

/** Names in braces are filled in, in headers and query too. */
export type Sending = Readonly<{
  body?: Uint8Array | string;
  /** In chunks and without a length, as docker streams. */
  chunked?: boolean;
  headers?: Readonly<Record<string, string>>;
  /** Added to whatever the URL (often a `Location`) carries already. */
  query?: Readonly<Record<string, string | readonly string[]>>;
  by?: Sender;
}>;

/** What is wrong with an answer in words, or nothing. */
export type Check = (answer: Answer, names: Names) => string | undefined;

export type Expected = Readonly<{
  status: number | readonly number[];
  /** `null` for one that must not be there. */
  headers?: Readonly<Record<string, string | RegExp | null>>;
  /** Of the first error in the body; any of several. */
  code?: string | readonly string[];
  body?: Uint8Array;
  /** What is wrong with the JSON of the body. */
  // biome-ignore lint/suspicious/noExplicitAny: any JSON that a registry may send; a check that reaches into nothing has failed.
  json?: (value: any, names: Names) => string | undefined | false;
  check?: Check;
}>;

export type Exchange = Readonly<{
  /** `GET /v2/{repo}/tags/list` */
  request: string;
  sending: Sending;
  /** Several: any of them will do. */
  expected: readonly Expected[];
  /** Statuses by which a registry says that it lacks something optional: the row is not applicable then, and this is why. */
  unless?: Readonly<Record<number, string>>;
  /** For later steps. */
  keep?: Readonly<Record<string, (answer: Answer, names: Names) => string>>;
}>;

/** Bytes as they are, on a connection of their own. */
export type Raw = Readonly<{
  raw: string;
  query?: NonNullable<Sending['query']>;
  /** Lines; `Host` and `Authorization` are added. */
  head: readonly string[];
  body: Uint8Array;
  /** Nothing: the connection is cut once the bytes are sent, without waiting for an answer. */
  expected?: readonly Expected[];
}>;

/** Follows the `Link`s of a list to its end and gathers one field of it. */
export type Walk = Readonly<{
  walk: string;
  field: 'tags' | 'repositories' | 'manifests';
  /** All of it, in this order. */
  finds: readonly string[];
  /** Most entries a page. */
  page: number;
  /** Where a list goes on with what is not ours: up to the first that begins otherwise. */
  within?: string;
  unless?: Readonly<Record<number, string>>;
}>;

/** Lists of steps that run at the same time. */
export type Together = Readonly<{ together: readonly (readonly Step[])[] }>;

/** Whatever does not read well as data. `ask` throws where the answer is not as expected. */
export type Procedure = Readonly<{
  does: string;
  run: (ask: (step: Exchange | Raw) => Promise<Answer>, names: Names) => Promise<void>;
}>;

export type Step = Exchange | Raw | Walk | Together | Procedure;

export type Row = Readonly<{
  line: Line;
  asks: Version;
  it: string;
  needs?: Need;
  steps: readonly Step[];
}>;

export type StepsInside = readonly (Step | readonly Step[])[];

export const row = (line: Line, asks: Version, it: string, steps: StepsInside, needs?: Need): Row => ({
  line,
  asks,
  it,
  steps: steps.flat() as readonly Step[],
  ...(needs !== undefined && { needs }),
});

type Gets = Expected | readonly Expected[];
const listed = (gets: Gets): readonly Expected[] => (Array.isArray(gets) ? (gets as readonly Expected[]) : [gets as Expected]);

type More = Pick<Exchange, 'unless' | 'keep'>;

/** A request and what it gets. */
export const send = (request: string, gets: Gets, sending: Sending = {}, more: More = {}): Exchange => ({
  request,
  sending,
  expected: listed(gets),
  ...more,
});

export const gets = (
  status: Expected['status'],
  headers: NonNullable<Expected['headers']> = {},
  more: Omit<Expected, 'status' | 'headers'> = {},
): Expected => ({ status, headers, ...more });

export const refused = (
  status: Expected['status'],
  code: NonNullable<Expected['code']>,
  headers: NonNullable<Expected['headers']> = {},
): Expected => ({ status, headers, code });
