import { type Feed, feedOf } from './feed.ts';

/** What moves bytes. Uploads are writes, downloads reads. */
export const CATEGORIES = ['blobUpload', 'blobDownload', 'manifestUpload', 'manifestDownload'] as const;
export type Category = (typeof CATEGORIES)[number];

export type Rate = Readonly<{
  /** Bytes per second, over the last second. */
  current: number;
  /** Bytes per second, over the last 5 s. */
  average: number;
  /** Bytes of the last second. */
  totalBytes: number;
}>;

export type Rates = Readonly<Record<Category, Rate>>;

export type Throughput = Readonly<{
  /** Told of bytes as they come and go, so that a long transfer shows while it runs. */
  moved: Readonly<Record<Category, (bytes: number) => void>>;
  rates: () => Rates;
  /** Bytes since this process started. */
  totals: () => Readonly<Record<Category, number>>;
  /** Whether bytes moved in the last 5 s. */
  moving: () => boolean;
}>;

/** What is known of the past is kept in slices of so many ms. */
const SLICE_MS = 100;
const SLICES = 50;
const RECENT = 10;

/** `at`: a time of the clock. */
type Window = Readonly<{ add: (bytes: number) => void; rate: (at: number) => Rate; total: () => number }>;

/** The last 5 s of one category. Its times are whole slices, but for the one that is under way. */
const windowOf = (now: () => number): Window => {
  const slices = new Array<number>(SLICES).fill(0);
  let latest = Math.floor(now() / SLICE_MS);
  let total = 0;

  /** Forgets what has become too old. */
  const advance = (slice: number): void => {
    if (slice - latest >= SLICES) slices.fill(0);
    else for (let at = latest + 1; at <= slice; at += 1) slices[at % SLICES] = 0;
    latest = Math.max(latest, slice);
  };

  const bytesOf = (count: number): number => {
    let bytes = 0;
    for (let at = latest - count + 1; at <= latest; at += 1) bytes += slices[at % SLICES] ?? 0;
    return bytes;
  };

  return {
    add: (bytes) => {
      total += bytes;
      const slice = Math.floor(now() / SLICE_MS);
      if (slice > latest) advance(slice);
      slices[latest % SLICES] = (slices[latest % SLICES] ?? 0) + bytes;
    },
    total: () => total,
    rate: (at) => {
      advance(Math.floor(at / SLICE_MS));
      const underWayMs = at - latest * SLICE_MS;
      const perSecond = (bytes: number, count: number): number => (bytes * 1000) / ((count - 1) * SLICE_MS + underWayMs);
      const totalBytes = bytesOf(RECENT);
      return { current: perSecond(totalBytes, RECENT), average: perSecond(bytesOf(SLICES), SLICES), totalBytes };
    },
  };
};

/** Counts the bytes that this process moves. An addition and a look at the clock for each piece: no stream is wrapped for it. */
export const throughputMeter = (now: () => number = () => performance.now()): Throughput => {
  const entries = CATEGORIES.map((category) => [category, windowOf(now)] as const);
  const rates = (): Rates => {
    const at = now();
    return Object.fromEntries(entries.map(([category, { rate }]) => [category, rate(at)])) as Record<Category, Rate>;
  };
  return {
    moved: Object.fromEntries(entries.map(([category, { add }]) => [category, add])) as Throughput['moved'],
    rates,
    totals: () => Object.fromEntries(entries.map(([category, { total }]) => [category, total()])) as Record<Category, number>,
    moving: () => Object.values(rates()).some(({ average }) => average > 0),
  };
};

/** Its rates every so often while bytes move, and once more, all zero, when none do any longer. */
export const throughputUpdates = ({ rates, moving }: Throughput, everyMs: number): Feed<Rates> =>
  feedOf((tell) => {
    let active = false;
    const look = (): void => {
      const before = active;
      active = moving();
      if (active || before) tell(rates());
    };
    const timer = setInterval(look, everyMs).unref();
    return () => clearInterval(timer);
  });
