import { type Collector, counter, type Family, histogram, type Labels, type Sample } from './metricFamily.ts';
import { BOUNDS_MS, type RequestStatistics, type RouteCounts, type Times } from './requestStatistics.ts';

const SECONDS = BOUNDS_MS.map((ms) => ms / 1000);

const timesOf = (labels: Labels, { buckets, sumMs }: Times) => ({
  labels,
  bounds: SECONDS,
  counts: buckets,
  sum: sumMs / 1000,
});

const plus = (one: Times, other: Times): Times => ({
  buckets: one.buckets.map((count, index) => count + (other.buckets[index] ?? 0)),
  sumMs: one.sumMs + other.sumMs,
});

/** A route may be added twice, with a slash at its end and without, and each surface has its own answer to paths without a route. */
const merged = (routes: Iterable<RouteCounts>): readonly RouteCounts[] => {
  const told = new Map<string, RouteCounts>();
  for (const counts of routes) {
    const route = counts.route.replace(/(.)\/$/, '$1');
    const key = `${counts.method} ${route}`;
    const before = told.get(key);
    const byClass = counts.byClass.map((count, index) => count + (before?.byClass[index] ?? 0));
    const times = before === undefined ? counts.times : plus(before.times, counts.times);
    told.set(key, { ...counts, route, byClass, times });
  }
  return [...told.values()];
};

const labelsOf = ({ surface, route, method }: RouteCounts): Labels => ({ surface, route, method });

const answered = (counts: RouteCounts): readonly Sample[] =>
  counts.byClass.flatMap((value, index) =>
    value === 0 ? [] : [{ value, labels: { ...labelsOf(counts), status: `${index + 1}xx` } }],
  );

const requestFamilies = ({ routes, transfers }: RequestStatistics): readonly Family[] => {
  const all = merged(routes());
  return [
    counter('http_requests_total', 'Answers by route and class of status, since the process started.', all.flatMap(answered)),
    histogram(
      'http_request_duration_seconds',
      'Time to the end of an answer, of all but transfers of blobs and streams of events.',
      all.filter(({ times }) => times.buckets.some((count) => count > 0)).map((one) => timesOf(labelsOf(one), one.times)),
    ),
    histogram(
      'blob_transfer_duration_seconds',
      'Time that uploads (up) and downloads (down) of blobs took, line and client included.',
      [timesOf({ direction: 'up' }, transfers.up), timesOf({ direction: 'down' }, transfers.down)],
    ),
  ];
};

/** What the registry was asked for, and how it answered. */
export const requestCollector = (statistics: RequestStatistics): Collector => ({
  name: 'requests',
  collect: () => requestFamilies(statistics),
});
