import type { CommandContext } from './commands/execute.ts';
import { isRefusal, RegistryError } from './errors.ts';
import {
  outlived,
  removeSigningKey,
  rotateSigningKey,
  type SigningKey,
  type SigningKeys,
  successorOf,
} from './identity/signingKeys.ts';
import { LONGEST_LIFETIME } from './identity/tokens.ts';
import type { Secrets } from './secrets/secrets.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/**
 * How long a key stays after another one has followed it: as long as a token lives, and a day for clocks that are apart, and for nodes
 * that could not look at the store and so went on signing with it.
 */
export const KEEP_FOR = LONGEST_LIFETIME + DAY;

/** How often a node looks for keys of others, in ms: it signs with a new one within a minute. */
const LOOK_EVERY = 30_000;

/** Keys at a time: each node has them all in memory, until KEEP_FOR has passed. */
export const MOST_KEYS = 100;

export type KeyRotationOptions = Readonly<{
  secrets: Secrets;
  /** Those of this node. */
  keys: SigningKeys;
  /** Records a key as one that signs, once. A context that is left out is the registry's own. */
  record: (keyId: string, context?: CommandContext) => Promise<void>;
  /** Age of the newest key at which another follows it; 0: never. */
  days: number;
  onError: (error: unknown) => void;
  now?: () => number;
  lookEveryMs?: number;
}>;

export type KeyRotation = Readonly<{
  /** Makes a new key sign. Of several at once one comes. @throws RegistryError `CONFLICT` when there are too many | `UNAVAILABLE` */
  rotate: (context: CommandContext) => Promise<SigningKey>;
  /** Takes in what other nodes did, and does what is due. It is done by itself as well. */
  look: () => Promise<void>;
  stop: () => Promise<void>;
}>;

/**
 * Sees to it that tokens are signed with a key that is not too old, and that keys go when nothing of theirs can be valid any more. Every node
 * does so: the id of a new key follows from that of the one before, so those that rotate at the same time make the same one.
 * Its removal is no fact: nothing changes by it for anybody.
 */
export const startKeyRotation = (options: KeyRotationOptions): KeyRotation => {
  const { secrets, keys, record, days, onError, now = Date.now, lookEveryMs = LOOK_EVERY } = options;
  const recorded = new Set<string>();

  const recordOnce = async (keyId: string, context?: CommandContext): Promise<void> => {
    await record(keyId, context);
    recorded.add(keyId);
  };

  const follow = async (newest: SigningKey, context?: CommandContext): Promise<SigningKey> => {
    const made = await rotateSigningKey(secrets, successorOf(newest.keyId), now());
    await keys.reload();
    await recordOnce(made.keyId, context);
    return made;
  };

  /** Their maker may have been stopped before they were on record; one who is making a key just now records it himself. */
  const recordMissing = async (stored: readonly SigningKey[]): Promise<void> => {
    for (const { keyId, madeAt } of stored.toReversed())
      if (!recorded.has(keyId) && now() - madeAt >= MINUTE) await recordOnce(keyId);
  };

  const remove = async (keyId: string): Promise<void> => {
    await removeSigningKey(secrets, keyId);
    recorded.delete(keyId);
  };

  const look = async (): Promise<void> => {
    await keys.reload();
    const stored = keys.all();
    const [newest] = stored;
    if (newest === undefined) return;
    await recordMissing(stored);
    if (days > 0 && now() - newest.madeAt >= days * DAY) await follow(newest);
    for (const { keyId } of outlived(stored, KEEP_FOR, now())) await remove(keyId);
  };

  const lookQuietly = (): Promise<void> =>
    look().catch((error) => {
      // That a store does not answer is told elsewhere; the next look makes up for it.
      if (!isRefusal(error, 'UNAVAILABLE')) onError(error);
    });

  let looking: Promise<void> | undefined;
  const lookUnlessLooking = (): void => {
    looking ??= lookQuietly().finally(() => {
      looking = undefined;
    });
  };
  lookUnlessLooking(); // at every start: a registry may be restarted more often than a key is old
  const timer = setInterval(lookUnlessLooking, lookEveryMs).unref();

  return {
    rotate: async (context) => {
      await keys.reload();
      const stored = keys.all();
      const [newest] = stored;
      if (newest === undefined) throw new RegistryError('UNAVAILABLE', 'There is no signing key.');
      if (stored.length >= MOST_KEYS)
        throw new RegistryError('CONFLICT', `There are ${stored.length} signing keys: some must go before another is made.`);
      return follow(newest, context);
    },
    look,
    stop: async () => {
      clearInterval(timer);
      await looking;
    },
  };
};
