import type { IncomingHttpHeaders } from 'node:http';
import type { TestApp } from '../../support/app.ts';
import type { HttpClient } from '../../support/http.ts';
import { waitUntil } from '../../support/processes.ts';
import type { Json } from '../exchanges.ts';
import { get } from './calls.ts';

export const LOGS = '/api/logs/stream';
export const REPOSITORIES = '/api/repositories/stream';
export const THROUGHPUT = '/api/throughput/stream';
/** Their paths, and what they greet with. */
export const STREAMS = [
  [LOGS, 'Log stream started'],
  [REPOSITORIES, 'Repository stream started'],
  [THROUGHPUT, 'Throughput stream started'],
] as const;

/** So often that no test waits for it. */
export const OFTEN = { heartbeatMs: 20, throughputMs: 10, welcomeMs: 10 };

/** As the registry counts them. */
export const logClients = async ({ admin }: TestApp): Promise<unknown> => {
  const { metrics } = (await get(admin, '/api/registry/health')) as unknown as { metrics: Readonly<Record<string, unknown>> };
  return metrics.logStreamClients;
};

/** `data`: the text, and what it is as JSON if it is any. */
export type StreamEvent = Readonly<{ event: string; text: string; data: Json }>;

/** As EventSource reads a frame; undefined of comments. */
const eventIn = (frame: string): StreamEvent | undefined => {
  let event = 'message';
  const lines: string[] = [];
  for (const line of frame.split('\n')) {
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1).replace(/^ /, '');
    if (line.slice(0, colon) === 'event') event = value;
    if (line.slice(0, colon) === 'data') lines.push(value);
  }
  const text = lines.join('\n');
  return lines.length === 0 ? undefined : { event, text, data: text.startsWith('{') ? (JSON.parse(text) as Json) : {} };
};

/** The events in the text of a stream so far, and what began without an end. */
export const eventsIn = (text: string): readonly StreamEvent[] =>
  text
    .split('\n\n')
    .slice(0, -1)
    .flatMap((frame) => eventIn(frame) ?? []);

export type Watched = Readonly<{
  status: number;
  headers: IncomingHttpHeaders;
  /** All that came so far, as it came. */
  text: () => string;
  /** The events so far, or those with this name. */
  events: (name?: string) => readonly StreamEvent[];
  /** Waits for so many events with this name. */
  until: (name: string, count?: number) => Promise<readonly StreamEvent[]>;
  /** Resolves when the stream ends; `whole`: as it should, and was not cut. */
  ended: Promise<Readonly<{ whole: boolean }>>;
  close: () => void;
}>;

/** Watches a stream until it is closed. */
export const watch = async (
  client: HttpClient,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Watched> => {
  const message = await client.open('GET', path, { headers: { accept: 'text/event-stream', ...headers } });
  const chunks: string[] = [];
  const came: StreamEvent[] = [];
  let rest = '';
  message.setEncoding('utf8').on('data', (chunk: string) => {
    chunks.push(chunk);
    const text = rest + chunk;
    const end = text.lastIndexOf('\n\n') + 2;
    rest = end === 1 ? text : text.slice(end);
    if (end > 1) came.push(...eventsIn(text.slice(0, end)));
  });
  const ended = new Promise<Readonly<{ whole: boolean }>>((resolve) => {
    message.once('close', () => resolve({ whole: message.complete }));
  });
  message.on('error', () => undefined);
  const events = (name?: string) => came.filter(({ event }) => name === undefined || event === name);
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    text: () => chunks.join(''),
    events,
    until: (name, count = 1) =>
      waitUntil(`${count} × ${name} of ${path}`, () => events(name).length >= count && events(name), { everyMs: 5 }),
    ended,
    close: () => message.destroy(),
  };
};
