import type { Blobs } from './blobs/blobs.ts';
import type { Logger } from './http/server.ts';

const CHECK_MS = 10 * 60_000;

export type UploadExpiryOptions = Readonly<{
  uploads: Pick<Blobs['uploads'], 'expire'>;
  /** How long nobody has gone on with an upload that is removed, in ms. */
  afterMs: number;
  logger: Pick<Logger, 'info' | 'error'>;
}>;

/** Removes abandoned uploads, at once (a registry may be restarted more often than it looks) and every ten minutes. */
export const startUploadExpiry = ({ uploads, afterMs, logger }: UploadExpiryOptions): Readonly<{ stop: () => Promise<void> }> => {
  const expire = async (): Promise<void> => {
    const removed = await uploads.expire(afterMs);
    if (removed > 0) logger.info({ removed }, `Removed ${removed} uploads that nobody went on with.`);
  };
  let expiring = Promise.resolve();
  const expireQuietly = (): void => {
    expiring = expire().catch((err) => logger.error({ err }, 'Abandoned uploads could not be removed.'));
  };
  expireQuietly();
  const timer = setInterval(expireQuietly, CHECK_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      await expiring;
    },
  };
};
