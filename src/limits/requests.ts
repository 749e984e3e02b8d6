import type { Limiters, Spent } from './limiter.ts';

/** Most requests of a caller; 0: any number. */
export type RequestRates = Readonly<{ perHour: number; perMinute?: number }>;

/** Where a caller stands, as answers tell it. */
export type Standing = Readonly<{
  /** Of an hour; of a minute where only that is limited. */
  limit: number;
  remaining: number;
  endsInMs: number;
  /** Seconds after which to try again; absent: the request is within the limits. */
  retryAfter?: number;
}>;

/** Counts a request of a caller. */
export type RequestLimit = (who: string) => Promise<Standing>;

const secondsOf = (ms: number): number => Math.max(Math.ceil(ms / 1000), 1);

const standingOf = (limit: number, { allowed, remaining, endsInMs }: Spent): Standing => ({
  limit,
  remaining,
  endsInMs,
  ...(!allowed && { retryAfter: secondsOf(endsInMs) }),
});

/**
 * An hour's limit and within it a burst's, that of a minute. Callers are told of the hour, as is documented; when the burst is used up,
 * of what is left until the minute ends: nothing. A request that the burst refuses does not count for the hour.
 * @returns undefined where nothing is limited
 */
export const requestLimit = (
  limiters: Limiters,
  name: string,
  { perHour, perMinute = 0 }: RequestRates,
): RequestLimit | undefined => {
  const hour = perHour === 0 ? undefined : limiters({ name: `${name}-hour`, most: perHour, windowSeconds: 3600 });
  const minute = perMinute === 0 ? undefined : limiters({ name: `${name}-minute`, most: perMinute, windowSeconds: 60 });
  const limit = hour === undefined ? perMinute : perHour;
  if (hour === undefined && minute === undefined) return undefined;

  return async (who) => {
    const burst = await minute?.spend(who);
    if (burst?.allowed === false) return standingOf(limit, burst);
    const whole = await hour?.spend(who);
    const usedUp = burst?.remaining === 0 && whole?.allowed !== false;
    return standingOf(limit, (usedUp ? burst : (whole ?? burst)) as Spent);
  };
};
