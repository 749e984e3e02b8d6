import type { Feed } from './feed.ts';
import type { LogRecord } from './logTap.ts';
import { type RepositoryUpdate, repositoryUpdates } from './repositoryUpdates.ts';
import { type Rates, type Throughput, throughputMeter, throughputUpdates } from './throughput.ts';

/** What holds of the streams of events. Times in ms. */
export type StreamLimits = Readonly<{
  /** Most clients of all streams together, in this process. */
  mostClients: number;
  /** Bytes that may wait for a client that reads slowly. */
  mostWaiting: number;
  /** How long a client may take nothing of what waits for it. */
  stallMs: number;
  /** How often a client is sent a sign of life, and it is looked whether its credentials still are any. */
  heartbeatMs: number;
  /** How often the throughput is told. */
  throughputMs: number;
  /** How long after its beginning the stream of the log says hello. */
  welcomeMs: number;
}>;

export const STREAM_LIMITS: StreamLimits = {
  mostClients: 100,
  mostWaiting: 1024 * 1024,
  stallMs: 60_000,
  heartbeatMs: 10_000,
  throughputMs: 500,
  welcomeMs: 3000,
};

/** What happens now, in this process and in the registry. */
export type Live = Readonly<{
  logs: Feed<LogRecord>;
  /** How many clients watch the log through this process. */
  logClients: () => number;
  repositories: Feed<RepositoryUpdate>;
  throughput: Throughput;
  throughputUpdates: Feed<Rates>;
  limits: StreamLimits;
}>;

/** What tests look at without waiting for it. */
export type LiveOptions = Readonly<{
  limits?: Partial<StreamLimits>;
  /** Of the throughput: milliseconds on a clock that never goes back. */
  now?: () => number;
}>;

type Options = LiveOptions & Readonly<{ logs: Feed<LogRecord> }> & Parameters<typeof repositoryUpdates>[0];

export const liveOf = ({ logs, limits: changed, now, ...options }: Options): Live => {
  const limits = { ...STREAM_LIMITS, ...changed };
  const throughput = throughputMeter(now);
  return {
    logs,
    logClients: logs.watchers,
    repositories: repositoryUpdates(options),
    throughput,
    throughputUpdates: throughputUpdates(throughput, limits.throughputMs),
    limits,
  };
};
