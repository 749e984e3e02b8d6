/** Who may write a build of views, as the store has it. The holder counts `beat` up for as long as it lives. */
export type Held = Readonly<{ holder: string; beat: number }>;

/** Leases in a store that all nodes share. It compares and sets in one step; neither side's wall clock plays a part. */
export type Leases = Readonly<{
  read: (name: string) => Promise<Held | undefined>;
  /** Writes `next` if the store still has `seen`. @returns whether it did */
  replace: (name: string, seen: Held | undefined, next: Held) => Promise<boolean>;
  /** Removes what this holder has, if it still has it. */
  release: (name: string, holder: string) => Promise<void>;
}>;

export type LeaseOptions = Readonly<{
  leases: Leases;
  name: string;
  /** This process; no other one ever has the same. */
  holder: string;
  /** The lease is ours from now on. */
  onGained: () => void;
  /** It is not any more, or cannot be proven to be. */
  onLost: () => void;
  /** Told when the store cannot be asked. */
  onError?: (error: unknown) => void;
  renewMs?: number;
  /** A holder that does not beat for so long is taken for dead. */
  expiresMs?: number;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
}>;

export type Lease = Readonly<{
  /** Whether nobody else can have taken over by now. Costs nothing: ask before each write. */
  isFresh: () => boolean;
  /** Lets go of it at once, so that another node need not wait. */
  stop: () => Promise<void>;
}>;

/** A write that was not made, because another node may be the one that writes by now. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';

  constructor(name: string) {
    super(`Another node may be feeding ${name} by now: nothing was written.`);
  }
}

const RENEW_MS = 500;
const EXPIRES_MS = 3000;

/**
 * Competes for a lease until `stop`. A holder counts its time from before the call that renewed it; whoever waits counts from when it
 * first saw that renewal, which is later: so the old holder has stopped writing before the next one begins, whatever the clocks say.
 */
export const competeFor = ({
  leases,
  name,
  holder,
  onGained,
  onLost,
  onError = () => undefined,
  renewMs = RENEW_MS,
  expiresMs = EXPIRES_MS,
  now = () => performance.now(),
}: LeaseOptions): Lease => {
  let freshUntil = Number.NEGATIVE_INFINITY;
  let holds = false;
  let seen: Readonly<{ held: Held | undefined; since: number }> | undefined;
  let stopped = false;
  let wake: () => void = () => undefined;

  const isFresh = (): boolean => holds && now() < freshUntil;

  const lose = (): void => {
    if (!holds) return;
    holds = false;
    freshUntil = Number.NEGATIVE_INFINITY;
    onLost();
  };

  const gain = (askedAt: number): void => {
    freshUntil = askedAt + expiresMs;
    if (holds) return;
    holds = true;
    onGained();
  };

  /** Whether what the store has may be replaced by us: it is ours, nobody's, or has not moved for as long as a lease lives. */
  const isFree = (held: Held | undefined): boolean => {
    if (held === undefined || held.holder === holder) return true;
    if (seen?.held?.holder !== held.holder || seen.held.beat !== held.beat) seen = { held, since: now() };
    return now() - seen.since >= expiresMs;
  };

  const turn = async (): Promise<void> => {
    const askedAt = now();
    const held = await leases.read(name);
    const taken = isFree(held) && (await leases.replace(name, held, { holder, beat: (held?.beat ?? 0) + 1 }));
    if (taken && !stopped) gain(askedAt);
    else lose();
  };

  const rest = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, renewMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const compete = async (): Promise<void> => {
    while (!stopped) {
      await turn().catch((error: unknown) => {
        if (!isFresh()) lose();
        onError(error);
      });
      if (!stopped) await rest();
    }
  };

  const competing = compete();
  return {
    isFresh,
    stop: async () => {
      stopped = true;
      wake();
      await competing;
      lose();
      // Whatever the last turn came to: it may have been taken in the moment of the stop.
      await leases.release(name, holder).catch(onError);
    },
  };
};
