/** Names of the streams. The prefix lets several registries share one event store. */
export type Streams = Readonly<{
  repository: (name: string) => string;
  users: string;
  tokens: string;
  grants: string;
  teams: string;
  keys: string;
  accessSeals: string;
}>;

/**
 * Names of the streams of the access log. A colon is in no prefix of a registry, so that no registry's facts can stand under it.
 */
export type AccessStreams = Readonly<{
  /** What begins the name of each, but for a dot. */
  prefix: string;
  /** Of a day: `2026-01-31`. */
  ofDay: (day: string) => string;
  /** What is kept of days that were dropped. */
  sums: string;
}>;

export const accessStreamsUnder = (prefix: string): AccessStreams => ({
  prefix: `${prefix}:access`,
  ofDay: (day) => `${prefix}:access.${day}`,
  sums: `${prefix}:access.sums`,
});

export const streamsUnder = (prefix: string): Streams => ({
  repository: (name) => `${prefix}.repository-${name}`,
  users: `${prefix}.users`,
  tokens: `${prefix}.tokens`,
  grants: `${prefix}.grants`,
  teams: `${prefix}.teams`,
  keys: `${prefix}.keys`,
  accessSeals: `${prefix}.access-seals`,
});
