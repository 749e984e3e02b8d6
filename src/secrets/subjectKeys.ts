import { createSecretKey, hash, type KeyObject, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { KEY_LENGTH } from './aead.ts';
import type { Secrets } from './secrets.ts';

/**
 * `mark` tells a subject's key from an earlier one that was erased: a subject that is named again afterwards gets a new
 * key, and what the old one sealed must then read as erased and not as forged.
 */
export type SubjectKey = Readonly<{ mark: Buffer; key: KeyObject }>;

export const MARK_LENGTH = 4;

export type SubjectKeys = Readonly<{
  /** The subject's key, made at its first use; of one that was erased a key that nobody else ever gets, so that nothing can be read. */
  toSeal: (subject: string) => Promise<SubjectKey>;
  /** The keys that there are, with at most one read of the store. */
  toReveal: (subjects: ReadonlySet<string>) => Promise<ReadonlyMap<string, SubjectKey>>;
  /** For good: the subject never has a key again. */
  erase: (subject: string) => Promise<void>;
  /** Those of them that have a key. */
  remaining: (subjects: readonly string[]) => Promise<readonly string[]>;
}>;

export type SubjectKeyOptions = Readonly<{
  /** Most keys held in memory. */
  cached?: number;
  /** How long, in milliseconds: so long may another node go on reading what was erased on this one. */
  cachedMs?: number;
  /** A clock in milliseconds that never goes back. */
  now?: () => number;
}>;

const CACHED = 10_000;
const CACHED_MS = 5 * 60_000;

const PREFIX = 'subject:';
const idOf = (subject: string): string => `${PREFIX}${subject}`;
const erasureOf = (subject: string): string => `erased:${subject}`;
const NOTHING = new Uint8Array();

/** Under which id it stands in the same store that a secret was erased; undefined for what is no key of a subject. */
export const erasureOfSecret = (id: string): string | undefined =>
  id.startsWith(PREFIX) ? erasureOf(id.slice(PREFIX.length)) : undefined;

const keyOf = (bytes: Uint8Array): SubjectKey => ({
  mark: hash('sha256', bytes, 'buffer').subarray(0, MARK_LENGTH),
  key: createSecretKey(bytes),
});

export const subjectKeys = (secrets: Secrets, options: SubjectKeyOptions = {}): SubjectKeys => {
  const cache = new LRUCache<string, SubjectKey>({
    max: options.cached ?? CACHED,
    ttl: options.cachedMs ?? CACHED_MS,
    ttlResolution: 0,
    ...(options.now && { perf: { now: options.now } }),
  });
  const loading = new Map<string, Promise<SubjectKey>>();
  // A read that began before an erasure may bring back the erased key: it is used once, and not cached.
  let erasures = 0;

  const remember = (subject: string, bytes: Uint8Array, since: number): SubjectKey => {
    const key = keyOf(bytes);
    if (erasures === since) cache.set(subject, key);
    return key;
  };

  const load = async (subject: string): Promise<SubjectKey> => {
    const since = erasures;
    const id = idOf(subject);
    const stored = await secrets.get(id);
    // Asked for second: `erase` writes it first.
    if (stored === undefined && (await secrets.get(erasureOf(subject))) !== undefined) return keyOf(randomBytes(KEY_LENGTH));
    return remember(subject, stored ?? (await secrets.putIfAbsent(id, randomBytes(KEY_LENGTH))), since);
  };

  const loadOnce = (subject: string): Promise<SubjectKey> => {
    const running = loading.get(subject) ?? load(subject).finally(() => loading.delete(subject));
    loading.set(subject, running);
    return running;
  };

  const readMissing = async (missing: readonly string[], into: Map<string, SubjectKey>): Promise<void> => {
    const since = erasures;
    const found = await secrets.getMany(missing.map(idOf));
    missing.forEach((subject, index) => {
      const bytes = found[index];
      if (bytes !== undefined) into.set(subject, remember(subject, bytes, since));
    });
  };

  return {
    toSeal: async (subject) => cache.get(subject) ?? loadOnce(subject),

    toReveal: async (subjects) => {
      const keys = new Map<string, SubjectKey>();
      const missing: string[] = [];
      for (const subject of subjects) {
        const key = cache.get(subject);
        if (key === undefined) missing.push(subject);
        else keys.set(subject, key);
      }
      if (missing.length > 0) await readMissing(missing, keys);
      return keys;
    },

    erase: async (subject) => {
      erasures += 1;
      await secrets.putIfAbsent(erasureOf(subject), NOTHING);
      await secrets.delete(idOf(subject));
      erasures += 1;
      loading.delete(subject);
      cache.delete(subject);
    },

    remaining: async (subjects) => {
      const found = await secrets.getMany(subjects.map(idOf));
      return subjects.filter((_subject, index) => found[index] !== undefined);
    },
  };
};
