/** Names of the streams. The prefix lets several registries share one event store. */
export type Streams = Readonly<{
  repository: (name: string) => string;
  users: string;
  keys: string;
}>;

export const streamsUnder = (prefix: string): Streams => ({
  repository: (name) => `${prefix}.repository-${name}`,
  users: `${prefix}.users`,
  keys: `${prefix}.keys`,
});
