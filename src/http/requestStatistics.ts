import { createHistogram } from 'node:perf_hooks';
import type { FastifyContextConfig, FastifyInstance } from 'fastify';

/** `up`, `down`: routes that carry the bytes of blobs. `stream`: those that stay open for as long as somebody listens. */
type Kind = 'plain' | 'up' | 'down' | 'stream';

/** Upper ends of the buckets of response times, in ms. The last bucket, beyond them, has none. */
export const BOUNDS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const;

/** How often a time was in each bucket, and all of them together, in ms. */
export type Times = { readonly buckets: number[]; sumMs: number };

/** What a route of this process has answered since the process started. */
export type RouteCounts = Readonly<{
  surface: string;
  /** Its pattern, never what a client asked for. */
  route: string;
  method: string;
  kind: Kind;
  /** Answers with 1xx, 2xx and so on up to 5xx. */
  byClass: number[];
  times: Times;
}>;

export type Performance = Readonly<{ avgMs: number; p95Ms: number; p99Ms: number }>;

export type RequestStatistics = Readonly<{
  /** Every route that was asked so far: bounded by the routes that there are. */
  routes: () => Iterable<RouteCounts>;
  /** Times of the answers that carry bytes of blobs. */
  transfers: Readonly<Record<'up' | 'down', Times>>;
  /** An answer below 400 is a success, any other one an error. */
  requests: () => Readonly<{ total: number; success: number; errors: number }>;
  /** Of all answers but transfers and streams, in whole milliseconds; zeros before the first one. */
  performance: () => Performance;
  /** Counts what every surface answers, from now on. */
  watch: (app: FastifyInstance) => void;
}>;

/** The longest time that is told from longer ones, in µs: an hour. */
const LONGEST_US = 3_600_000_000;
const CLASSES = 5;

const noTimes = (): Times => ({ buckets: new Array<number>(BOUNDS_MS.length + 1).fill(0), sumMs: 0 });

// From the shortest on: nearly all answers take less than a few milliseconds.
const add = (times: Times, ms: number): void => {
  let bucket = 0;
  while (bucket < BOUNDS_MS.length && ms > (BOUNDS_MS[bucket] as number)) bucket += 1;
  times.buckets[bucket] = (times.buckets[bucket] as number) + 1;
  times.sumMs += ms;
};

const SURFACES: readonly (readonly [prefix: string, surface: string])[] = [
  ['/v2', 'registry'],
  ['/auth', 'auth'],
  ['/api/v1', 'management'],
  ['/api', 'monitoring'],
];

const surfaceOf = (url: string): string => SURFACES.find(([prefix]) => url.startsWith(prefix))?.[1] ?? 'operations';

type Config = Readonly<{ url?: string; method?: string | readonly string[]; stream?: boolean }>;

const kindOf = (url: string, method: string, { stream }: Config): Kind => {
  if (stream === true) return 'stream';
  if (method === 'GET' && url === '/v2/:name/blobs/:digest') return 'down';
  return /^\/v2\/:name\/blobs\/uploads\b/.test(url) && /^P(?:OST|ATCH|UT)$/.test(method) ? 'up' : 'plain';
};

/** Routes that only refuse methods have many: they are told as one. A path without a route has none. */
const countsOf = (config: Config | undefined): RouteCounts => {
  const { url, method = '' } = config ?? {};
  const counted = { byClass: new Array<number>(CLASSES).fill(0), times: noTimes() };
  if (url === undefined) return { surface: 'none', route: 'none', method: 'any', kind: 'plain', ...counted };
  const told = typeof method === 'string' ? method : 'other';
  return { surface: surfaceOf(url), route: url, method: told, kind: kindOf(url, told, config ?? {}), ...counted };
};

/** 202 begins a session and carries nothing yet; refusals and 304 carry nothing at all. */
const isTransfer = ({ kind, method }: RouteCounts, status: number): boolean =>
  (kind === 'up' || kind === 'down') && status >= 200 && status < 300 && !(method === 'POST' && status === 202);

/**
 * Counts the answers of this process: in memory, gone with it. A request whose client hung up before its answer was out is not counted,
 * and neither is what was never a request that could be read.
 */
export const requestStatistics = (): RequestStatistics => {
  const known = new Map<unknown, RouteCounts>();
  const transfers = { up: noTimes(), down: noTimes() };
  const histogram = createHistogram({ lowest: 1, highest: LONGEST_US, figures: 3 });
  let [sumMs, timed] = [0, 0];

  const learn = (config: FastifyContextConfig | undefined): RouteCounts => {
    const counts = countsOf(config as Config | undefined);
    known.set(config, counts);
    return counts;
  };

  // The object of the route is the key: no text is made or compared for a request. Measured: 0.2 µs, half of it the histogram's; of the
  // processor time of a manifest GET (45 µs) about 1 %.
  const count = (config: FastifyContextConfig | undefined, status: number, ms: number): void => {
    const counts = known.get(config) ?? learn(config);
    const { byClass, kind } = counts;
    const index = Math.min(Math.max(Math.trunc(status / 100), 1), CLASSES) - 1;
    byClass[index] = (byClass[index] as number) + 1;
    if (kind === 'stream') return;
    if (isTransfer(counts, status)) {
      add(transfers[kind as 'up' | 'down'], ms);
      return;
    }
    add(counts.times, ms);
    sumMs += ms;
    timed += 1;
    histogram.record(Math.min(Math.max(Math.round(ms * 1000), 1), LONGEST_US));
  };

  const inClasses = (from: number, to: number): number => {
    let sum = 0;
    for (const { byClass } of known.values()) for (let at = from; at <= to; at++) sum += byClass[at - 1] ?? 0;
    return sum;
  };

  const percentile = (percent: number): number => (timed === 0 ? 0 : Math.round(histogram.percentile(percent) / 1000));

  return {
    routes: () => known.values(),
    transfers,
    requests: () => {
      const [success, errors] = [inClasses(1, 3), inClasses(4, 5)];
      return { total: success + errors, success, errors };
    },
    performance: () => ({
      avgMs: timed === 0 ? 0 : Math.round(sumMs / timed),
      p95Ms: percentile(95),
      p99Ms: percentile(99),
    }),
    watch: (app) => {
      app.addHook('onResponse', (request, reply, done) => {
        count(request.routeOptions.config, reply.statusCode, reply.elapsedTime);
        done();
      });
    },
  };
};
