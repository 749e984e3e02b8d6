import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { type AppendOptions, endedMeanwhile, type PlacedBlob, type Upload, type UploadOwner } from '../../blobs/blobs.ts';
import { type ErrorCode, isRefusal, RegistryError } from '../../errors.ts';
import { type Algorithm, algorithmOf, type Digest, isAlgorithm, isDigest, parseDigest } from '../../oci/digest.ts';
import { linkKey, links } from '../../projections/links.ts';
import { repositories } from '../../projections/repositories.ts';
import { hasBody } from '../bodies.ts';
import { change } from '../change.ts';
import { userOf } from '../context.ts';
import type { HttpDeps } from '../deps.ts';
import { seenOrWarned } from '../ownWrites.ts';
import { ownerIdOf } from '../permit.ts';
import { resource } from '../resource.ts';
import { announcedChunk } from './chunks.ts';
import { BEGIN_UPLOAD, CANCEL_UPLOAD, FINISH_UPLOAD, UPLOAD_CHUNK, UPLOAD_STATUS } from './descriptions.ts';
import { mounting } from './mounts.ts';

type Query = Readonly<{ digest?: string; mount?: string; from?: string; 'digest-algorithm'?: string }>;
type Request = FastifyRequest<{ Params: { name: string; upload: string }; Querystring: Query }>;

type Session = Readonly<{ id: string; name: string; owner: UploadOwner }>;

/** How last bytes are refused that have come before: they begin elsewhere, or make too much of it. */
const BROUGHT_BEFORE: readonly ErrorCode[] = ['RANGE_INVALID', 'DIGEST_INVALID', 'REQUEST_TOO_LARGE'];

/** For how long, in ms, and of how many sessions this process knows what they were finished as. */
const REPEATED_WITHIN = 60_000;
const MOST_FINISHED = 10_000;

const ownerOf = ({ caller }: FastifyRequest, repository: string): UploadOwner => {
  const { kind, id } = userOf(caller);
  return { repository, user: `${kind}:${id}` };
};

/** What the session's bytes are hashed with as they come; its end may ask for another. A mount says what it will be. */
const algorithmAsked = ({ mount, 'digest-algorithm': asked }: Query): Algorithm => {
  if (asked === undefined) return mount !== undefined && isDigest(mount) ? algorithmOf(mount) : 'sha256';
  if (isAlgorithm(asked)) return asked;
  throw new RegistryError('DIGEST_INVALID', 'Digest algorithms here are sha256 and sha512.', { algorithm: asked.slice(0, 40) });
};

/** `Range` of what is kept: inclusive, so an empty session and one of a single byte both read `0-0` (as docker's registry has it). */
const sessionHeaders = (name: string, { id, size }: Upload): Record<string, string> => ({
  location: `/v2/${name}/blobs/uploads/${id}`,
  range: `0-${Math.max(0, size - 1)}`,
  'docker-upload-uuid': id,
});

const created = (reply: FastifyReply, name: string, digest: Digest): FastifyReply =>
  reply
    .code(201)
    .headers({ location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest })
    .send();

/** `/v2/<name>/blobs/uploads/` and the sessions below it. */
export const uploadRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const { uploads } = deps.blobs;
  const chunkOf = (request: Request): AppendOptions => ({
    ...announcedChunk(request),
    came: deps.live.throughput.moved.blobUpload,
  });
  const mounted = mounting(deps);
  const finished = new LRUCache<string, true>({ max: MOST_FINISHED, ttl: REPEATED_WITHIN });

  /**
   * Puts a finished blob into the repository: append, then look that the bytes are in place. The session ends when readers see the
   * blob: whoever finds that it is over finds that.
   */
  const link = async (request: Request, reply: FastifyReply, repository: string, placed: PlacedBlob): Promise<void> => {
    const { digest, size } = placed;
    const founding = { newRepositoryId: deps.newId(), ownerId: ownerIdOf(request.caller) };
    try {
      const outcome = await change(deps, request, { type: 'LinkBlob', repository, digest, size, ...founding });
      await seenOrWarned(deps, outcome, reply);
      await placed.settle();
    } catch (error) {
      await placed.release();
      throw error;
    }
  };

  const monolithic = async (request: Request, reply: FastifyReply, name: string, digest: Digest): Promise<FastifyReply> => {
    const owner = ownerOf(request, name);
    const { id } = await uploads.begin(owner, algorithmOf(digest));
    try {
      if (hasBody(request)) await uploads.append(id, owner, request.raw, { ...chunkOf(request), digest });
      await link(request, reply, name, await uploads.finish(id, owner, digest));
    } catch (error) {
      await uploads.cancel(id, owner).catch(() => undefined);
      throw error;
    }
    return created(reply, name, digest);
  };

  const begin = async (request: Request, reply: FastifyReply) => {
    const { params, query } = request;
    const { name } = params;
    const algorithm = algorithmAsked(query);
    if (query.mount !== undefined) {
      const digest = parseDigest(query.mount);
      if (await mounted(request, reply, name, digest, query.from)) return created(reply, name, digest);
    }
    if (query.digest !== undefined) return monolithic(request, reply, name, parseDigest(query.digest));
    const upload = await uploads.begin(ownerOf(request, name), algorithm);
    return reply.code(202).headers(sessionHeaders(name, upload)).send();
  };

  const session = (request: Request): Session => {
    const { name } = request.params;
    return { id: request.params.upload, name, owner: ownerOf(request, name) };
  };

  const status = async (request: Request, reply: FastifyReply) => {
    const { id, name, owner } = session(request);
    return reply
      .code(204)
      .headers(sessionHeaders(name, await uploads.status(id, owner)))
      .send();
  };

  /** Who sends a chunk to the wrong place is told where the session stands, so that the client goes on from there. */
  const oriented = async <T>(reply: FastifyReply, { id, name, owner }: Session, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (isRefusal(error, 'RANGE_INVALID')) reply.headers(sessionHeaders(name, await uploads.status(id, owner)));
      throw error;
    }
  };

  const patch = async (request: Request, reply: FastifyReply) => {
    const open = session(request);
    const upload = await oriented(reply, open, () => uploads.append(open.id, open.owner, request.raw, chunkOf(request)));
    return reply.code(202).headers(sessionHeaders(open.name, upload)).send();
  };

  /**
   * The last bytes may have come before: with the same PUT, which was refused later on (503) and is repeated, or which is under
   * way twice. Then they are refused, and the session has the digest as it is.
   */
  const finishWith = async (request: Request, open: Session, digest: Digest): Promise<PlacedBlob> => {
    const { id, owner } = open;
    let refusal: unknown;
    let upTo: number | undefined;
    try {
      ({ size: upTo } = await uploads.append(id, owner, request.raw, { ...chunkOf(request), digest }));
    } catch (error) {
      if (!BROUGHT_BEFORE.some((code) => isRefusal(error, code))) throw error;
      refusal = error;
    }
    try {
      return await uploads.finish(id, owner, digest, upTo);
    } catch (error) {
      if (isRefusal(error, 'UPLOAD_UNKNOWN')) throw endedMeanwhile(error);
      throw isRefusal(error, 'DIGEST_INVALID') ? (refusal ?? error) : error;
    }
  };

  const holds = async (name: string, digest: Digest): Promise<boolean> => {
    const repository = await deps.views.get(repositories, name);
    return repository !== undefined && (await deps.views.get(links, linkKey(repository.repositoryId, digest))) !== undefined;
  };

  const finishOf = ({ id, name, owner }: Session, digest: Digest): string => `${id} ${owner.user} ${name} ${digest}`;

  /** Of finishes that come at once, or again because an answer was lost, all end well: also those that were overtaken. */
  const overtaken = async (error: unknown, open: Session, digest: Digest): Promise<boolean> =>
    isRefusal(error, 'UPLOAD_UNKNOWN') &&
    (error.detail.meanwhile === true || finished.has(finishOf(open, digest))) &&
    (await holds(open.name, digest));

  const finish = async (request: Request, reply: FastifyReply) => {
    const open = session(request);
    if (request.query.digest === undefined)
      throw new RegistryError('DIGEST_INVALID', 'Say which digest the blob must have: ?digest=sha256:….');
    const digest = parseDigest(request.query.digest);
    try {
      const placed = await oriented(reply, open, () =>
        hasBody(request) ? finishWith(request, open, digest) : uploads.finish(open.id, open.owner, digest),
      );
      finished.set(finishOf(open, digest), true); // before the session ends
      await link(request, reply, open.name, placed);
    } catch (error) {
      if (!(await overtaken(error, open, digest))) throw error;
    }
    request.raw.resume(); // a body whose bytes had come before may be unread
    return created(reply, open.name, digest);
  };

  const cancel = async (request: Request, reply: FastifyReply) => {
    const { id, owner } = session(request);
    await uploads.cancel(id, owner);
    return reply.code(204).send();
  };

  resource(app, '/:name/blobs/uploads', { POST: { action: 'push', handler: begin, says: BEGIN_UPLOAD } });
  resource(app, '/:name/blobs/uploads/:upload', {
    GET: { action: 'push', handler: status, says: UPLOAD_STATUS },
    PATCH: { action: 'push', handler: patch, says: UPLOAD_CHUNK },
    PUT: { action: 'push', handler: finish, says: FINISH_UPLOAD },
    DELETE: { action: 'push', handler: cancel, says: CANCEL_UPLOAD },
  });
};
