import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, type ErrorDetail, RegistryError } from '../errors.ts';
import { recordRefusal } from './accessRecords.ts';
import { takeInTheRest } from './lingering.ts';

/** How a surface says each refusal: its HTTP status and its own code. */
export type Wording = Readonly<Record<ErrorCode, Readonly<{ status: number; code: string }>>>;

/** A refusal as a surface words it, before it is put into the surface's body. */
export type Worded = Readonly<{
  error: RegistryError;
  status: number;
  code: string;
  message: string;
  detail: ErrorDetail;
  requestId: string;
}>;

export type Refusing = Readonly<{
  wording: Wording;
  body: (refusal: Worded) => unknown;
  /** Headers that belong to a refusal, such as the challenge. */
  headers?: (refusal: Worded, request: FastifyRequest) => Readonly<Record<string, string>>;
}>;

/** Codes of Node and fastify for a client that went away in the middle of its request. */
const GONE = new Set(['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'EPIPE', 'ECONNABORTED']);

const asRegistryError = (error: unknown): RegistryError => {
  if (error instanceof RegistryError) return error;
  const { statusCode, code, message } = error as FastifyError;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new RegistryError('REQUEST_TOO_LARGE', 'The request is too large.', {}, { cause: error });
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new RegistryError('STORAGE_FULL', 'The registry has no room left.', {}, { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new RegistryError('REQUEST_INVALID', message, {}, { cause: error });
  }
  return new RegistryError(
    'INTERNAL',
    'The registry failed to do this. Its log says why, under this request id.',
    {},
    { cause: error },
  );
};

/** Without the query, in which there may be secrets: the codes that identity providers send people back with. */
export const pathOf = ({ originalUrl }: FastifyRequest): string => {
  const query = originalUrl.indexOf('?');
  return query === -1 ? originalUrl : originalUrl.slice(0, query);
};

/** What may be logged of where a request went. Of the registry protocol that is all: no parameter there is a secret. */
export const loggedUrl = (request: FastifyRequest): string =>
  request.routeOptions.url?.startsWith('/v2/') ? request.originalUrl : pathOf(request);

const log = (request: FastifyRequest, worded: Worded): void => {
  const { error, status, code } = worded;
  const gone = GONE.has((error.cause as NodeJS.ErrnoException | undefined)?.code ?? '');
  const url = loggedUrl(request);
  if (gone) request.log.info({ url }, 'The client went away.');
  else if (error.code === 'INTERNAL') request.log.error({ err: error.cause ?? error, url }, 'A request failed.');
  else if (status >= 500) request.log.warn({ err: error, url }, 'A request could not be served.');
  else request.log.debug({ status, code, detail: error.detail, url }, 'A request was refused.');
};

/** Seconds after which a client may try again, for refusals that pass. */
const retryAfter = ({ error, status, detail }: Worded): Readonly<Record<string, string>> => {
  if (error.code === 'TOO_MANY_REQUESTS') return { 'retry-after': String(detail.retryAfter ?? 1) };
  return status === 503 ? { 'retry-after': '1' } : {};
};

/** Where nothing may be answered that is not on record, what cannot be recorded is refused for that. */
const onRecord = async (refusal: RegistryError, request: FastifyRequest, wording: Wording): Promise<RegistryError> => {
  try {
    await recordRefusal(request, refusal, wording[refusal.code].status);
    return refusal;
  } catch (error) {
    return asRegistryError(error);
  }
};

/** Words a failure and answers with it. Never shows a stack or a cause. */
export const refuse = async (
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { wording, body, headers }: Refusing,
): Promise<FastifyReply> => {
  const refusal = await onRecord(asRegistryError(error), request, wording);
  const { status, code } = wording[refusal.code];
  const detail = refusal.code === 'INTERNAL' ? { requestId: request.id } : refusal.detail;
  const worded: Worded = { error: refusal, status, code, message: refusal.message, detail, requestId: request.id };
  log(request, worded);
  takeInTheRest(request.raw, reply.raw);
  // Set for what was to be sent, before it came to the refusal.
  reply.removeHeader('etag').removeHeader('cache-control').removeHeader('content-disposition');
  reply.code(status).headers({ ...retryAfter(worded), ...headers?.(worded, request) });
  return reply.type('application/json; charset=utf-8').send(body(worded));
};

/** Gives a surface its wording: for what its handlers throw, and for paths that it does not have. */
export const refuseIn = (app: FastifyInstance, refusing: Refusing): void => {
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply, refusing));
  app.setNotFoundHandler((request, reply) =>
    refuse(
      new RegistryError('NOT_FOUND', 'There is nothing here.', { path: pathOf(request).slice(0, 300) }),
      request,
      reply,
      refusing,
    ),
  );
};
