import type { Answer, Expected, Names } from './row.ts';

/** The codes of the OCI distribution spec. */
const CODES = new Set([
  ...['BLOB_UNKNOWN', 'BLOB_UPLOAD_INVALID', 'BLOB_UPLOAD_UNKNOWN', 'DIGEST_INVALID', 'MANIFEST_BLOB_UNKNOWN'],
  ...['MANIFEST_INVALID', 'MANIFEST_UNKNOWN', 'NAME_INVALID', 'NAME_UNKNOWN', 'SIZE_INVALID', 'UNAUTHORIZED', 'DENIED'],
  ...['UNSUPPORTED', 'TOOMANYREQUESTS'],
]);

/** @throws where a name stands for nothing: the row is wrong then */
export const filled = (text: string, names: Names): string =>
  text.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => {
    const value = names[name];
    if (value === undefined) throw new Error(`No step before has given {${name}}.`);
    return value;
  });

type OciError = Readonly<{ code?: unknown; message?: unknown }>;

const errorsIn = ({ body }: Answer): readonly OciError[] | undefined => {
  try {
    const { errors } = JSON.parse(body.toString()) as { errors?: unknown };
    return Array.isArray(errors) && errors.length > 0 ? (errors as readonly OciError[]) : undefined;
  } catch {
    return undefined;
  }
};

/** What is wrong with the body of a refusal. */
const wrongErrors = (answer: Answer): readonly string[] => {
  const errors = errorsIn(answer);
  if (errors === undefined) return ['a refusal has {"errors":[{"code","message","detail"}]}'];
  return errors.flatMap(({ code, message }) => [
    ...(typeof code === 'string' && CODES.has(code) ? [] : [`${JSON.stringify(code)} is no code of the spec`]),
    ...(message === undefined || typeof message === 'string' ? [] : ['the message of an error is text']),
  ]);
};

/** What holds of every answer, whatever was asked. */
export const unsound = (method: string, answer: Answer): readonly string[] => {
  const { status, headers, body } = answer;
  const problems: string[] = [];
  if (method === 'HEAD' && body.length > 0) problems.push('HEAD has no body');
  const length = headers['content-length'];
  if (method !== 'HEAD' && status !== 304 && length !== undefined && Number(length) !== body.length)
    problems.push(`Content-Length ${length} is not the length of the body, ${body.length}`);
  if (status === 429 && headers['retry-after'] === undefined) problems.push('429 carries Retry-After');
  if (headers.warning !== undefined && !/^299 \S+ ".*"/.test(String(headers.warning)))
    problems.push(`a Warning is 299 - "…", not ${headers.warning}`);
  if (status === 405 && headers.allow === undefined) problems.push('405 carries Allow');
  return problems;
};

const shownHeader = (value: string | RegExp | null): string => (value === null ? 'absent' : String(value));

const wrongHeader = (name: string, wanted: string | RegExp | null, { headers }: Answer, names: Names): string | undefined => {
  const actual = headers[name]?.toString();
  if (wanted === null) return actual === undefined ? undefined : `${name} is ${actual}, and should be absent`;
  if (actual === undefined)
    return `${name} is absent, and should be ${wanted instanceof RegExp ? wanted : filled(wanted, names)}`;
  if (wanted instanceof RegExp) return wanted.test(actual) ? undefined : `${name} is ${actual}, and should match ${wanted}`;
  const exact = filled(wanted, names);
  return actual === exact ? undefined : `${name} is ${actual}, and should be ${exact}`;
};

const wrongJson = (answer: Answer, { json }: Expected, names: Names): readonly string[] => {
  if (json === undefined) return [];
  try {
    const wrong = json(JSON.parse(answer.body.toString()), names);
    return typeof wrong === 'string' ? [wrong] : [];
  } catch (error) {
    return [`the JSON of the body: ${(error as Error).message}`];
  }
};

const listed = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? (value as readonly T[]) : [value as T]);

/** Of a refusal by the registry proper: a token service has words of its own. */
const wrongCode = (method: string, answer: Answer, { code }: Expected, oci: boolean): readonly string[] => {
  if (!oci || method === 'HEAD' || answer.status < 400 || answer.status >= 500) return [];
  // A body in another format is allowed, where nobody wants to know the code (OCI distribution spec, *Error codes*).
  if (code === undefined && !/json/.test(answer.headers['content-type'] ?? '')) return [];
  const shape = wrongErrors(answer);
  const actual = errorsIn(answer)?.[0]?.code;
  if (code === undefined || actual === undefined || listed(code).includes(String(actual))) return shape;
  return [...shape, `the code is ${actual}, and should be ${listed(code).join(' or ')}`];
};

/** In what an answer differs from what was expected of it; nothing where it fits. */
export const problemsWith = (method: string, to: string, answer: Answer, expected: Expected, names: Names): readonly string[] => {
  if (!listed(expected.status).includes(answer.status)) return [`the status is ${answer.status}`];
  const headers = Object.entries(expected.headers ?? {}).map(([name, value]) => wrongHeader(name, value, answer, names));
  const checked = expected.check?.(answer, names);
  return [
    ...headers.filter((problem) => problem !== undefined),
    ...wrongCode(method, answer, expected, to.includes('/v2/')),
    ...(expected.body === undefined || answer.body.equals(expected.body) ? [] : ['the body is not what was pushed']),
    ...wrongJson(answer, expected, names),
    ...(checked === undefined ? [] : [checked]),
  ];
};

/** What was expected, for people. */
export const shownExpected = (alternatives: readonly Expected[], names: Names): string =>
  alternatives
    .map(({ status, headers = {}, code, body }) =>
      [
        listed(status).join(' or '),
        ...(code === undefined ? [] : [listed(code).join(' or ')]),
        ...Object.entries(headers).map(
          ([name, value]) => `${name}: ${typeof value === 'string' ? filled(value, names) : shownHeader(value)}`,
        ),
        ...(body === undefined ? [] : [`the ${body.length} bytes that were pushed`]),
      ].join('; '),
    )
    .join(', or ');
