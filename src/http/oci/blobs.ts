import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RegistryError } from '../../errors.ts';
import { parseDigest } from '../../oci/digest.ts';
import { type Link, linkKey, links } from '../../projections/links.ts';
import { pulled } from '../accessRecords.ts';
import { change } from '../change.ts';
import type { HttpDeps } from '../deps.ts';
import { goneForReaders } from '../ownWrites.ts';
import { repositoryOf } from '../permit.ts';
import { resource } from '../resource.ts';
import { itsTurn } from '../turn.ts';
import { DELETE_BLOB, GET_BLOB } from './descriptions.ts';
import { matchesEtag, rangeOf, type Span } from './ranges.ts';

type Request = FastifyRequest<{ Params: { name: string; digest: string } }>;

/** For the caller's own cache alone: a shared one would give the blob to callers who may not have it (RFC 9111, section 3.5). */
const LONG = 'private, max-age=31536000, immutable';

/** Whatever they look like: no script or style of a page where people are logged in. */
const AS_BYTES = { 'x-content-type-options': 'nosniff' };

/** A `Range` counts only in a GET (RFC 9110, section 14.2), while the blob is the one that `If-Range` names (section 13.1.5). */
const rangeAsked = ({ method, headers }: Request, etag: string, size: number): Span | 'unsatisfiable' | undefined => {
  if (method !== 'GET') return undefined;
  const ifRange = headers['if-range'];
  return ifRange !== undefined && ifRange !== etag ? undefined : rangeOf(headers.range, size);
};

/** `/v2/<name>/blobs/<digest>` */
export const blobRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const linked = async (request: Request): Promise<Link> => {
    const { repositoryId } = repositoryOf(request);
    const digest = parseDigest(request.params.digest);
    const link = await deps.views.get(links, linkKey(repositoryId, digest));
    if (link === undefined) throw new RegistryError('BLOB_UNKNOWN', 'The repository does not have this blob.', { digest });
    return link;
  };

  /** Writes straight to the socket: the copy loop with its pooled buffers is several times as fast as piping a stream. */
  const sendSpan = async (reply: FastifyReply, { digest }: Link, status: number, span: Span): Promise<void> => {
    await itsTurn(reply.request.raw, reply.raw);
    const blob = await deps.blobs.open(digest);
    if (blob === undefined) throw new Error(`The bytes of blob ${digest} are missing from the blob store.`);
    try {
      const { raw } = reply;
      const headers = { ...reply.getHeaders(), 'content-length': span.end - span.start + 1 };
      reply.hijack();
      raw.writeHead(status, headers as Record<string, string | number>);
      await blob.copyTo(raw, span.start, span.end, deps.live.throughput.moved.blobDownload);
      raw.end();
    } catch (error) {
      reply.raw.destroy();
      reply.log.info({ err: error, digest }, 'A download broke off.');
    } finally {
      await blob.close();
    }
  };

  const get = async (request: Request, reply: FastifyReply) => {
    const link = await linked(request);
    const etag = `"${link.digest}"`;
    reply.headers({ 'docker-content-digest': link.digest, etag, 'accept-ranges': 'bytes', 'cache-control': LONG, ...AS_BYTES });
    if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send();
    reply.header('content-type', 'application/octet-stream');
    const range = rangeAsked(request, etag, link.size);
    if (range === 'unsatisfiable') {
      reply.header('content-range', `bytes */${link.size}`);
      throw new RegistryError('RANGE_INVALID', `The blob has ${link.size} bytes.`, { size: link.size });
    }
    const { start, end } = range ?? { start: 0, end: link.size - 1 };
    const status = range === undefined ? 200 : 206;
    await pulled(deps, request, {
      action: 'blob.pull',
      name: request.params.name,
      digest: link.digest,
      status,
      bytes: end - start + 1,
    });
    if (request.method === 'HEAD' || link.size === 0) return reply.header('content-length', link.size).send('');
    if (range !== undefined) reply.header('content-range', `bytes ${range.start}-${range.end}/${link.size}`);
    await sendSpan(reply, link, status, { start, end });
    return reply;
  };

  const remove = async (request: Request, reply: FastifyReply) => {
    const { name: repository } = repositoryOf(request);
    const digest = parseDigest(request.params.digest);
    if (!deps.settings.deletes) throw new RegistryError('UNSUPPORTED', 'This registry does not delete.');
    await goneForReaders(deps, await change(deps, request, { type: 'UnlinkBlob', repository, digest, cause: 'deleted' }));
    return reply.code(202).send();
  };

  resource(app, '/:name/blobs/:digest', {
    GET: { action: 'pull', handler: get, says: GET_BLOB },
    DELETE: { action: 'delete', handler: remove, says: DELETE_BLOB },
  });
};
