import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Upload } from '../../blobs/blobs.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { sendJson } from '../jsonStream.ts';
import { counting, eachOf } from '../part.ts';
import { answer } from '../schemas.ts';
import { answers, COUNT, MILLISECONDS, TIMESTAMP } from './schemas.ts';

/** Sessions that are read before they are sent. */
const PAGE = 100;

const FIELDS = {
  id: { type: 'string', description: 'The UUID of the upload.', example: '0b0cba2c-8b0c-4d5f-9c5e-6a1f7a2f3c11' },
  startTime: { ...TIMESTAMP, description: 'When it was begun: milliseconds since 1970-01-01T00:00:00Z.' },
  lastActivity: { ...TIMESTAMP, description: 'When something of it last came in, else when it was begun.' },
  blobCount: { ...COUNT, description: 'Chunks that have come in.' },
} as const;
export const SESSION = answer(FIELDS);

type Deps = Pick<HttpDeps, 'blobs'>;

async function* pagesOfUploads({ blobs }: Deps): AsyncGenerator<readonly Upload[]> {
  let page: Upload[] = [];
  for await (const upload of blobs.uploads.list()) {
    page.push(upload);
    if (page.length < PAGE) continue;
    yield page;
    page = [];
  }
  yield page;
}

// The clock that stamps files runs some milliseconds behind.
const sessionOf = ({ id, startedAt, lastActivityAt, chunks }: Upload) => ({
  id,
  startTime: startedAt,
  lastActivity: Math.max(startedAt, lastActivityAt),
  blobCount: chunks,
});

/** Uploads from their POST until they are finished, cancelled or expired, and how many of them were read so far. */
export const sessionsNow = (deps: Deps) => counting(eachOf(pagesOfUploads(deps), sessionOf));

/** `GET /api/registry/sessions`. */
export const sessionRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const list = async (request: FastifyRequest, reply: FastifyReply) => {
    const timestamp = Date.now();
    const { pages, count } = sessionsNow(deps);
    // One that is begun while the others are sent is as old as nothing.
    const aged = eachOf(pages, (session) => ({ ...session, duration: Math.max(0, timestamp - session.startTime) }));
    return sendJson(request, reply, { activeSessions: aged, totalActiveSessions: count, timestamp });
  };

  described(app, '/registry/sessions', {
    GET: {
      action: 'monitor',
      schema: {
        summary: 'Lists the uploads that are under way.',
        tags: ['Monitoring'],
        response: answers(
          answer({
            activeSessions: {
              type: 'array',
              items: answer({ ...FIELDS, duration: { ...MILLISECONDS, description: '`timestamp` less `startTime`.' } }),
            },
            totalActiveSessions: COUNT,
            timestamp: TIMESTAMP,
          }),
        ),
      },
      handler: list,
    },
  });
};
