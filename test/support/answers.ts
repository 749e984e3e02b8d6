import { Readable } from 'node:stream';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { describedBy, templateOf } from '../../src/http/openapi.ts';
import type { Answer, Document, Operation } from '../../src/http/openapiDocument.ts';
import type { HttpServer } from '../../src/http/server.ts';

/** Most bytes of a streamed answer that are kept to be checked. */
const LARGEST_CHECKED = 1024 * 1024;

const EMPTY = new Set([204, 304]);

/** RFC 3339 in UTC, as this registry writes times. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z$/;

type Found = Readonly<{ operation: Operation; pointer: string }>;

const segment = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** The description of what a request was for. HEAD is described as GET is. */
const operationFor = ({ paths }: Document, { method, routeOptions: { url = '' } }: FastifyRequest): Found | undefined => {
  const path = templateOf(url);
  const operations = paths[path];
  const name = method.toLowerCase();
  const key = operations?.[name] === undefined && name === 'head' ? 'get' : name;
  const operation = operations?.[key];
  return operation && { operation, pointer: `#/paths/${segment(path)}/${key}/responses` };
};

const isJson = (type: string): boolean => /^application\/(?:[\w.+-]+\+)?json\b/.test(type);

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

/** The answers that were not as they are described. */
export type Checked = Readonly<{ breaches: ReadonlySet<string> }>;

/** What is promised, and how that is checked: each schema is compiled once. */
type Promised = Readonly<{ whole: Document; ajv: Ajv2020; validators: Map<string, ValidateFunction> }>;

export const promisedBy = (app: HttpServer): Promised => {
  const whole = describedBy(app);
  const ajv = new Ajv2020({ strict: false, formats: { 'date-time': TIME, binary: true } });
  return { whole, ajv: ajv.addSchema(whole as never, 'document'), validators: new Map() };
};

// All registries of a run have the same routes.
let shared: Promised | undefined;
const sharedBy = (app: HttpServer): Promised => {
  shared ??= promisedBy(app);
  return shared;
};

const validatorOf = ({ ajv, validators }: Promised, pointer: string): ValidateFunction => {
  const known = validators.get(pointer);
  if (known !== undefined) return known;
  const made = ajv.compile({ $ref: `document${pointer}` });
  validators.set(pointer, made);
  return made;
};

const answerIn = ({ whole }: Promised, status: number, { operation, pointer }: Found) => {
  const answer: Answer | undefined = operation.responses[status];
  if (answer?.$ref === undefined) return answer && { answer, pointer: `${pointer}/${status}` };
  const refusal = whole.components.responses[answer.$ref.split('/').at(-1) ?? ''];
  return refusal && { answer: refusal, pointer: answer.$ref };
};

/** What is wrong with an answer, or undefined. */
const faultOf = (promised: Promised, found: Found, status: number, type: string, text: string): string | undefined => {
  const expected = answerIn(promised, status, found);
  if (expected === undefined) return `the status ${status} is not described`;
  if (text === '') return undefined;
  const { content = {} } = expected.answer;
  const [plain = ''] = type.split(';');
  const key = content[plain] === undefined ? '*/*' : plain;
  if (content[key] === undefined) return `${status} has a body of type ${type}, which is not described`;
  if (!isJson(plain) || content[key].schema === undefined) return undefined;
  const check = validatorOf(promised, `${expected.pointer}/content/${segment(key)}/schema`);
  if (check(parsed(text))) return undefined;
  const [error] = check.errors ?? [];
  return `${status}: ${error?.instancePath} ${error?.message} ${JSON.stringify(error?.params)} in ${text.slice(0, 300)}`;
};

/** Beside whoever reads it, who it flows no faster for. @param whole told the text, unless there is too much of it */
const lookAlong = (stream: Readable, whole: (text: string) => void): void => {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer | string) => {
    size += chunk.length;
    if (size <= LARGEST_CHECKED) chunks.push(Buffer.from(chunk));
  });
  stream.on('end', () => {
    if (size <= LARGEST_CHECKED) whole(Buffer.concat(chunks).toString());
  });
};

const textOf = (payload: unknown): string =>
  typeof payload === 'string' || payload instanceof Uint8Array ? Buffer.from(payload).toString() : '';

/**
 * Checks every answer of the registry against its own description: that there is one of the status and of the type, and that the body
 * fits its schema. To be called before it listens. What is written past fastify, blobs and manifests, is not seen.
 * @param promisesOf another registry's than that of all others
 */
export const checkAnswers = (app: HttpServer, promisesOf: (app: HttpServer) => Promised = sharedBy): Checked => {
  const breaches = new Set<string>();
  const look = (request: FastifyRequest, reply: FastifyReply, text: string): void => {
    const promised = promisesOf(app);
    const found = operationFor(promised.whole, request);
    if (found === undefined) return;
    const fault = faultOf(promised, found, reply.statusCode, String(reply.getHeader('content-type') ?? ''), text);
    if (fault !== undefined) breaches.add(`${request.method} ${request.routeOptions.url}: ${fault}`);
  };
  app.addHook('onSend', (request, reply, payload, done) => {
    if (request.method === 'HEAD' || EMPTY.has(reply.statusCode)) look(request, reply, '');
    else if (!(payload instanceof Readable)) look(request, reply, textOf(payload));
    else if (isJson(String(reply.getHeader('content-type') ?? ''))) lookAlong(payload, (text) => look(request, reply, text));
    done(null, payload);
  });
  return { breaches };
};
