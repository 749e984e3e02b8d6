/** Whole milliseconds since the registry started in this process. */
export type Uptime = () => number;

/** Counts from now on, by a clock that nobody sets. */
export const uptimeFromNow = (): Uptime => {
  const startedAt = performance.now();
  return () => Math.round(performance.now() - startedAt);
};
