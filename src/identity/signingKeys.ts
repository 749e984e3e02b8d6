import { randomBytes, subtle, type webcrypto } from 'node:crypto';
import { RegistryError } from '../errors.ts';
import type { Secrets } from '../secrets/secrets.ts';

type CryptoKey = webcrypto.CryptoKey;

export type SigningKey = Readonly<{ keyId: string; madeAt: number; key: CryptoKey }>;

/** The keys of bearer tokens: the newest signs, all verify. */
export type SigningKeys = Readonly<{
  newest: () => SigningKey;
  /** Looks into the store for a key that it does not know, once in a while. @throws RegistryError `UNAVAILABLE` */
  find: (keyId: string) => Promise<SigningKey | undefined>;
  /** Takes in what was added or removed. @throws RegistryError `UNAVAILABLE` */
  reload: () => Promise<void>;
}>;

const PREFIX = 'signing:';

// A stored key: when it was made (8 bytes, epoch milliseconds), then the key, as long as HS256's hash (RFC 7518, 3.2).
const TIME_LENGTH = 8;
const SIGNING_KEY_LENGTH = 32;

/** How often unknown key ids may cause a read of the store, in milliseconds: anybody can make them up. */
const RELOAD_EVERY = 1000;

/**
 * The current signing key, made when there is none. When it was `created`, `SigningKeyRotated` is to be recorded.
 * Several nodes that start for the first time at once may each make one; then all of them verify and the newest signs.
 */
export const ensureSigningKey = async (
  secrets: Secrets,
  newKeyId: string,
  now: number = Date.now(),
): Promise<Readonly<{ keyId: string; created: boolean }>> => {
  const current = newestOf((await load(secrets)).values());
  if (current !== undefined) return { keyId: current.keyId, created: false };
  await rotateSigningKey(secrets, newKeyId, now);
  return { keyId: newKeyId, created: true };
};

/** Makes a key that signs from now on; the others go on verifying. `SigningKeyRotated` is to be recorded. */
export const rotateSigningKey = async (secrets: Secrets, newKeyId: string, now: number = Date.now()): Promise<void> => {
  const current = newestOf((await load(secrets)).values());
  const time = Buffer.alloc(TIME_LENGTH);
  // Newer than every other, even if it was made by a node whose clock was ahead.
  time.writeBigUInt64BE(BigInt(Math.max(now, (current?.madeAt ?? 0) + 1)));
  await secrets.putIfAbsent(PREFIX + newKeyId, Buffer.concat([time, randomBytes(SIGNING_KEY_LENGTH)]));
};

/** Whether there are any. A registry has one from its first start on. */
export const hasSigningKeys = async (secrets: Secrets): Promise<boolean> => (await secrets.list(PREFIX)).length > 0;

export const signingKeys = async (secrets: Secrets, now: () => number = Date.now): Promise<SigningKeys> => {
  let known = await load(secrets);
  let loadedAt = now();

  const reload = async (): Promise<void> => {
    loadedAt = now();
    try {
      known = await load(secrets);
    } catch (error) {
      throw new RegistryError('UNAVAILABLE', 'The signing keys cannot be read now.', {}, { cause: error });
    }
  };

  return {
    newest: () => {
      const newest = newestOf(known.values());
      if (newest === undefined) throw new RegistryError('UNAVAILABLE', 'There is no signing key.');
      return newest;
    },
    find: async (keyId) => {
      if (!known.has(keyId) && now() - loadedAt >= RELOAD_EVERY) await reload();
      return known.get(keyId);
    },
    reload,
  };
};

const load = async (secrets: Secrets): Promise<ReadonlyMap<string, SigningKey>> => {
  const ids = await secrets.list(PREFIX);
  const stored = await secrets.getMany(ids);
  const keys = await Promise.all(
    ids.map((id, index) => {
      const bytes = stored[index];
      return bytes === undefined ? undefined : keyOf(id.slice(PREFIX.length), Buffer.from(bytes));
    }),
  );
  return new Map(keys.filter((key) => key !== undefined).map((key) => [key.keyId, key]));
};

const keyOf = async (keyId: string, stored: Buffer): Promise<SigningKey> => ({
  keyId,
  madeAt: Number(stored.readBigUInt64BE()),
  key: await subtle.importKey('raw', stored.subarray(TIME_LENGTH), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']),
});

const newestOf = (keys: Iterable<SigningKey>): SigningKey | undefined =>
  [...keys].sort((a, b) => b.madeAt - a.madeAt || (a.keyId < b.keyId ? 1 : -1))[0];
