/** Buffers of one size that many uploads share; whoever finds none waits for one. */
export type Buffers = Readonly<{
  size: number;
  take: () => Promise<ArrayBuffer>;
  give: (buffer: ArrayBuffer) => void;
  /** Says that a buffer that was taken will not come back: another may be made in its place. */
  lose: () => void;
  /**
   * Enters somebody who holds a buffer that is partly full, and waits for a slow client to fill it. `flush` is called
   * when others wait for buffers, at once if they do already: a thousand slow uploads must not stop the others.
   * @returns how to leave again
   */
  idle: (flush: () => void) => () => void;
  /** Whether somebody may hold so many bytes in memory of its own, as small bodies do; all of them together up to a limit. */
  reserve: (bytes: number) => boolean;
  unreserve: (bytes: number) => void;
  /** Buffers that are in use and that there may be, who waits for one, and bytes that are reserved besides. */
  status: () => BufferStatus;
}>;

export type BufferStatus = Readonly<{ used: number; most: number; waiting: number; reservedBytes: number }>;

/** @param most buffers; all memory of their own that uploads reserve is as much again */
export const buffersOf = (size: number, most: number): Buffers => {
  const free: ArrayBuffer[] = [];
  const waiting: ((buffer: ArrayBuffer) => void)[] = [];
  const idlers = new Set<() => void>();
  let made = 0;
  let unreserved = size * most;

  const hand = (buffer: ArrayBuffer): void => {
    const next = waiting.shift();
    if (next === undefined) free.push(buffer);
    else next(buffer);
  };

  const press = (): void => {
    const [flush] = idlers;
    if (flush === undefined) return;
    idlers.delete(flush);
    flush();
  };

  const available = (): ArrayBuffer | undefined => {
    if (free.length > 0) return free.pop();
    if (made === most) return undefined;
    made += 1;
    return new ArrayBuffer(size);
  };

  return {
    size,
    take: async () => {
      const buffer = available();
      if (buffer !== undefined) return buffer;
      return new Promise((resolve) => {
        waiting.push(resolve);
        press();
      });
    },
    give: hand,
    lose: () => {
      made -= 1;
      if (waiting.length === 0) return;
      made += 1;
      hand(new ArrayBuffer(size));
    },
    idle: (flush) => {
      idlers.add(flush);
      if (waiting.length > 0) press();
      return () => idlers.delete(flush);
    },
    reserve: (bytes) => {
      if (bytes > unreserved) return false;
      unreserved -= bytes;
      return true;
    },
    unreserve: (bytes) => {
      unreserved += bytes;
    },
    status: () => ({ used: made - free.length, most, waiting: waiting.length, reservedBytes: size * most - unreserved }),
  };
};
