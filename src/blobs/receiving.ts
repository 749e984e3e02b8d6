import type { Writable } from 'node:stream';

/** A destination while bytes are copied to it. */
export type Receiver = Readonly<{
  /** Resolves once the destination needs the bytes' memory no more. Rejects as soon as it fails or is closed. */
  send: (bytes: Buffer) => Promise<void>;
  /** @throws why the destination takes nothing any more */
  mustBeOpen: () => void;
  release: () => void;
}>;

const closedEarly = (): Error =>
  Object.assign(new Error('The destination was closed before everything was sent.'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });

// A response whose connection is gone may never call back a write; `close` is what tells.
export const receiving = (destination: Writable, sent: (bytes: number) => void = () => undefined): Receiver => {
  const waiting = new Set<(error: unknown) => void>();
  let closed: { readonly error: unknown } | undefined;

  const close = (error: unknown): void => {
    closed ??= { error };
    for (const reject of waiting) reject(closed.error);
    waiting.clear();
  };
  const onClose = (): void => close(closedEarly());

  destination.on('error', close).on('close', onClose);
  if (destination.destroyed || destination.writableEnded) onClose();

  const sending = (bytes: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.add(reject);
      destination.write(bytes, (error) => {
        waiting.delete(reject);
        if (error) reject(error);
        else {
          sent(bytes.length);
          resolve();
        }
      });
    });

  return {
    send: (bytes) => {
      const sent = sending(bytes);
      // Awaited when its buffer is needed again; it may fail before that.
      sent.catch(() => undefined);
      return sent;
    },
    mustBeOpen: () => {
      if (closed !== undefined) throw closed.error;
    },
    release: () => {
      destination.off('error', close).off('close', onClose);
    },
  };
};
