import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RegistryError } from '../../errors.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { type BlobOfRegistry, blobPage } from '../inventoryReads.ts';
import { sendJson, sendTexts } from '../jsonStream.ts';
import { eachOf, firstOf, PART_PARAMETERS, type PartQuery, pageSizeFor, partOf } from '../part.ts';
import { upToDate } from '../reported.ts';
import { answer } from '../schemas.ts';
import { summaryOf } from '../summary.ts';
import { BYTES_SCHEMAS, bytesOf } from './numbers.ts';
import { BYTES, COUNT, DIGEST, POSITION, partAnswers, TIMESTAMP } from './schemas.ts';

const TAGS = ['Monitoring'] as const;
const AFTER = { ...PART_PARAMETERS.properties.after, example: DIGEST.example } as const;
const QUERY = { ...PART_PARAMETERS, properties: { ...PART_PARAMETERS.properties, after: AFTER } } as const;

const BLOB = answer({
  digest: DIGEST,
  size: BYTES,
  created: { ...TIMESTAMP, description: 'Since when some repository holds it: milliseconds since 1970-01-01T00:00:00Z.' },
  referenceCount: { ...COUNT, description: 'Manifests that name it, those of each repository.' },
  repositoryCount: { ...COUNT, description: 'Repositories that hold it.' },
});
const { spaceSavings: _savings, ...SIZES } = BYTES_SCHEMAS;
const LIST = answer({
  position: POSITION,
  totalBlobs: COUNT,
  uniqueBlobs: { ...COUNT, description: 'The same: blobs are stored once.' },
  ...SIZES,
  blobs: { type: 'array', items: BLOB, description: 'Finished ones, by digest.' },
  timestamp: TIMESTAMP,
});

type Request = FastifyRequest<{ Querystring: PartQuery }>;
type Part = Readonly<{ limit: number; after: Digest | undefined }>;

const digestsPartOf = (query: PartQuery): Part => {
  const { limit, after } = partOf(query);
  if (after === '') return { limit, after: undefined };
  if (isDigest(after)) return { limit, after };
  throw new RegistryError('REQUEST_INVALID', 'after must be a digest.', { field: 'after' });
};

async function* blobPages({ reporting }: HttpDeps, part: Part): AsyncGenerator<readonly BlobOfRegistry[]> {
  const limit = pageSizeFor(part.limit);
  for (let { after } = part; ; ) {
    const { blobs, more } = await blobPage(reporting, { limit, ...(after !== undefined && { after }) });
    yield blobs;
    if (!more) return;
    after = blobs.at(-1)?.digest;
  }
}

const blobsOf = (deps: HttpDeps, part: Part) => firstOf(blobPages(deps, part), part.limit);

const shown = ({ digest, size, created, references, links }: BlobOfRegistry) => ({
  digest,
  size,
  created,
  referenceCount: references,
  repositoryCount: links,
});

async function* lines(pages: AsyncIterable<readonly BlobOfRegistry[]>): AsyncGenerator<string> {
  for await (const page of pages) yield page.map(({ digest }) => `${digest}\n`).join('');
}

/** `GET /api/registry/blobs` and `GET /api/blobs`: the blobs that repositories hold, each once. */
export const blobRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const list = async (request: Request, reply: FastifyReply) => {
    const part = digestsPartOf(request.query);
    const summary = await summaryOf(deps);
    const { spaceSavings: _, ...sizes } = bytesOf(summary);
    return sendJson(request, reply, {
      position: summary.position,
      totalBlobs: summary.blobs,
      uniqueBlobs: summary.blobs,
      ...sizes,
      blobs: eachOf(blobsOf(deps, part), shown),
      timestamp: Date.now(),
    });
  };

  const listText = async (request: Request, reply: FastifyReply) => {
    const part = digestsPartOf(request.query);
    await upToDate(deps);
    return sendTexts(request, reply, 'text/plain; charset=utf-8', lines(blobsOf(deps, part)));
  };

  described(app, '/registry/blobs', {
    GET: {
      action: 'monitor',
      schema: {
        summary: 'Lists the blobs that repositories hold, each once.',
        tags: TAGS,
        querystring: QUERY,
        response: partAnswers(LIST),
      },
      handler: list,
    },
  });
  described(app, '/blobs', {
    GET: {
      action: 'monitor',
      schema: {
        summary: 'Lists the digests of the blobs that repositories hold, as text.',
        tags: TAGS,
        querystring: QUERY,
        response: partAnswers({
          description: 'A digest a line, each ended by a line feed.',
          content: { 'text/plain': { schema: { type: 'string', example: `${DIGEST.example}\n` } } },
        }),
      },
      handler: listText,
    },
  });
};
