import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { sendTexts } from '../jsonStream.ts';
import { upToDate } from '../reported.ts';
import { answer } from '../schemas.ts';
import { LOG_FIELDS, logsAnswered } from './auditAnswers.ts';
import { EXPORT_FORMATS, formatFor, openExport } from './auditExport.ts';
import { AUDIT_PARAMETERS, type AuditQuery, filterOf } from './auditFilter.ts';
import type { Order } from './auditMerge.ts';
import { type AuditPageQuery, cursorOf, readPage, spanOf } from './auditPage.ts';
import { MOST_COUNTED, MOST_EXAMINED, scansOf, totalIn } from './auditScans.ts';
import { DEEPEST, PAGE_PARAMETERS, pageAnswer, pageSchema } from './page.ts';

type Listing = FastifyRequest<{ Querystring: AuditQuery & AuditPageQuery }>;
type Exporting = FastifyRequest<{ Querystring: AuditQuery & Readonly<{ format?: 'csv' | 'ndjson'; order?: Order }> }>;

const tags = ['Audit Logs'] as const;
const LOG = answer(LOG_FIELDS);
const PAGED = pageSchema(LOG, 'logs') as Readonly<{ properties: object; required: readonly string[] }>;
const LOGS = {
  ...PAGED,
  properties: {
    ...PAGED.properties,
    total_is_exact: {
      type: 'boolean',
      description: `Otherwise there are more: each log is counted up to ${MOST_COUNTED} entries.`,
    },
    cursor: { type: ['string', 'null'], description: 'Of the next page; null: there is none.' },
  },
  required: [...PAGED.required, 'total_is_exact', 'cursor'],
};

const fileName = (format: string): string => `audit-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}Z.${format}`;

/** `/api/v1/audit`: who did what, over both logs, for administrators and auditors. */
export const auditRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const list = async ({ query, log }: Listing) => {
    const filter = await filterOf(deps, query);
    const span = spanOf(deps.cursors, filter, query);
    await upToDate(deps);
    const scans = await scansOf(deps, filter);
    const [page, { total, exact }] = await Promise.all([readPage(scans, span), totalIn(scans)]);
    const at = { page: Math.floor((span.before + span.skip) / span.limit) + 1, limit: span.limit };
    return {
      ...pageAnswer('logs', await logsAnswered(deps, page.items, log), total, at),
      total_is_exact: exact,
      cursor: cursorOf(deps.cursors, filter, page),
    };
  };

  const exportAll = async (request: Exporting, reply: FastifyReply): Promise<FastifyReply> => {
    const { format = formatFor(request.headers.accept), order = 'desc' } = request.query;
    const filter = await filterOf(deps, request.query);
    await upToDate(deps);
    const scans = await scansOf(deps, filter);
    const lines = await openExport(EXPORT_FORMATS[format], { deps, scans, order, log: request.log });
    reply.header('content-disposition', `attachment; filename="${fileName(format)}"`).header('vary', 'accept');
    return sendTexts(request, reply, EXPORT_FORMATS[format].type, lines);
  };

  described(app, '/audit', {
    GET: {
      action: 'readAudit',
      schema: {
        summary: 'Lists who did what, in the event log and the access log, the newest first.',
        description: `What was just done is in it, but accesses may be missing for some tenths of a second. Pages go ${DEEPEST} entries deep; a cursor goes on from there, and stays where it is while new entries come. With both \`user\` and \`resource\` a page may be short: at most ${MOST_EXAMINED} entries of one of them are looked at, and its cursor goes on behind them.`,
        tags,
        querystring: {
          type: 'object',
          properties: {
            ...AUDIT_PARAMETERS,
            ...PAGE_PARAMETERS,
            cursor: {
              type: 'string',
              description: 'Of the page before, with the same filters, in place of `page`.',
              maxLength: 1000,
            },
          },
        },
        response: { 200: LOGS },
      },
      handler: list,
    },
  });
  described(app, '/audit/export', {
    GET: {
      action: 'readAudit',
      schema: {
        summary: 'Writes all entries that fit into one file, as they are read.',
        description:
          'Without a format it is what `Accept` asks for: `text/csv` (RFC 4180; what a spreadsheet might calculate begins with an apostrophe), or else NDJSON. A file whose connection was broken off is not whole.',
        tags,
        querystring: {
          type: 'object',
          properties: {
            ...AUDIT_PARAMETERS,
            format: { enum: ['csv', 'ndjson'] },
            order: { enum: ['asc', 'desc'], description: 'The oldest first, or the newest, as without it.' },
          },
        },
        response: {
          200: {
            description: 'A line an entry.',
            content: { 'text/csv': { schema: { type: 'string' } }, 'application/x-ndjson': { schema: LOG } },
          },
        },
      },
      handler: exportAll,
    },
  });
};
