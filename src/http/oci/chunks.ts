import type { FastifyRequest } from 'fastify';
import type { AppendOptions } from '../../blobs/blobs.ts';
import { RegistryError } from '../../errors.ts';
import { chunkRange } from './ranges.ts';

const contentLength = ({ headers }: FastifyRequest): number | undefined => {
  const announced = headers['content-length'];
  return announced === undefined ? undefined : Number(announced);
};

export const hasBody = (request: FastifyRequest): boolean =>
  request.headers['transfer-encoding'] !== undefined || (contentLength(request) ?? 0) > 0;

/** What the headers say of a chunk. @throws RegistryError `SIZE_INVALID` where `Content-Range` and `Content-Length` disagree */
export const announcedChunk = (request: FastifyRequest): AppendOptions => {
  const range = chunkRange(request.headers['content-range']);
  const length = contentLength(request);
  if (range === undefined) return length === undefined ? {} : { length };
  const spanned = range.end - range.start + 1;
  if (length !== undefined && length !== spanned) {
    throw new RegistryError('SIZE_INVALID', 'Content-Range and Content-Length disagree.', {
      contentLength: length,
      contentRange: spanned,
    });
  }
  return { from: range.start, length: spanned };
};
