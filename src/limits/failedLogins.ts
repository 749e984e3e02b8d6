import { createHmac, createSecretKey, hash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { RegistryError } from '../errors.ts';
import { addressKey, LONGEST_ADDRESS } from './address.ts';
import type { Limiter, Limiters, Spent } from './limiter.ts';

/** How many wrong passwords there may be within the window; 0: any number. */
export type FailedLoginRates = Readonly<{
  /** Of one user from one address. */
  perUserAndAddress: number;
  /** From one address, whoever they are of. */
  perAddress: number;
  /** Of one user, from all addresses that the user never logged in from. */
  perUser: number;
  /** Minutes of the window, and of the lock of what has gone over. */
  minutes: number;
}>;

export type Attempt = Readonly<{ username: string; ip: string; password: string }>;

/** Puts an end to guessing. Refuses with `TOO_MANY_REQUESTS`, in the same words whether the user exists or not. */
export type FailedLogins = Readonly<{
  /** At once: throws where this node knows that the attempt will be refused. */
  refuseLocked: (attempt: Pick<Attempt, 'username' | 'ip'>) => void;
  /**
   * Whether a password that this node remembers may be let in without `check`. Only where the user is known to this node: from any other
   * address it has to be counted like a wrong one, or it would be told from those while the user is locked there.
   */
  needsNoCount: (attempt: Pick<Attempt, 'username' | 'ip'>) => boolean;
  /**
   * Whether the password is right, by `check`, which is not asked while there is a lock, and once where the same attempt is made several
   * times at once.
   */
  check: (attempt: Attempt, check: () => Promise<boolean>) => Promise<boolean>;
  /** Counts a token that is none. Rejects when there were too many: the tokens that are good go on from there all the same. */
  wrongToken: (ip: string) => Promise<void>;
}>;

const MINUTE = 60;
/** How long a user is locked for addresses that are not known, at most: others can bring it about. */
const LONGEST_USER_LOCK = 5 * MINUTE;
/** How long an address stays one that a user is known at. */
const KNOWN_FOR = 14 * 24 * 3600;
/** Wrong tokens are not guesses, which nobody could make: a client that does not notice that its token has ended may be one of many. */
const TOKENS_TO_PASSWORDS = 10;
/** Most locks that a node remembers by itself. */
const MOST_LOCKS = 10_000;
/** Most users at an address that a node knows by itself: of others it asks the counts of all nodes. */
const MOST_KNOWN = 50_000;

const refusal = (endsInMs: number): RegistryError => {
  const retryAfter = Math.max(Math.ceil(endsInMs / 1000), 1);
  return new RegistryError('TOO_MANY_REQUESTS', `Too many failed logins. Try again in ${retryAfter} seconds.`, { retryAfter });
};

/** Of what people type as a username, and mistype, nothing is kept that one could read. */
const userKey = (username: string): string => hash('sha256', username.toLowerCase(), 'base64url');

/**
 * Counts an attempt before the password is looked at, and takes it back when the password was right: however many attempts come at
 * once, no more than are allowed get that far.
 * @param now a clock in milliseconds that never goes back
 */
export const failedLogins = (
  limiters: Limiters,
  { perUserAndAddress, perAddress, perUser, minutes }: FailedLoginRates,
  now: () => number = () => performance.now(),
): FailedLogins => {
  const windowSeconds = minutes * MINUTE;
  const limiter = (name: string, most: number, lockSeconds = windowSeconds) =>
    most === 0 ? undefined : limiters({ name: `login-${name}`, most, windowSeconds, lockSeconds });
  const ofPair = limiter('pair', perUserAndAddress);
  const ofAddress = limiter('address', perAddress);
  const ofUser = limiter('user', perUser, Math.min(windowSeconds, LONGEST_USER_LOCK));
  const ofTokens = limiter('token', perAddress * TOKENS_TO_PASSWORDS);
  const known = limiters({ name: 'login-known', most: 1, windowSeconds: KNOWN_FOR });

  // What the counts have said, so that a locked attempt costs neither a look into a store of all nodes nor a password check. It is asked
  // first: else a password that this node remembers would tell the right guess from the wrong ones.
  const locks = new LRUCache<string, number>({ max: MOST_LOCKS });
  // Whom this node has seen where with a right password, and until when that counts.
  const knownHere = new LRUCache<string, number>({ max: MOST_KNOWN });
  const guessKey = createSecretKey(randomBytes(32));
  const underWay = new Map<string, Promise<boolean>>();

  const keysOf = ({ username, ip }: Pick<Attempt, 'username' | 'ip'>) => {
    const [address, user] = [addressKey(ip), userKey(username)];
    return { address, user, pair: `${user}|${address}` };
  };

  // In plain text, as the accounts are: what was mistyped gets no place. For each request of a remembered password: the keys of the counts
  // would take longer than all the rest of it.
  const placeOf = ({ username, ip }: Pick<Attempt, 'username' | 'ip'>): string =>
    `${username.toLowerCase()}|${ip.slice(0, LONGEST_ADDRESS)}`;

  const lock = (key: string, { endsInMs }: Spent): void => {
    locks.set(key, now() + endsInMs);
  };

  const lockAndRefuse = (key: string, spent: Spent): never => {
    lock(key, spent);
    throw refusal(spent.endsInMs);
  };

  /** The last wrong password locks, and not the first one after it: that might be the right one, which this node remembers. */
  const lockIfLast = async (key: string, limits: Limiter | undefined, spent: Spent | undefined): Promise<void> => {
    if (spent?.remaining !== 0 || limits === undefined) return;
    const over = await limits.spend(key);
    if (!over.allowed) lock(key, over);
  };

  const refuse = (key: string): void => {
    const until = locks.get(key);
    if (until === undefined) return;
    if (until > now()) throw refusal(until - now());
    locks.delete(key);
  };

  const checkCounted = async (attempt: Attempt, check: () => Promise<boolean>): Promise<boolean> => {
    const { address, user, pair } = keysOf(attempt);
    const back: (() => Promise<void>)[] = [];
    const pairNow = await ofPair?.spend(pair);
    if (pairNow?.allowed === false) lockAndRefuse(pair, pairNow);
    const addressNow = await ofAddress?.spend(address);
    if (addressNow?.allowed === false) lockAndRefuse(address, addressNow);
    if (ofAddress !== undefined) back.push(() => ofAddress.giveBack(address));
    if (ofUser !== undefined && !(await known.knows(pair))) {
      const userNow = await ofUser.spend(user);
      if (!userNow.allowed) throw refusal(userNow.endsInMs);
      back.push(() => ofUser.giveBack(user));
    }
    const matched = await check().catch(async (error: unknown) => {
      await Promise.all([...back, async () => ofPair?.giveBack(pair)].map((giveBack) => giveBack()));
      throw error;
    });
    if (!matched) {
      await lockIfLast(pair, ofPair, pairNow);
      await lockIfLast(address, ofAddress, addressNow);
      return false;
    }
    await Promise.all([...back, async () => ofPair?.forget(pair), () => known.spend(pair)].map((settle) => settle()));
    knownHere.set(placeOf(attempt), now() + KNOWN_FOR * 1000);
    return true;
  };

  const refuseLocked: FailedLogins['refuseLocked'] = (attempt) => {
    if (locks.size === 0) return;
    const { address, pair } = keysOf(attempt);
    refuse(pair);
    refuse(address);
  };

  return {
    refuseLocked,

    needsNoCount: (attempt) => {
      if (ofUser === undefined) return true;
      const until = knownHere.get(placeOf(attempt));
      return until !== undefined && now() < until;
    },

    check: (attempt, check) => {
      const { username, ip, password } = attempt;
      // Clients send the same login for many layers at once: that is one attempt, right or wrong.
      const guess = createHmac('sha256', guessKey)
        .update(JSON.stringify([username, ip, password]))
        .digest('base64');
      const same = underWay.get(guess);
      if (same !== undefined) return same;
      const checking = checkCounted(attempt, check).finally(() => underWay.delete(guess));
      underWay.set(guess, checking);
      return checking;
    },

    wrongToken: async (ip) => {
      const spent = await ofTokens?.spend(addressKey(ip));
      if (spent?.allowed === false) throw refusal(spent.endsInMs);
    },
  };
};
