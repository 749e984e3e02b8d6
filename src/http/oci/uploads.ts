import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AppendOptions, PlacedBlob, Upload, UploadOwner } from '../../blobs/blobs.ts';
import { isRefusal, RegistryError } from '../../errors.ts';
import { authorize, readableNames } from '../../identity/authorize.ts';
import { type Algorithm, algorithmOf, type Digest, isAlgorithm, isDigest, parseDigest } from '../../oci/digest.ts';
import { parseName } from '../../oci/names.ts';
import { holders, holdersOf } from '../../projections/holders.ts';
import { linkKey, links } from '../../projections/links.ts';
import { repositories } from '../../projections/repositories.ts';
import type { HttpDeps } from '../deps.ts';
import { resource } from '../resource.ts';
import { change, seenOrWarned } from './change.ts';
import { actorOf, ownerIdOf, permitted } from './guard.ts';
import { chunkRange } from './ranges.ts';

/** Repositories that a mount without a source looks at, beside the caller's own: each costs two reads. */
const MOST_SOURCES = 20;

type Query = Readonly<{ digest?: string; mount?: string; from?: string; 'digest-algorithm'?: string }>;
type Request = FastifyRequest<{ Params: { name: string; upload: string }; Querystring: Query }>;

const ownerOf = ({ caller }: FastifyRequest, repository: string): UploadOwner => {
  const { kind, id } = actorOf(caller);
  return { repository, user: `${kind}:${id}` };
};

const contentLength = ({ headers }: FastifyRequest): number | undefined => {
  const announced = headers['content-length'];
  return announced === undefined ? undefined : Number(announced);
};

const hasBody = (request: FastifyRequest): boolean =>
  request.headers['transfer-encoding'] !== undefined || (contentLength(request) ?? 0) > 0;

/** What the headers say of a chunk. @throws RegistryError `SIZE_INVALID` where `Content-Range` and `Content-Length` disagree */
const announcedChunk = (request: FastifyRequest): AppendOptions => {
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

const algorithmAsked = (query: Query): Algorithm => {
  const asked = query['digest-algorithm'];
  if (asked === undefined) return query.digest !== undefined && isDigest(query.digest) ? algorithmOf(query.digest) : 'sha256';
  if (isAlgorithm(asked)) return asked;
  throw new RegistryError('DIGEST_INVALID', 'Digest algorithms here are sha256 and sha512.', { algorithm: asked.slice(0, 40) });
};

/** `Range` of what is kept: inclusive, so an empty session and one of a single byte both read `0-0` (as docker's registry has it). */
const sessionHeaders = (name: string, { id, size }: Upload): Record<string, string> => ({
  location: `/v2/${name}/blobs/uploads/${id}`,
  range: `0-${Math.max(0, size - 1)}`,
  'docker-upload-uuid': id,
});

/** `/v2/<name>/blobs/uploads/` and the sessions below it. */
export const uploadRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const { uploads } = deps.blobs;

  /** Puts a finished blob into the repository: append, then look that the bytes are in place. */
  const link = async (request: Request, reply: FastifyReply, repository: string, placed: PlacedBlob): Promise<FastifyReply> => {
    const { digest, size } = placed;
    const founding = { newRepositoryId: deps.newId(), ownerId: ownerIdOf(request.caller) };
    try {
      const outcome = await change(deps, request, { type: 'LinkBlob', repository, digest, size, ...founding });
      await placed.settle();
      await seenOrWarned(deps, outcome, reply);
    } catch (error) {
      await placed.release();
      throw error;
    }
    return reply
      .code(201)
      .headers({ location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest })
      .send();
  };

  const monolithic = async (request: Request, reply: FastifyReply, name: string, digest: Digest): Promise<FastifyReply> => {
    const owner = ownerOf(request, name);
    const { id } = await uploads.begin(owner, algorithmOf(digest));
    try {
      if (hasBody(request)) await uploads.append(id, owner, request.raw, announcedChunk(request));
      return await link(request, reply, name, await uploads.finish(id, owner, digest));
    } catch (error) {
      await uploads.cancel(id, owner).catch(() => undefined);
      throw error;
    }
  };

  const namesUnder = async (prefix: string, within: string, limit: number): Promise<readonly string[]> => {
    const { items } = await deps.views.find(holders, { where: { key: { $prefix: `${prefix}${within}` } }, limit });
    return items.map(({ key }) => key.slice(prefix.length));
  };

  /** Where a blob may be mounted from: first in the caller's own namespace, then wherever it is. */
  const holdersFor = async ({ caller }: Request, digest: Digest): Promise<readonly string[]> => {
    const own = readableNames(caller);
    const prefix = holdersOf(digest);
    const near = typeof own === 'object' && own.prefix !== undefined ? await namesUnder(prefix, own.prefix, 1) : [];
    return [...near, ...(await namesUnder(prefix, '', MOST_SOURCES))];
  };

  /** @returns whether the blob was mounted; if not, an ordinary session is the answer */
  const mount = async (
    request: Request,
    reply: FastifyReply,
    repository: string,
    digest: Digest,
    from: string,
  ): Promise<boolean> => {
    const source = await deps.views.get(repositories, parseName(from));
    const readable = authorize(request.caller, 'pull', { type: 'repository', name: from, repository: source }).allowed;
    const linked = readable && source && (await deps.views.get(links, linkKey(source.repositoryId, digest)));
    if (!linked || (await deps.blobs.stat(digest)) === undefined) return false;
    const founding = { newRepositoryId: deps.newId(), ownerId: ownerIdOf(request.caller) };
    const outcome = await change(deps, request, {
      type: 'LinkBlob',
      repository,
      digest,
      size: linked.size,
      mountedFrom: from,
      ...founding,
    });
    if ((await deps.blobs.stat(digest)) === undefined) {
      await change(deps, request, { type: 'UnlinkBlob', repository, digest, cause: 'missing' });
      return false;
    }
    await seenOrWarned(deps, outcome, reply);
    return true;
  };

  const mountFromAny = async (
    request: Request,
    reply: FastifyReply,
    repository: string,
    digest: Digest,
    from: string | undefined,
  ): Promise<boolean> => {
    if (from !== undefined) return mount(request, reply, repository, digest, from);
    for (const holder of await holdersFor(request, digest))
      if (await mount(request, reply, repository, digest, holder)) return true;
    return false;
  };

  const begin = async (request: Request, reply: FastifyReply) => {
    const { params, query } = request;
    const name = parseName(params.name);
    await permitted(deps, request, 'push', name);
    if (query.mount !== undefined) {
      const digest = parseDigest(query.mount);
      if (await mountFromAny(request, reply, name, digest, query.from)) {
        return reply
          .code(201)
          .headers({ location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest })
          .send();
      }
    }
    if (query.digest !== undefined) return monolithic(request, reply, name, parseDigest(query.digest));
    const upload = await uploads.begin(ownerOf(request, name), algorithmAsked(query));
    return reply.code(202).headers(sessionHeaders(name, upload)).send();
  };

  const session = async (request: Request): Promise<Readonly<{ id: string; name: string; owner: UploadOwner }>> => {
    const name = parseName(request.params.name);
    await permitted(deps, request, 'push', name);
    return { id: request.params.upload, name, owner: ownerOf(request, name) };
  };

  const status = async (request: Request, reply: FastifyReply) => {
    const { id, name, owner } = await session(request);
    return reply
      .code(204)
      .headers(sessionHeaders(name, await uploads.status(id, owner)))
      .send();
  };

  /** A chunk in the wrong place is told where the session stands, so that the client goes on from there. */
  const append = async (request: Request, reply: FastifyReply, id: string, name: string, owner: UploadOwner): Promise<Upload> => {
    try {
      return await uploads.append(id, owner, request.raw, announcedChunk(request));
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'RANGE_INVALID') {
        reply.headers(sessionHeaders(name, await uploads.status(id, owner)));
      }
      throw error;
    }
  };

  const patch = async (request: Request, reply: FastifyReply) => {
    const { id, name, owner } = await session(request);
    return reply
      .code(202)
      .headers(sessionHeaders(name, await append(request, reply, id, name, owner)))
      .send();
  };

  /**
   * A finish that was refused after it had brought the last bytes is repeated with them: where the session has all bytes of the
   * digest, those of the body have come before.
   */
  const broughtBefore = async (
    request: Request,
    id: string,
    owner: UploadOwner,
    digest: Digest,
  ): Promise<PlacedBlob | undefined> => {
    if (!hasBody(request) || (await uploads.status(id, owner)).size === 0) return undefined;
    try {
      const placed = await uploads.finish(id, owner, digest);
      request.raw.resume();
      return placed;
    } catch (error) {
      if (isRefusal(error, 'DIGEST_INVALID')) return undefined;
      throw error;
    }
  };

  const finish = async (request: Request, reply: FastifyReply) => {
    const { id, name, owner } = await session(request);
    const { digest } = request.query;
    if (digest === undefined) throw new RegistryError('DIGEST_INVALID', 'Say which digest the blob must have: ?digest=sha256:….');
    const wanted = parseDigest(digest);
    const before = await broughtBefore(request, id, owner, wanted);
    if (before === undefined && hasBody(request)) await append(request, reply, id, name, owner);
    return link(request, reply, name, before ?? (await uploads.finish(id, owner, wanted)));
  };

  const cancel = async (request: Request, reply: FastifyReply) => {
    const { id, owner } = await session(request);
    await uploads.cancel(id, owner);
    return reply.code(204).send();
  };

  resource(app, '/:name/blobs/uploads', { POST: begin });
  resource(app, '/:name/blobs/uploads/:upload', { GET: status, PATCH: patch, PUT: finish, DELETE: cancel });
};
