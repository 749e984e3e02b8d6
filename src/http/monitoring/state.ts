import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type CatalogEntry, catalog } from '../../projections/catalog.ts';
import { type Tag, tags, tagsIn } from '../../projections/tags.ts';
import { pagesOf } from '../../projections/views/pages.ts';
import { LARGEST_PAGE, type Page, type Views } from '../../projections/views/views.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { sendJson } from '../jsonStream.ts';
import { counting, firstOf, PART_PARAMETERS, type PartQuery, pageSizeFor, partOf } from '../part.ts';
import { answer, TEXT } from '../schemas.ts';
import { summaryOf } from '../summary.ts';
import {
  BYTES_SCHEMAS,
  bytesOf,
  COUNTER_SCHEMAS,
  garbageOf,
  RECOVERABLE_SCHEMAS,
  recoverableOf,
  TOTAL_REPOSITORIES,
} from './numbers.ts';
import { COUNT, MILLISECONDS, POSITION, partAnswers, REGISTRY_VERSION, TIMESTAMP, VERSION } from './schemas.ts';
import { SESSION, sessionsNow } from './sessions.ts';
import type { Uptime } from './uptime.ts';

export const STATUS = { enum: ['healthy', 'degraded', 'unhealthy'] } as const;

const STATE = answer({
  timestamp: TIMESTAMP,
  registryVersion: VERSION,
  summary: answer({ position: POSITION, totalRepositories: TOTAL_REPOSITORIES, ...COUNTER_SCHEMAS, ...RECOVERABLE_SCHEMAS }),
  storage: answer({ ...BYTES_SCHEMAS, uniqueBlobs: COUNT }),
  repositories: {
    type: 'array',
    items: answer({ name: TEXT, tags: { type: 'array', items: TEXT }, tagCount: COUNT }),
    description: 'By name, and their tags by name.',
  },
  activeSessions: answer({ sessions: { type: 'array', items: SESSION }, count: COUNT }),
  health: answer({ status: STATUS, uptime: MILLISECONDS, logStreamClients: COUNT }),
});

/** Of each repository, at first. */
const FEW_TAGS = 100;
/** Repositories whose first tags are looked up at the same time. */
const AT_ONCE = 16;

type Entry = Readonly<{ value: CatalogEntry }>;
type Tags = Page<Tag>;

const namesOf = ({ items }: Pick<Tags, 'items'>): readonly string[] => items.map(({ value }) => value.name);

/** All tag names of a repository, of which the first page is there already. */
async function* tagNames(views: Views, repositoryId: string, first: Tags): AsyncGenerator<readonly string[]> {
  yield namesOf(first);
  const after = first.items.at(-1)?.key;
  if (first.more && after !== undefined)
    for await (const items of pagesOf(views, tags, { where: tagsIn(repositoryId), after: [after], limit: LARGEST_PAGE }))
      yield namesOf({ items });
}

const shownWith = (views: Views, { name, repositoryId }: CatalogEntry, first: Tags) => {
  const { pages, count } = counting(tagNames(views, repositoryId, first));
  if (first.more) return { name, tags: pages, tagCount: count };
  return { name, tags: namesOf(first), tagCount: first.items.length };
};

/** Most repositories have few tags, so that one look-up is all of them: several at a time spare the way to the store and back. */
async function* withTags(views: Views, pages: AsyncIterable<readonly Entry[]>): AsyncGenerator<readonly object[]> {
  for await (const page of pages)
    for (let next = 0; next < page.length; next += AT_ONCE) {
      const some = page.slice(next, next + AT_ONCE).map(({ value }) => value);
      const firsts = await Promise.all(
        some.map(({ repositoryId }) => views.find(tags, { where: tagsIn(repositoryId), limit: FEW_TAGS })),
      );
      yield some.map((entry, index) => shownWith(views, entry, firsts[index] as Tags));
    }
}

/** `GET /api/registry/state`: all that there is. The summary is of one moment; what is behind it is read while it is sent. */
export const stateRoutes = (app: FastifyInstance, deps: HttpDeps, uptime: Uptime): void => {
  const show = async (request: FastifyRequest<{ Querystring: PartQuery }>, reply: FastifyReply) => {
    const { limit, after } = partOf(request.query);
    const [summary, { status }] = await Promise.all([summaryOf(deps), deps.health()]);
    const listed = { where: { listed: true }, after: [after], limit: pageSizeFor(limit) };
    const { pages, count } = sessionsNow(deps);
    return sendJson(request, reply, {
      timestamp: Date.now(),
      registryVersion: REGISTRY_VERSION,
      summary: {
        position: summary.position,
        totalRepositories: summary.repositories,
        ...garbageOf(summary),
        ...recoverableOf(summary),
      },
      storage: { ...bytesOf(summary), uniqueBlobs: summary.blobs },
      repositories: withTags(deps.views, firstOf(pagesOf(deps.views, catalog, listed), limit)),
      activeSessions: { sessions: pages, count },
      health: { status, uptime: uptime(), logStreamClients: deps.live.logClients() },
    });
  };

  described(app, '/registry/state', {
    GET: {
      action: 'monitor',
      schema: {
        summary: 'Shows all that the registry holds: counters, repositories with their tags, uploads under way, its health.',
        tags: ['Monitoring'],
        querystring: PART_PARAMETERS,
        response: partAnswers(STATE),
      },
      handler: show,
    },
  });
};
