/** What a key has left of its window. */
export type Spent = Readonly<{
  allowed: boolean;
  remaining: number;
  /** Until the window, or the lock, ends. */
  endsInMs: number;
}>;

/** Counts by key, in windows that begin with the first count. */
export type Limiter = Readonly<{
  /** Counts one more. Refused counts count as well, but make no lock longer. */
  spend: (key: string) => Promise<Spent>;
  /** Whether anything is counted for a key. */
  knows: (key: string) => Promise<boolean>;
  /** Takes one count back. */
  giveBack: (key: string) => Promise<void>;
  forget: (key: string) => Promise<void>;
}>;

export type LimiterOptions = Readonly<{
  /** Limiters of one name share their counts, wherever the store is shared. */
  name: string;
  /** Most counts in a window. */
  most: number;
  windowSeconds: number;
  /** How long a key is locked that has gone over; absent: until its window ends. */
  lockSeconds?: number;
}>;

/** Makes limiters on one store of counts. */
export type Limiters = (options: LimiterOptions) => Limiter;
