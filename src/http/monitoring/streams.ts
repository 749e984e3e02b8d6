import type { FastifyInstance } from 'fastify';
import { type LogRecord, MAIN_THREAD } from '../../live/logTap.ts';
import type { HttpDeps } from '../deps.ts';
import { described, type RouteSchema } from '../described.ts';
import { TEXT } from '../schemas.ts';
import { answers, ERROR } from './schemas.ts';
import { commentOf, frameOf } from './streamClient.ts';
import { EVENT_STREAM, type Stream, streamClients } from './streamClients.ts';
import { throughputUpdateOf } from './throughput.ts';

const eventsOf = (description: string): Readonly<Record<number, object>> =>
  answers({ description, content: { [EVENT_STREAM]: { schema: TEXT } } }, { 406: ERROR });

const leftOut = (count: number): string =>
  `${count} ${count === 1 ? 'event was' : 'events were'} left out: this client reads too slowly.`;

/** Events that the stream makes up itself, in the form of the others. */
const own = (level: LogRecord['level'], message: string): Buffer =>
  frameOf('log', { timestamp: Date.now(), level, message, logger: 'LogStream', thread: MAIN_THREAD } satisfies LogRecord);

const beat = (more: object): Buffer => frameOf('heartbeat', { timestamp: Date.now(), ...more, type: 'heartbeat' });

const LOG_STREAM: RouteSchema = {
  summary: 'What this node logs, from INFO on, while it does.',
  description:
    'Server-sent events: `connected`, then `log` with `timestamp` (ms), `level`, `message`, `logger`, `thread` and, where the line says more, `details`; ' +
    'one that says welcome after 3 s; `heartbeat` every 10 s.',
  tags: ['Monitoring'],
  response: eventsOf('Server-sent events `connected`, `log`, `heartbeat`.'),
};
const REPOSITORIES_STREAM: RouteSchema = {
  summary: 'What happens to repositories, on whichever node.',
  description:
    'Server-sent events: `connected`, then `repository_update` with `action` (`manifest_added` or `repository_deleted`), `repository` and `timestamp` (ms); ' +
    '`repository_list_updated` where some had to be left out; `heartbeat` every 10 s.',
  tags: ['Monitoring'],
  response: eventsOf('Server-sent events `connected`, `repository_update`, `repository_list_updated`, `heartbeat`.'),
};
const THROUGHPUT_STREAM: RouteSchema = {
  summary: 'The bytes that this node moves, while it does.',
  description:
    'Server-sent events: `connected`, then `throughput_update` every 500 ms while bytes moved in the last 5 s, and once more, all zero, when none do any longer; ' +
    '`heartbeat` every 10 s while nothing moves.',
  tags: ['Monitoring'],
  response: eventsOf('Server-sent events `connected`, `throughput_update`, `heartbeat`.'),
};

/** `GET /api/{logs,repositories,throughput}/stream` */
export const streamRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const streaming = streamClients(app, deps);
  const add = <T>(url: string, schema: RouteSchema, stream: Stream<T>): void =>
    described(app, url, { GET: { action: stream.action, stream: true, schema, handler: streaming(stream) } });

  add('/logs/stream', LOG_STREAM, {
    action: 'readLogs',
    feed: ({ logs }) => logs,
    greeting: 'Log stream started',
    event: 'log',
    heartbeat: () => beat({}),
    lost: (count) => [own('WARN', leftOut(count))],
    welcome: () => own('INFO', 'Welcome: what this node logs from INFO on is shown here.'),
  });
  add('/repositories/stream', REPOSITORIES_STREAM, {
    action: 'monitor',
    feed: ({ repositories }) => repositories,
    greeting: 'Repository stream started',
    event: 'repository_update',
    heartbeat: () => beat({}),
    lost: (count) => [
      commentOf(leftOut(count)),
      frameOf('repository_list_updated', { action: 'list_updated', timestamp: Date.now() }),
    ],
  });
  add('/throughput/stream', THROUGHPUT_STREAM, {
    action: 'monitor',
    feed: ({ throughputUpdates }) => throughputUpdates,
    greeting: 'Throughput stream started',
    event: 'throughput_update',
    data: throughputUpdateOf,
    heartbeat: () =>
      deps.live.throughput.moving() ? undefined : beat({ idle: true, message: 'No bytes moved in the last 5 seconds.' }),
    lost: (count) => [commentOf(leftOut(count))],
  });
};
