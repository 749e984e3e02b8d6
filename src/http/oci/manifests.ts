import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import type { Outcome } from '../../commands/execute.ts';
import type { Precondition, PushManifest } from '../../commands/repository/commands.ts';
import { RegistryError } from '../../errors.ts';
import { algorithmOf, type Digest, digestOf } from '../../oci/digest.ts';
import { type ManifestContent, readManifest } from '../../oci/manifest.ts';
import { kindOf } from '../../oci/mediaTypes.ts';
import { isTag, parseReference, parseTag, type Reference } from '../../oci/names.ts';
import { type Manifest, manifestKey, manifests } from '../../projections/manifests.ts';
import type { Repository } from '../../projections/repositories.ts';
import { tagKey, tags } from '../../projections/tags.ts';
import { pulled } from '../accessRecords.ts';
import { change, changeUntil } from '../change.ts';
import type { HttpDeps } from '../deps.ts';
import { goneForReaders, seenOrWarned } from '../ownWrites.ts';
import { ownerIdOf, repositoryOf } from '../permit.ts';
import { countPull } from '../rateLimit.ts';
import { resource } from '../resource.ts';
import { DELETE_MANIFEST, GET_MANIFEST, PUT_MANIFEST } from './descriptions.ts';
import { etagsIn, matchesEtag } from './ranges.ts';

type ByReference = { Params: { name: string; reference: string }; Querystring: { tag?: string | readonly string[] } };
type Request = FastifyRequest<ByReference>;

/** Bytes of manifests kept in memory: they never change under their digest. */
const CACHED_BYTES = 64 * 1024 * 1024;
const LARGEST_CACHED = 256 * 1024;

/** Tags that one push may set besides the manifest (OCI distribution spec, development version: at least 10). */
const MOST_TAGS = 100;

/**
 * Of media types that nobody here knows, which may be one of those that browsers show (`text/html`): a page that anybody may push must not
 * run where people are logged in.
 */
const INERT = { 'content-security-policy': "default-src 'none'; sandbox", 'x-content-type-options': 'nosniff' };

/** Text where the bytes are UTF-8, as JSON should be: head and body go out in one write then. */
type Body = string | Buffer;

const unknown = (reference: string): RegistryError =>
  new RegistryError('MANIFEST_UNKNOWN', 'The repository does not have this manifest.', { reference });

/** For reading: what no tag can be called is not there. */
const existingReference = (text: string): Reference => {
  if (!text.includes(':') && !isTag(text)) throw unknown(text.slice(0, 200));
  return parseReference(text);
};

const find = async ({ views }: HttpDeps, { repositoryId }: Repository, reference: Reference): Promise<Manifest> => {
  const digest = reference.digest ?? (await views.get(tags, tagKey(repositoryId, reference.tag)))?.digest;
  const manifest = digest === undefined ? undefined : await views.get(manifests, manifestKey(repositoryId, digest));
  if (manifest === undefined) throw unknown(reference.tag ?? reference.digest);
  return manifest;
};

/** The body, at most `largest` bytes of it in memory. @throws RegistryError `MANIFEST_TOO_LARGE` */
const bodyOf = async (request: FastifyRequest, largest: number): Promise<Buffer> => {
  const tooLarge = () => new RegistryError('MANIFEST_TOO_LARGE', `A manifest has at most ${largest} bytes.`, { largest });
  if (Number(request.headers['content-length'] ?? 0) > largest) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // Left open when it is too large: to destroy it would close the connection before the refusal is sent.
  for await (const chunk of request.raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largest) throw tooLarge();
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size);
};

const tagsOf = (reference: Reference, tag: string | readonly string[] | undefined): readonly string[] => {
  const asked = tag === undefined ? [] : typeof tag === 'string' ? [tag] : tag;
  if (asked.length > MOST_TAGS)
    throw new RegistryError('TOO_MANY_TAGS', `One push sets at most ${MOST_TAGS} tags.`, { tags: asked.length, most: MOST_TAGS });
  return [...new Set([...(reference.tag === undefined ? [] : [reference.tag]), ...asked.map(parseTag)])];
};

const digestFor = (reference: Reference, bytes: Buffer): Digest => {
  if (reference.digest === undefined) return digestOf(bytes);
  const actual = digestOf(bytes, algorithmOf(reference.digest));
  if (actual === reference.digest) return actual;
  throw new RegistryError('DIGEST_INVALID', 'The manifest does not hash to the digest in the URL.', {
    digest: reference.digest,
    actual,
  });
};

/** An index that may be sparse holds on to those of its images that are there, or come later. */
const referencesOf = ({ references }: ManifestContent, sparseIndexes: boolean): ManifestContent['references'] =>
  sparseIndexes ? references.map((one) => (one.role === 'manifest' ? { ...one, mayBeMissing: true } : one)) : references;

const pushedHeaders = (
  name: string,
  digest: Digest,
  { subject }: ManifestContent,
  asked: readonly string[],
): Record<string, string | string[]> => ({
  location: `/v2/${name}/manifests/${digest}`,
  'docker-content-digest': digest,
  etag: `"${digest}"`,
  ...(subject !== undefined && { 'oci-subject': subject }),
  // A header for each, as clients of the development version look for them.
  ...(asked.length > 0 && { 'oci-tag': [...asked] }),
});

/** A push that holds a great many manifests again begins with nothing but that. */
const isPushed = ({ facts }: Outcome): boolean => facts.length === 0 || facts.some(({ type }) => type !== 'ManifestHeld');

const preconditionOf = ({ headers }: Request, { tag }: Reference): Precondition | undefined => {
  const ifMatch = etagsIn(headers['if-match'], false);
  const ifNoneMatch = etagsIn(headers['if-none-match'], true);
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined;
  return {
    ...(tag !== undefined && { tag }),
    ...(ifMatch !== undefined && { ifMatch }),
    ...(ifNoneMatch !== undefined && { ifNoneMatch }),
  };
};

/**
 * Past fastify's `send`, which would add a charset to the type and cannot send text and head in one write (measured: a tenth less CPU
 * a request).
 */
const sendBody = (reply: FastifyReply, size: number, body: Body): FastifyReply => {
  const headers = { ...reply.getHeaders(), 'content-length': size };
  reply.raw.writeHead(200, headers as Record<string, string | number>); // before `hijack`: what it throws is answered with 500
  reply.hijack();
  reply.raw.end(body);
  return reply;
};

/** `/v2/<name>/manifests/<reference>` */
export const manifestRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const cache = new LRUCache<Digest, Body>({
    maxSize: CACHED_BYTES,
    maxEntrySize: LARGEST_CACHED,
    sizeCalculation: ({ length }) => length + 256,
  });

  const contentOf = async ({ digest, size }: Manifest): Promise<Body> => {
    const cached = cache.get(digest);
    if (cached !== undefined) return cached;
    const bytes = await deps.blobs.read(digest, size);
    if (bytes === undefined) throw new Error(`The bytes of manifest ${digest} are missing from the blob store.`);
    const body = isUtf8(bytes) ? bytes.toString() : bytes;
    cache.set(digest, body);
    return body;
  };

  const get = async (request: Request, reply: FastifyReply) => {
    const repository = repositoryOf(request);
    const { name } = repository;
    const counted = request.method === 'GET' ? countPull(deps.limits, request, reply) : undefined;
    if (counted !== undefined) await counted;
    const reference = existingReference(request.params.reference);
    const manifest = await find(deps, repository, reference);
    const { digest, mediaType, size } = manifest;
    const etag = `"${digest}"`;
    reply.headers({ 'content-type': mediaType, 'docker-content-digest': digest, etag });
    if (kindOf(mediaType) === 'opaque') reply.headers(INERT);
    if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send();
    const body = request.method === 'HEAD' ? '' : await contentOf(manifest);
    await pulled(deps, request, {
      action: 'manifest.pull',
      repository,
      name,
      tag: reference.tag,
      digest,
      status: 200,
      bytes: size,
    });
    if (request.method === 'GET') deps.live.throughput.moved.manifestDownload(size);
    return sendBody(reply, size, body);
  };

  /** Puts the bytes, appends, then looks that they are in place. */
  const store = async (request: Request, digest: Digest, bytes: Buffer, command: PushManifest): Promise<Outcome> => {
    const placed = await deps.blobs.put(digest, bytes);
    try {
      const outcome = await changeUntil(isPushed, deps, request, command);
      await placed.settle();
      return outcome;
    } catch (error) {
      await placed.release();
      throw error;
    }
  };

  const put = async (request: Request, reply: FastifyReply) => {
    const { caller, params, query } = request;
    const { name } = params;
    const reference = parseReference(params.reference);
    const tagged = tagsOf(reference, query.tag);
    const bytes = await bodyOf(request, deps.settings.largestManifest);
    deps.live.throughput.moved.manifestUpload(bytes.length);
    const digest = digestFor(reference, bytes);
    const content = readManifest(bytes, request.headers['content-type']);
    const precondition = preconditionOf(request, reference);
    const outcome = await store(request, digest, bytes, {
      type: 'PushManifest',
      repository: name,
      digest,
      size: bytes.length,
      mediaType: content.mediaType,
      ...(content.artifactType !== undefined && { artifactType: content.artifactType }),
      references: referencesOf(content, deps.settings.sparseIndexes),
      tags: tagged,
      ...(precondition !== undefined && { precondition }),
      newRepositoryId: deps.newId(),
      ownerId: ownerIdOf(caller),
    });
    await seenOrWarned(deps, outcome, reply);
    return reply
      .code(201)
      .headers(pushedHeaders(name, digest, content, query.tag === undefined ? [] : tagged))
      .send();
  };

  const removeManifest = (request: Request, repository: string, digest: Digest): Promise<Outcome> => {
    const isDone = ({ facts }: Outcome): boolean => facts.some(({ type }) => type === 'ManifestDeleted');
    return changeUntil(isDone, deps, request, { type: 'DeleteManifest', repository, digest });
  };

  const removeTag = (request: Request, repository: string, tag: string): Promise<Outcome> =>
    change(deps, request, { type: 'DeleteTag', repository, tag });

  const remove = async (request: Request, reply: FastifyReply) => {
    const { name } = repositoryOf(request);
    if (!deps.settings.deletes) throw new RegistryError('UNSUPPORTED', 'This registry does not delete.');
    const { tag, digest } = existingReference(request.params.reference);
    const outcome = tag === undefined ? await removeManifest(request, name, digest) : await removeTag(request, name, tag);
    await goneForReaders(deps, outcome);
    return reply.code(202).send();
  };

  resource(app, '/:name/manifests/:reference', {
    GET: { action: 'pull', handler: get, says: GET_MANIFEST },
    PUT: { action: 'push', handler: put, says: PUT_MANIFEST },
    DELETE: { action: 'delete', handler: remove, says: DELETE_MANIFEST },
  });
};
