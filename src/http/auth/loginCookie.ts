import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { LoginChecks } from '../../identity/oidc/people.ts';
import { lock, unlock } from '../../secrets/aead.ts';

/** A login under way. */
export type PendingLogin = LoginChecks & Readonly<{ provider: string; redirectUri: string; returnTo: string; expiresAt: number }>;

/** How long people may take at the provider, in seconds. */
export const LOGIN_SECONDS = 600;

const BOUND = 'oidc login';

/** Logins that were finished on this node, so that none is twice. Providers see to it as well, on all nodes: a code works once. */
const MOST_FINISHED = 10_000;

/** A pending login in a form that nobody can read or make up, for the browser to keep. */
export const loginCookies = (key: KeyObject, now: () => number = Date.now) => {
  const finished = new LRUCache<string, true>({ max: MOST_FINISHED, ttl: LOGIN_SECONDS * 1000 });
  return {
    seal: (login: Omit<PendingLogin, 'expiresAt'>): string => {
      const pending: PendingLogin = { ...login, expiresAt: now() + LOGIN_SECONDS * 1000 };
      return lock(key, Buffer.from(JSON.stringify(pending)), BOUND).toString('base64url');
    },
    /** @returns undefined for what is none, is over, or was opened before */
    open: (sealed: string): PendingLogin | undefined => {
      const bytes = unlock(key, Buffer.from(sealed, 'base64url'), BOUND);
      if (bytes === undefined) return undefined;
      const pending = JSON.parse(bytes.toString()) as PendingLogin;
      if (pending.expiresAt <= now() || finished.has(pending.state)) return undefined;
      finished.set(pending.state, true);
      return pending;
    },
  };
};
