import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import type { Family } from './metricFamily.ts';

/** prom-client asks what it prints for no more than this; it has no class for values that are counted elsewhere. */
const asMetric = ({ name, help, type, samples }: Family): Metric =>
  ({
    name,
    get: async () => ({
      name,
      help,
      type,
      values: samples.map(({ name: metricName, ...sample }) => ({ ...sample, ...(metricName !== undefined && { metricName }) })),
    }),
  }) as unknown as Metric;

/** Sums of what other metrics tell by kind, under names that Prometheus keeps for counters. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

let ofProcess: Registry | undefined;

/** Of the process and its event loop, measured from the first scrape on: where nobody asks, nothing is measured. */
const processMetrics = (): Registry => {
  if (ofProcess !== undefined) return ofProcess;
  ofProcess = new Registry();
  collectDefaultMetrics({ register: ofProcess });
  for (const name of MISNAMED) ofProcess.removeSingleMetric(name);
  return ofProcess;
};

export const CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** In the text format of Prometheus. */
export const metricsText = async (families: readonly Family[]): Promise<string> => {
  const registry = new Registry();
  for (const family of families) registry.registerMetric(asMetric(family));
  return `${await registry.metrics()}\n${await processMetrics().metrics()}`;
};
