import type { ServerResponse } from 'node:http';

/** An event as it is sent: text as it is, anything else as JSON in one line. */
export const frameOf = (event: string, data: unknown): Buffer =>
  Buffer.from(`event: ${event}\ndata: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);

/** What no client takes for an event. */
export const commentOf = (text: string): Buffer => Buffer.from(`: ${text}\n\n`);

/** How long a stream that ends may take to send what waits, in ms. */
const END_WITHIN_MS = 1000;

type Options = Readonly<{
  /** Bytes that may wait in this process. What comes when they do is left out. */
  mostWaiting: number;
  /** What is sent in place of what was left out, once there is room again. */
  lost: (count: number) => readonly Buffer[];
  /** Milliseconds on a clock that never goes back. */
  now?: () => number;
}>;

/** One client of a stream. */
export type StreamClient = Readonly<{
  send: (frame: Buffer) => void;
  /** For how long it has taken nothing of what waits, in ms; 0 when nothing does. */
  stalledMs: () => number;
  /** Ends the stream; the connection too, unless the client takes what waits within a second. */
  end: (last?: Buffer) => void;
}>;

/** Writes events to a response whose head is written. It may be slow, and gone at any time. */
export const streamClient = (response: ServerResponse, options: Options): StreamClient => {
  const { mostWaiting, lost, now = () => performance.now() } = options;
  let leftOut = 0;
  let tookAt = 0;

  const isOver = (): boolean => response.destroyed || response.writableEnded;

  const write = (frame: Buffer): void => {
    if (response.writableLength === 0) tookAt = now();
    response.write(frame, onTaken);
  };

  /** Not before most of it is sent: else it would lose one event, tell it, and lose the next. */
  const catchUp = (): void => {
    if (leftOut === 0 || isOver() || response.writableLength > mostWaiting / 4) return;
    const count = leftOut;
    leftOut = 0;
    for (const frame of lost(count)) write(frame);
  };

  const onTaken = (): void => {
    tookAt = now();
    catchUp();
  };

  // A client that breaks off is no failure of ours: `close` tells of it.
  response.on('error', () => undefined);
  return {
    send: (frame) => {
      if (isOver()) return;
      catchUp();
      if (leftOut > 0 || response.writableLength + frame.length > mostWaiting) leftOut += 1;
      else write(frame);
    },
    stalledMs: () => (response.writableLength === 0 ? 0 : now() - tookAt),
    end: (last) => {
      if (isOver()) return;
      response.end(last);
      const late = setTimeout(() => response.destroy(), END_WITHIN_MS).unref();
      response.once('close', () => clearTimeout(late));
    },
  };
};
