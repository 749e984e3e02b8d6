import { hash, randomBytes, subtle, type webcrypto } from 'node:crypto';
import { RegistryError } from '../errors.ts';
import type { Secrets } from '../secrets/secrets.ts';

type CryptoKey = webcrypto.CryptoKey;

/** `madeAt` in epoch milliseconds. */
export type SigningKey = Readonly<{ keyId: string; madeAt: number; key: CryptoKey }>;

/** The keys of bearer tokens: the newest signs, all verify. */
export type SigningKeys = Readonly<{
  /** A new key verifies at once, and signs a second after it was seen here: by then every node looks for it when it is shown it. */
  newest: () => SigningKey;
  /** Those of the last look into the store, the newest first. */
  all: () => readonly SigningKey[];
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
export const rotateSigningKey = async (secrets: Secrets, newKeyId: string, now: number = Date.now()): Promise<SigningKey> => {
  const current = newestOf((await load(secrets)).values());
  const time = Buffer.alloc(TIME_LENGTH);
  // Newer than every other, even if it was made by a node whose clock was ahead.
  time.writeBigUInt64BE(BigInt(Math.max(now, (current?.madeAt ?? 0) + 1)));
  const made = Buffer.concat([time, randomBytes(SIGNING_KEY_LENGTH)]);
  return keyOf(newKeyId, Buffer.from(await secrets.putIfAbsent(PREFIX + newKeyId, made)));
};

/** The id of the key after this one. It follows from it, so that all who rotate at the same time make one key. */
export const successorOf = (keyId: string): string => hash('sha256', `the signing key after ${keyId}`, 'base64url').slice(0, 21);

/**
 * Those of `keys` that have not signed for `keepMs`, because a newer one has: nothing that they signed can be valid any more if that is
 * longer than a token lives. Never the newest, however old it is.
 * @param keys the newest first
 */
export const outlived = (keys: readonly SigningKey[], keepMs: number, now: number): readonly SigningKey[] =>
  keys.filter((_key, index) => {
    const successor = keys[index - 1];
    return successor !== undefined && now - successor.madeAt > keepMs;
  });

/** What a removed key signed is refused from then on. */
export const removeSigningKey = (secrets: Secrets, keyId: string): Promise<void> => secrets.delete(PREFIX + keyId);

/** Whether there are any. A registry has one from its first start on. */
export const hasSigningKeys = async (secrets: Secrets): Promise<boolean> => (await secrets.list(PREFIX)).length > 0;

export const signingKeys = async (secrets: Secrets, now: () => number = Date.now): Promise<SigningKeys> => {
  let known = await load(secrets);
  let loadedAt = now();
  let loading: Promise<void> = Promise.resolve();
  /** When a key was first seen here; those of the start have signed before. */
  let seenAt: ReadonlyMap<string, number> = new Map();

  const take = async (): Promise<void> => {
    try {
      const stored = await load(secrets);
      const added = [...stored.keys()].filter((keyId) => !known.has(keyId)).map((keyId) => [keyId, now()] as const);
      seenAt = new Map([...seenAt, ...added].filter(([keyId]) => stored.has(keyId)));
      known = stored;
    } catch (error) {
      throw new RegistryError('UNAVAILABLE', 'The signing keys cannot be read now.', {}, { cause: error });
    }
  };

  const reload = (): Promise<void> => {
    loadedAt = now();
    loading = take();
    return loading;
  };

  const hasSettled = ({ keyId }: SigningKey): boolean => now() - (seenAt.get(keyId) ?? -Infinity) >= RELOAD_EVERY;

  return {
    newest: () => {
      const keys = newestFirst(known.values());
      const newest = keys.find(hasSettled) ?? keys[0];
      if (newest === undefined) throw new RegistryError('UNAVAILABLE', 'There is no signing key.');
      return newest;
    },
    all: () => newestFirst(known.values()),
    find: async (keyId) => {
      // Whoever comes while the store is read, or after that failed, gets what came of it: several tokens of a new key may come at once.
      if (!known.has(keyId) && now() - loadedAt < RELOAD_EVERY) await loading;
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

const newestFirst = (keys: Iterable<SigningKey>): readonly SigningKey[] =>
  [...keys].sort((a, b) => b.madeAt - a.madeAt || (a.keyId < b.keyId ? 1 : -1));

const newestOf = (keys: Iterable<SigningKey>): SigningKey | undefined => newestFirst(keys)[0];
