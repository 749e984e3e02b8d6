import type { ResolvedEvent } from '@eventstore/db-client';

/** What a read and a subscription of the client have in common, which its types do not say. */
type Incoming = Readonly<{
  on: {
    (event: 'readable', listener: () => void): unknown;
    (event: 'end', listener: () => void): unknown;
    (event: 'close', listener: () => void): unknown;
    (event: 'error', listener: (error: Error) => void): unknown;
  };
  read: () => unknown;
  readableLength: number;
  destroy: () => unknown;
}>;

/** A read or a subscription, taken from at the reader's pace: what he does not take stays with the server. */
export type Source = Readonly<{
  /** What has arrived, up to so many. */
  take: (most: number) => readonly ResolvedEvent[];
  /** How many have arrived and are not taken. */
  waiting: () => number;
  /** `open` until everything has arrived, or an error has. */
  state: () => 'open' | 'ended' | Error;
  /** Resolves when there is something new to see, or after this time; then false. */
  news: (ms: number) => Promise<boolean>;
  /** Makes `news` resolve. */
  wake: () => void;
  /** Lets go of it, here and on the server. */
  end: () => void;
}>;

const nothing = (): void => undefined;

/** @param cancel how to cancel the call, which ending the stream alone does not do */
export const sourceOf = (stream: Incoming, cancel: () => Promise<void>): Source => {
  let state: ReturnType<Source['state']> = 'open';
  let told = false;
  let tell = nothing;
  const wake = (): void => {
    told = true;
    tell();
  };
  const over = (how: 'ended' | Error): void => {
    if (state === 'open') state = how;
    wake();
  };
  // The listener for errors stays for ever: one that comes late would end the process.
  stream.on('error', over);
  stream.on('readable', wake);
  stream.on('end', () => over('ended'));
  stream.on('close', () => over('ended'));

  return {
    take: (most) => {
      const taken: ResolvedEvent[] = [];
      while (taken.length < most) {
        const event = stream.read() as ResolvedEvent | null;
        if (event === null) break;
        taken.push(event);
      }
      return taken;
    },
    waiting: () => stream.readableLength,
    state: () => state,
    news: (ms) =>
      new Promise((resolve) => {
        const done = (news: boolean): void => {
          clearTimeout(timer);
          tell = nothing;
          told = false;
          resolve(news);
        };
        const timer = setTimeout(() => done(false), ms);
        tell = () => done(true);
        if (told) done(true);
      }),
    wake,
    end: () => {
      if (state === 'open') cancel().catch(nothing);
      stream.destroy();
    },
  };
};
