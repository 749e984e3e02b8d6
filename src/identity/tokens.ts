import { hash } from 'node:crypto';
import { decodeJwt, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { RegistryError } from '../errors.ts';
import { LONGEST_AUTHORIZATION, unauthenticated } from './credentials.ts';
import type { Scope } from './scopes.ts';
import type { SigningKeys } from './signingKeys.ts';

/** What a token is for: docker's token protocol, a login through the API, or getting further tokens. */
export type TokenUse = 'registry' | 'session' | 'refresh';

export type Grant = Readonly<{
  use: TokenUse;
  /** null for an anonymous caller. */
  userId: number | null;
  /** The user's, when the token was issued: a token ends when the user's moves on. */
  securityVersion: number;
  /** What a `registry` token is limited to. Others have none, and are limited by their user alone. */
  access?: readonly Scope[];
  /** The access token (`ghd_…`) that it was made from: it ends with that one, and is limited as that one is. */
  accessTokenId?: number;
  /** The session that it was issued in: it ends with that one. A `session` is one by its own `tokenId`. */
  sessionId?: string;
  /** Of a `registry` token: the workload that it was issued to, and what its provider's rules let it do. */
  workload?: Readonly<{ id: string; grants: readonly Scope[] }>;
}>;

/** What a verified token says. Times are epoch milliseconds. */
export type Claims = Grant & Readonly<{ tokenId: string; issuedAt: number; expiresAt: number }>;

export type IssuedToken = Readonly<{ token: string; issuedAt: number; expiresAt: number; expiresInSeconds: number }>;

export type Tokens = Readonly<{
  /** @param notAfter epoch milliseconds when it ends at the latest */
  issue: (grant: Grant, notAfter?: number) => Promise<IssuedToken>;
  /** A `registry` or `session` token. At once when it was verified before. Rejects with RegistryError `UNAUTHENTICATED`. */
  verify: (token: string) => Claims | Promise<Claims>;
  /** Whether a text says of itself that it is a token of this registry. */
  seemsOurs: (text: string) => boolean;
  /** A `refresh` token, which is no bearer token. @throws RegistryError `UNAUTHENTICATED` */
  verifyRefresh: (token: string) => Promise<Claims>;
  /** Takes in signing keys that were added or removed, and forgets what was verified. */
  reloadKeys: () => Promise<void>;
}>;

export type TokenOptions = Readonly<{
  keys: SigningKeys;
  /** The `iss` and `aud` claims. A token of another issuer or for another service is refused. */
  issuer: string;
  service: string;
  newId: () => string;
  /** Epoch milliseconds. */
  now?: () => number;
  lifetimeSeconds?: Partial<Record<TokenUse, number>>;
  /** Most verified tokens held in memory. */
  remembered?: number;
}>;

const ALGORITHM = 'HS256';
const LIFETIME_SECONDS: Readonly<Record<TokenUse, number>> = { registry: 30 * 60, session: 12 * 3600, refresh: 30 * 86_400 };

/** The longest that a token lives, in milliseconds. */
export const LONGEST_LIFETIME = Math.max(...Object.values(LIFETIME_SECONDS)) * 1000;

/** How far the clocks of nodes may be apart. */
const LEEWAY_SECONDS = 30;

const ANONYMOUS = 'anonymous';

/** Signed bearer tokens (RFC 7519) of docker's token protocol. They save the password check, never the check of revocation. */
export const tokens = (options: TokenOptions): Tokens => {
  const { keys, issuer, service, newId } = options;
  const now = options.now ?? Date.now;
  const lifetimes = { ...LIFETIME_SECONDS, ...options.lifetimeSeconds };
  // By sha256: the memory of a process need not hold tokens that work.
  const verified = new LRUCache<string, Claims>({ max: options.remembered ?? 10_000 });

  const read = async (token: string): Promise<Claims> => {
    if (token.length > LONGEST_AUTHORIZATION) throw unauthenticated();
    try {
      const { payload } = await jwtVerify(token, ({ kid }) => signingKey(keys, kid), {
        algorithms: [ALGORITHM],
        typ: 'JWT',
        issuer,
        audience: service,
        clockTolerance: LEEWAY_SECONDS,
        currentDate: new Date(now()),
        requiredClaims: ['iat', 'nbf', 'exp'],
      });
      return claimsOf(payload);
    } catch (error) {
      throw error instanceof RegistryError ? error : unauthenticated(error);
    }
  };

  const readBearer = async (token: string, digest: string): Promise<Claims> => {
    const claims = await read(token);
    if (claims.use === 'refresh') throw unauthenticated();
    verified.set(digest, claims);
    return claims;
  };

  return {
    issue: async ({ use, userId, securityVersion, access, accessTokenId, sessionId, workload }, notAfter = Infinity) => {
      const { keyId, key } = keys.newest();
      const issuedAt = Math.floor(now() / 1000);
      const expiresAt = Math.min(issuedAt + lifetimes[use], Math.floor(notAfter / 1000));
      const token = await new SignJWT({ sv: securityVersion, use, access, pat: accessTokenId, sid: sessionId, wl: workload })
        .setProtectedHeader({ alg: ALGORITHM, kid: keyId, typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(service)
        .setSubject(userId === null ? ANONYMOUS : String(userId))
        .setJti(newId())
        .setIssuedAt(issuedAt)
        .setNotBefore(issuedAt)
        .setExpirationTime(expiresAt)
        .sign(key);
      return { token, issuedAt: issuedAt * 1000, expiresAt: expiresAt * 1000, expiresInSeconds: expiresAt - issuedAt };
    },

    verify: (token) => {
      const digest = hash('sha256', token, 'base64');
      const claims = verified.get(digest);
      if (claims !== undefined && now() < claims.expiresAt + LEEWAY_SECONDS * 1000) return claims;
      return readBearer(token, digest);
    },

    seemsOurs: (text) => {
      try {
        return decodeJwt(text).iss === issuer;
      } catch {
        return false;
      }
    },

    verifyRefresh: async (token) => {
      const claims = await read(token);
      if (claims.use !== 'refresh') throw unauthenticated();
      return claims;
    },

    reloadKeys: async () => {
      await keys.reload();
      verified.clear();
    },
  };
};

const signingKey = async (keys: SigningKeys, keyId: string | undefined) => {
  const found = keyId === undefined ? undefined : await keys.find(keyId);
  if (found === undefined) throw unauthenticated();
  return found.key;
};

/** The signature says that we wrote it; an older or newer release may have written it otherwise. */
const claimsOf = ({ sub, jti, iat, exp, sv, use, access, pat, sid, wl }: JWTPayload): Claims => {
  const userId = sub === ANONYMOUS ? null : Number(sub);
  const sound =
    (userId === null || (Number.isSafeInteger(userId) && userId > 0)) &&
    typeof jti === 'string' &&
    Number.isSafeInteger(sv) &&
    isUse(use) &&
    (use === 'registry' ? isAccess(access) : access === undefined) &&
    (pat === undefined || Number.isSafeInteger(pat)) &&
    (sid === undefined || typeof sid === 'string') &&
    (wl === undefined || (isWorkload(wl) && userId === null && use === 'registry'));
  if (!sound) throw unauthenticated();
  const times = { issuedAt: (iat ?? 0) * 1000, expiresAt: (exp ?? 0) * 1000 };
  return {
    tokenId: jti,
    use,
    userId,
    securityVersion: sv as number,
    ...(isAccess(access) && { access }),
    ...(pat !== undefined && { accessTokenId: pat as number }),
    ...(sid !== undefined && { sessionId: sid }),
    ...(wl !== undefined && { workload: wl }),
    ...times,
  };
};

const isUse = (value: unknown): value is TokenUse => value === 'registry' || value === 'session' || value === 'refresh';

const isAccess = (value: unknown): value is readonly Scope[] => Array.isArray(value) && value.every(isScope);

const isWorkload = (value: unknown): value is Grant['workload'] => {
  const { id, grants } = (value ?? {}) as Partial<NonNullable<Grant['workload']>>;
  return typeof id === 'string' && isAccess(grants);
};

const isScope = (value: Partial<Scope> | null): boolean =>
  typeof value?.type === 'string' &&
  typeof value.name === 'string' &&
  Array.isArray(value.actions) &&
  value.actions.every((action) => typeof action === 'string');
