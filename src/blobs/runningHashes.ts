import { createHash, type Hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Algorithm, algorithmOf, type Digest } from '../oci/digest.ts';

/** Sessions whose hash a worker remembers. One that is forgotten is hashed again from its files when it is finished. */
const REMEMBERED = 1000;

type Running = Readonly<{ algorithm: Algorithm; size: number; hash: Hash }>;

/** The hashes of sessions' first bytes, as far as this thread has committed all of them itself. */
export const runningHashes = () => {
  const running = new LRUCache<string, Running>({ max: REMEMBERED });
  return {
    /** A hash to go on with at `offset`, of its own: a chunk that is not committed leaves no trace. */
    from: (id: string, offset: number, algorithm: Algorithm): Hash | undefined => {
      if (offset === 0) return createHash(algorithm);
      const known = running.get(id);
      return known?.size === offset && known.algorithm === algorithm ? known.hash.copy() : undefined;
    },
    keep: (id: string, known: Running): void => {
      running.set(id, known);
    },
    forget: (id: string): void => {
      running.delete(id);
    },
    /** The digest of the session's first `size` bytes, in the algorithm of `like`, if it is known. */
    digest: (id: string, size: number, like: Digest): Digest | undefined => {
      const known = running.get(id);
      if (known?.size !== size || known.algorithm !== algorithmOf(like)) return undefined;
      return `${known.algorithm}:${known.hash.copy().digest('hex')}` as Digest;
    },
  };
};

export type RunningHashes = ReturnType<typeof runningHashes>;
