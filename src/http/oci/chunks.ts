import type { FastifyRequest } from 'fastify';
import type { AppendOptions } from '../../blobs/blobs.ts';
import { RegistryError } from '../../errors.ts';
import { contentLength } from '../bodies.ts';
import { chunkRange } from './ranges.ts';

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
