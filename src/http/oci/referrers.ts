import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import { annotationsIn } from '../../oci/manifest.ts';
import { OCI_INDEX } from '../../oci/mediaTypes.ts';
import { type Referrer, referrerKey, referrers, subjectKey } from '../../projections/referrers.ts';
import type { Repository } from '../../projections/repositories.ts';
import type { Page, Query } from '../../projections/views/views.ts';
import type { HttpDeps } from '../deps.ts';
import { resource } from '../resource.ts';
import { REFERRERS } from './descriptions.ts';
import { lastOf, type PageQuery, pageOf } from './paging.ts';

type Asked = PageQuery & Readonly<{ artifactType?: string | readonly string[] }>;
type Request = FastifyRequest<{ Params: { name: string; digest: string }; Querystring: Asked }>;
type Descriptor = Omit<Referrer, 'subject'> & Readonly<{ annotations?: Readonly<Record<string, unknown>> }>;

/** Each entry costs a read of its manifest's bytes. */
const MOST_ENTRIES = 200;
/** Bytes of manifests that are read for one page, beyond the first: annotations are told in full, however large they are. */
const MOST_BYTES = 4 * 1024 * 1024;

const NO_PAGE: Page<Referrer> = { items: [], more: false };

/** Either is one range of an index: all referrers of a subject by their keys, or those of one type. */
const queryFor = (subject: string, artifactType: string, limit: number, after: string | undefined): Query => ({
  where: artifactType === '' ? { key: { $prefix: `${subject}/` } } : { subject, artifactType },
  limit,
  ...(after !== undefined && { after: [after] }),
});

const linkTo = (name: string, digest: Digest, artifactType: string, limit: number, last: string): string => {
  const query = new URLSearchParams({ n: String(limit), last, ...(artifactType !== '' && { artifactType }) });
  return `</v2/${name}/referrers/${digest}?${query}>; rel="next"`;
};

/**
 * `GET /v2/<name>/referrers/<digest>` (OCI distribution spec, *Listing referrers*): in the order of their digests, a page at a time. By a 404
 * clients would tell that the registry lacks this API, so a repository that does not exist (yet) has an empty list.
 */
export const referrerRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const described = async ({ subject: _subject, ...referrer }: Referrer): Promise<Descriptor> => {
    const bytes = await deps.blobs.read(referrer.digest, referrer.size);
    if (bytes === undefined) throw new Error(`The bytes of manifest ${referrer.digest} are missing from the blob store.`);
    const annotations = annotationsIn(bytes);
    return annotations === undefined ? referrer : { ...referrer, annotations };
  };

  /** As many of a page as its bytes allow. */
  const describe = async ({ items }: Page<Referrer>): Promise<readonly Descriptor[]> => {
    const descriptors: Descriptor[] = [];
    let bytes = 0;
    for (const { value } of items) {
      bytes += value.size;
      if (descriptors.length > 0 && bytes > MOST_BYTES) break;
      descriptors.push(await described(value));
    }
    return descriptors;
  };

  const list = async (request: Request, reply: FastifyReply) => {
    const { repository } = request;
    const { name } = request.params;
    const digest = parseDigest(request.params.digest);
    const { limit: asked, last } = pageOf(request.query);
    const limit = Math.min(asked, MOST_ENTRIES);
    const artifactType = lastOf(request.query.artifactType) ?? '';
    const find = async ({ repositoryId }: Repository): Promise<Page<Referrer>> => {
      const after = last === undefined ? undefined : referrerKey(repositoryId, digest, last as Digest);
      return deps.views.find(referrers, queryFor(subjectKey(repositoryId, digest), artifactType, limit, after));
    };
    const page = repository === undefined || limit === 0 ? NO_PAGE : await find(repository);
    const manifests = await describe(page);
    const lastShown = manifests.at(-1)?.digest;
    if (lastShown !== undefined && (page.more || manifests.length < page.items.length))
      reply.header('link', linkTo(name, digest, artifactType, limit, lastShown));
    if (artifactType !== '') reply.header('oci-filters-applied', 'artifactType');
    // As bytes, because fastify gives text a charset.
    return reply.type(OCI_INDEX).send(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })));
  };

  resource(app, '/:name/referrers/:digest', { GET: { action: 'pull', handler: list, says: REFERRERS } });
};
