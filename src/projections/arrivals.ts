import { ORIGIN, type Position } from '../events/event.ts';

/** Who waits for a position, in the order of the positions. */
export type Arrivals = Readonly<{
  /** Resolves true once the position is reached, false when the time (`Infinity`: no limit) is over or nothing more will come. */
  reached: (position: Position, timeoutMs: number) => Promise<boolean>;
  /** Wakes those who waited for this position or an earlier one. It never goes back. */
  advance: (position: Position) => void;
  /** Answers everybody, now and later, that nothing more will come. */
  end: () => void;
  position: () => Position;
  /** How many wait. */
  waiting: () => number;
}>;

type Waiter = Readonly<{ position: Position; settle: (arrived: boolean) => void }>;

export const arrivals = (): Arrivals => {
  // Ascending. Positions are asked for nearly in the order in which they are given out, so a new one belongs near the end.
  const waiters: Waiter[] = [];
  let current: Position = ORIGIN;
  let ended = false;

  const enter = (waiter: Waiter): void => {
    let at = waiters.length;
    while (at > 0 && (waiters[at - 1]?.position ?? ORIGIN) > waiter.position) at -= 1;
    waiters.splice(at, 0, waiter);
  };

  const wait = (position: Position, timeoutMs: number): Promise<boolean> =>
    new Promise((resolve) => {
      const settle = (arrived: boolean): void => {
        clearTimeout(timer);
        resolve(arrived);
      };
      const waiter = { position, settle };
      const giveUp = (): void => {
        waiters.splice(waiters.indexOf(waiter), 1);
        resolve(false);
      };
      const timer = timeoutMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(giveUp, timeoutMs);
      enter(waiter);
    });

  return {
    reached: (position, timeoutMs) => {
      if (position <= current) return Promise.resolve(true);
      return ended || timeoutMs <= 0 ? Promise.resolve(false) : wait(position, timeoutMs);
    },
    advance: (position) => {
      if (position <= current) return;
      current = position;
      const later = waiters.findIndex((waiter) => waiter.position > position);
      for (const { settle } of waiters.splice(0, later === -1 ? waiters.length : later)) settle(true);
    },
    end: () => {
      ended = true;
      for (const { settle } of waiters.splice(0)) settle(false);
    },
    position: () => current,
    waiting: () => waiters.length,
  };
};
