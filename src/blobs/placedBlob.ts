import type { Digest } from '../oci/digest.ts';
import type { PlacedBlob } from './blobs.ts';

type Settling = Readonly<{
  inPlace: () => boolean;
  /** Durable when it resolves. */
  putBack: () => Promise<void>;
  /** Gives up the writer's own copy. */
  letGo: () => Promise<unknown>;
}>;

/**
 * A blob in place, with its writer's own copy until it is settled or released, whichever comes first. Settling that failed can be
 * tried again.
 */
export const placedBlob = (digest: Digest, size: number, { inPlace, putBack, letGo }: Settling): PlacedBlob => {
  let over: Promise<void> | undefined;

  const look = async (): Promise<void> => {
    if (!inPlace()) await putBack();
    await letGo();
  };

  return {
    digest,
    size,
    settle: () => {
      over ??= look().catch((error: unknown) => {
        over = undefined;
        throw error;
      });
      return over;
    },
    release: async () => {
      over ??= Promise.resolve();
    },
  };
};
