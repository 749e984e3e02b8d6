import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RegistryError } from '../errors.ts';
import { loggedUrl } from './refusal.ts';
import { itsTurn } from './turn.ts';

/** Characters that are gathered before they are sent: a write to a socket costs as much as some thousands of them. */
const CHUNK = 16 * 1024;
/** Texts of a chunk between which nobody else has a turn: each may have been asked for by itself. */
const A_TURN = 64;

/**
 * JSON that is not held whole. Anywhere in its objects there may be, in place of a value:
 * - an array as an async iterable of its pages: arrays that are written one behind the other (`pagesOf` gives them),
 * - a function: it is called, and what it gives is waited for, when all before it is written. So an array may be counted by the way.
 *
 * Objects in pages may have such fields as well; arrays that are there whole may not.
 */
export type JsonStream = Readonly<Record<string, unknown>>;

type Pages = AsyncIterable<readonly unknown[]>;
type Later = () => unknown;

const isPages = (value: unknown): value is Pages => typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
const isLater = (value: unknown): value is Later => typeof value === 'function';

const isWhole = (value: unknown): boolean => {
  if (isLater(value) || isPages(value)) return false;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return true;
  return Object.values(value).every(isWhole);
};

async function* arrayPieces(pages: Pages): AsyncGenerator<string> {
  let separator = '[';
  for await (const page of pages) {
    if (page.length === 0) continue;
    if (page.every(isWhole)) yield `${separator}${JSON.stringify(page).slice(1, -1)}`;
    else
      for (const item of page) {
        yield separator;
        separator = ',';
        yield* pieces(item);
      }
    separator = ',';
  }
  yield separator === '[' ? '[]' : ']';
}

async function* objectPieces(value: object): AsyncGenerator<string> {
  let separator = '{';
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue;
    yield `${separator}${JSON.stringify(name)}:`;
    separator = ',';
    yield* pieces(field);
  }
  yield separator === '{' ? '{}' : '}';
}

async function* pieces(value: unknown): AsyncGenerator<string> {
  if (isLater(value)) yield* pieces(await value());
  else if (isPages(value)) yield* arrayPieces(value);
  else if (isWhole(value)) yield value === undefined ? 'null' : JSON.stringify(value);
  else yield* objectPieces(value as object);
}

/**
 * The same text in larger chunks. Others have their turn behind each: where the embedded views answer within the call, and the client takes
 * all at once, nothing else lets them in.
 */
async function* gathered(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let chunk = '';
  let taken = 0;
  for await (const text of texts) {
    chunk += text;
    taken += 1;
    if (chunk.length >= CHUNK) {
      yield chunk;
      chunk = '';
      taken = A_TURN;
    }
    if (taken < A_TURN) continue;
    taken = 0;
    await turn();
  }
  if (chunk !== '') yield chunk;
}

/** What has begun as a success cannot become a refusal: the connection is broken off, so that no part is taken for the whole. */
const logBreak = (error: NodeJS.ErrnoException, request: FastifyRequest): void => {
  if (error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.name === 'AbortError') return;
  const level = error instanceof RegistryError ? 'warn' : 'error';
  request.log[level]({ err: error, url: loggedUrl(request) }, 'An answer was broken off in the middle.');
};

/**
 * Answers with these texts as they come, no faster than they are taken: what is not sent yet is a chunk or two. When the client goes away, the
 * iterator is told to return. A fault before the first chunk is refused as any other; a later one ends the connection without an end of the
 * body. HEAD asks for nothing of them.
 * @param type the `Content-Type`
 */
export const sendTexts = async (
  request: FastifyRequest,
  reply: FastifyReply,
  type: string,
  texts: AsyncIterable<string>,
): Promise<FastifyReply> => {
  reply.type(type);
  if (request.method === 'HEAD') return reply.send();
  await itsTurn(request.raw, reply.raw);
  const body = Readable.from(gathered(texts), { highWaterMark: 1 });
  body.once('error', (error) => reply.raw.headersSent && logBreak(error, request));
  return reply.send(body);
};

/** Answers with JSON in this way. */
export const sendJson = (request: FastifyRequest, reply: FastifyReply, value: JsonStream): Promise<FastifyReply> =>
  sendTexts(request, reply, 'application/json; charset=utf-8', pieces(value));
