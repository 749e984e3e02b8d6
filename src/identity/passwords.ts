import { createHmac, createSecretKey, randomBytes, randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { LRUCache } from 'lru-cache';
import { RegistryError } from '../errors.ts';
import { isAccessTokenValue } from './accessTokenValue.ts';
import { type BoundedQueue, boundedQueue } from './boundedQueue.ts';
import { isCommonPassword } from './commonPasswords.ts';

/** Shortest password in characters, longest in bytes of UTF-8. */
export const SHORTEST_PASSWORD = 8;
export const LONGEST_PASSWORD = 1024;

/** What a check of a password needs to know of its user. */
export type PasswordHolder = Readonly<{ userId: number; securityVersion: number; passwordHash: string }>;

export type Passwords = Readonly<{
  /** The argon2id hash as a PHC text. @throws RegistryError `UNAVAILABLE` when too many are waiting */
  hash: (password: string) => Promise<string>;
  /**
   * Whether it is the holder's password. Takes the same time for an unknown holder (undefined), who has none.
   * @throws RegistryError `UNAVAILABLE` when too many are waiting
   */
  verify: (holder: PasswordHolder | undefined, password: string) => Promise<boolean>;
  /** For how many more milliseconds it is remembered that `verify` found so, under the same security version; 0: it is not. */
  rememberedFor: (holder: PasswordHolder, password: string) => number;
  /** Hashes that are computed, and that wait for it. */
  status: BoundedQueue['status'];
}>;

export type PasswordOptions = Readonly<{
  /** KiB of memory, passes and lanes of argon2id. */
  memoryCost?: number;
  timeCost?: number;
  parallelism?: number;
  /** Hashes computed at a time. */
  width?: number;
  /** Most checks that wait for their turn. */
  longestQueue?: number;
  /** How long a good check is remembered, in milliseconds, and how many are. */
  rememberedMs?: number;
  remembered?: number;
  /** A clock in milliseconds that never goes back. */
  now?: () => number;
}>;

// OWASP's Password Storage Cheat Sheet: argon2id with 19 MiB, 2 passes, 1 lane.
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const LONGEST_MEMORY_MS = 5 * 60_000;

// Hashes run in libuv's pool of four threads. With all four taken, reading a small file was measured to wait 55-135 ms
// instead of 3: one stays free.
const widest = (): number => Math.min(availableParallelism(), 3);

/** argon2id in a bounded queue, so that a flood of logins costs neither memory nor the disk's threads. */
export const passwords = (options: PasswordOptions = {}): Passwords => {
  const argon2 = {
    memoryCost: options.memoryCost ?? ARGON2.memoryCost,
    timeCost: options.timeCost ?? ARGON2.timeCost,
    parallelism: options.parallelism ?? ARGON2.parallelism,
  };
  const now = options.now ?? (() => performance.now());
  const rememberedMs = Math.min(options.rememberedMs ?? LONGEST_MEMORY_MS, LONGEST_MEMORY_MS);
  const queue = boundedQueue(options.width ?? widest(), options.longestQueue ?? 128, 'Too many logins are being checked.');
  const remembered = new LRUCache<string, number>({ max: options.remembered ?? 10_000 });
  // A KeyObject: with a Buffer the same HMAC takes five times as long (17 against 3 µs).
  const memoryKey = createSecretKey(randomBytes(32));
  const nobodysHash = unmatchedHash(argon2);

  const memoryOf = ({ userId, securityVersion }: PasswordHolder, password: string): string =>
    createHmac('sha256', memoryKey).update(`${userId}|${securityVersion}|${password}`).digest('base64');

  const matches = (holder: PasswordHolder | undefined, password: string): Promise<boolean> => {
    // What reads `erased` is nobody's password, and takes as long.
    const stored = holder?.passwordHash.startsWith('$argon2id$') ? holder.passwordHash : nobodysHash;
    return queue.run(() => verify(stored, password));
  };

  return {
    status: queue.status,

    hash: (password) => queue.run(() => hash(normal(password), argon2)),

    verify: async (holder, password) => {
      if (Buffer.byteLength(password) > LONGEST_PASSWORD) return false;
      const matched = await matches(holder, normal(password)).catch(asRefusal);
      if (!matched || holder === undefined) return false;
      remembered.set(memoryOf(holder, password), now() + rememberedMs);
      return true;
    },

    rememberedFor: (holder, password) => Math.max((remembered.get(memoryOf(holder, password)) ?? 0) - now(), 0),
  };
};

/** Of whom a password is to be: it must not be what everybody knows of the person. */
export type PasswordOwner = Readonly<{ username: string; email?: string | null }>;

const isOwnName = (password: string, { username, email }: PasswordOwner): boolean => {
  const names = [username, ...(email === null || email === undefined ? [] : [email, email.slice(0, email.lastIndexOf('@'))])];
  return names.some((name) => name.toLowerCase() === password.toLowerCase());
};

/** Why a password may not be taken, or undefined. */
const faultOf = (password: string, owner: PasswordOwner | undefined): string | undefined => {
  if ([...password].length < SHORTEST_PASSWORD) return `A password has at least ${SHORTEST_PASSWORD} characters.`;
  if (Buffer.byteLength(password) > LONGEST_PASSWORD) return `A password has at most ${LONGEST_PASSWORD} bytes.`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Basic authentication cannot carry them (RFC 7617, section 2).
  if (/[\x00-\x1f\x7f]/.test(password) || !password.isWellFormed()) return 'A password has no control characters.';
  if (isAccessTokenValue(password)) return 'A password must not have the form of an access token.';
  if (owner !== undefined && isOwnName(password, owner)) return 'A password must not be the username or the e-mail address.';
  if (isCommonPassword(password)) return 'This password is one of those that are guessed first. Take another one.';
  return undefined;
};

/** @throws RegistryError `REQUEST_INVALID` naming what a password must be */
export const checkPassword = (password: string, owner?: PasswordOwner, field = 'password'): void => {
  const fault = faultOf(password, owner);
  if (fault !== undefined) throw new RegistryError('REQUEST_INVALID', fault, { field });
};

// Without 0, 1, I, L and O in either case: people read it from a screen.
const ALPHABET = '23456789ABCDEFGHJKMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz';

/** 22 of 54 letters and digits that cannot be mistaken for one another: 126 bits. */
export const randomPassword = (): string => Array.from({ length: 22 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');

/** Keyboards differ in how they compose an `é`; the password is the same. */
const normal = (password: string): string => password.normalize('NFC');

/** A well-formed hash that no password is known to match, for the time that checking it takes. */
export const unmatchedHash = ({ memoryCost, timeCost, parallelism }: typeof ARGON2): string => {
  const part = (length: number): string => randomBytes(length).toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${part(16)}$${part(32)}`;
};

const asRefusal = (error: unknown): never => {
  if (error instanceof RegistryError) throw error;
  throw new RegistryError('INTERNAL', 'A password could not be checked.', {}, { cause: error });
};
