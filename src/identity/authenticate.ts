import type { Role } from '../events/users.ts';
import type { Attempt, FailedLogins } from '../limits/failedLogins.ts';
import { hashOfAccessToken, isAccessTokenValue } from './accessTokenValue.ts';
import type { Caller, CallerToken } from './caller.ts';
import { parseAuthorization, unauthenticated, WRONG_PASSWORD } from './credentials.ts';
import type { Workloads } from './oidc/workloads.ts';
import type { PasswordHolder, Passwords } from './passwords.ts';
import type { Claims, Tokens } from './tokens.ts';
import type { From } from './wrongTokens.ts';

/** What is known of a user when credentials are checked. The security version goes up whenever what was issued before must end. */
export type Account = PasswordHolder &
  Readonly<{
    username: string;
    role: Role;
    suspended: boolean;
    /** Sessions that ended before their time. */
    endedSessions: readonly Readonly<{ sessionId: string }>[];
  }>;

export type AccessToken = CallerToken & Readonly<{ userId: number }>;

/** At once where the documents are in memory, so that a pull need not wait a turn of the event loop. */
export type Accounts = Readonly<{
  /** @param username in lower case */
  findByUsername: (username: string) => Account | undefined | Promise<Account | undefined>;
  findById: (userId: number) => Account | undefined | Promise<Account | undefined>;
  /** An access token that is not revoked; it may have expired. */
  findToken: (tokenId: number) => AccessToken | undefined | Promise<AccessToken | undefined>;
  /** Which token has, or had, a value with this hash. */
  findOwner: (hash: string) => TokenOwner | undefined | Promise<TokenOwner | undefined>;
}>;
type TokenOwner = Readonly<{ tokenId: number; userId: number }>;

export type Authentication = Readonly<{
  accounts: Accounts;
  passwords: Passwords;
  tokens: Tokens;
  /** Absent: there are none. */
  workloads?: Workloads;
  /** Absent: wrong passwords have no limit. */
  failedLogins?: Pick<FailedLogins, 'refuseLocked' | 'needsNoCount' | 'check'>;
  /** Whether those without a login may pull what is public. */
  anonymousPull: boolean;
  /** Epoch milliseconds. */
  now?: () => number;
}>;

/** What a credential adds to its user: limits, and what it ends with. */
type Limits = Pick<Extract<Caller, { kind: 'user' }>, 'access' | 'sessionId'>;
const NO_LIMITS: Limits = {};

const NOWHERE: From = { ip: '' };

/**
 * Who sent a request, by its `Authorization` header; undefined without one. A bearer token that was verified before costs
 * one sha256, as an access token does, and answers at once when `accounts` does.
 * @throws RegistryError (or rejects with it) `UNAUTHENTICATED`, the same whichever part is wrong; `UNAVAILABLE` when too many logins wait;
 *   `TOO_MANY_REQUESTS` after too many wrong passwords
 */
export const authenticate = (
  authorization: string | undefined,
  authentication: Authentication,
  from: From = NOWHERE,
): Caller | undefined | Promise<Caller> => {
  if (authorization === undefined) return undefined;
  const credentials = parseAuthorization(authorization);
  switch (credentials.kind) {
    case 'password':
      return authenticatePassword(credentials.username, credentials.password, authentication, from);
    case 'bearer':
      if (isAccessTokenValue(credentials.token)) return callerOfValue(credentials.token, authentication);
      return whenKnown(authentication.tokens.verify(credentials.token), (claims) => callerOfClaims(claims, authentication));
  }
};

/**
 * For logins that carry username and password in their body, and Basic. An access token in the password's place needs no
 * username that is right: clients demand that one is given. Throws as `authenticate` does.
 */
export const authenticatePassword = (
  username: string,
  password: string,
  authentication: Authentication,
  { ip }: From = NOWHERE,
): Caller | Promise<Caller> => {
  // No password has this form (`checkPassword`), so this tells nobody anything about passwords.
  if (isAccessTokenValue(password)) return callerOfValue(password, authentication);
  const workload = authenticateWorkload(password, authentication);
  if (workload !== undefined) return workload;
  const { accounts, passwords, failedLogins } = authentication;
  failedLogins?.refuseLocked({ username, ip });
  return whenKnown(accounts.findByUsername(username.toLowerCase()), (found) => {
    // A suspended user is treated like an unknown one all the way, and so takes the same time.
    const account = found?.suspended === false ? found : undefined;
    const remembered = account !== undefined && passwords.remembers(account, password);
    if (remembered && failedLogins?.needsNoCount({ username, ip }) !== false) return callerOf(account, NO_LIMITS);
    return checkPassword(account, { username, password, ip }, authentication, remembered);
  });
};

/** Who holds a refresh token, for `grant_type=refresh_token`. Throws as `authenticate` does. */
export const authenticateRefresh = async (token: string, authentication: Authentication): Promise<Caller> =>
  callerOfClaims(await authentication.tokens.verifyRefresh(token), authentication);

const checkPassword = async (
  account: Account | undefined,
  attempt: Attempt,
  { passwords, failedLogins }: Authentication,
  remembered: boolean,
): Promise<Caller> => {
  const verify = async () => remembered || passwords.verify(account, attempt.password);
  const matched = await (failedLogins?.check(attempt, verify) ?? verify());
  if (!matched || account === undefined) throw unauthenticated(WRONG_PASSWORD);
  return callerOf(account, NO_LIMITS);
};

const callerOfValue = (value: string, authentication: Authentication): Caller | Promise<Caller> =>
  whenKnown(authentication.accounts.findOwner(hashOfAccessToken(value)), (owner) => {
    if (owner === undefined) throw unauthenticated();
    return withToken(owner, authentication, (account, token) => callerOf(account, NO_LIMITS, token));
  });

const callerOfClaims = (claims: Claims, authentication: Authentication): Caller | Promise<Caller> => {
  const { userId, access, accessTokenId } = claims;
  const { accounts, anonymousPull } = authentication;
  if (claims.workload !== undefined) return workloadOfClaims(claims, claims.workload, authentication);
  if (userId === null) return { kind: 'anonymous', pullsPublic: anonymousPull, access: access ?? [] };
  if (accessTokenId === undefined)
    return whenKnown(accounts.findById(userId), (account) => callerOfAccount(account, claims, undefined));
  return withToken({ tokenId: accessTokenId, userId }, authentication, (account, token) =>
    callerOfAccount(account, claims, token),
  );
};

/**
 * Docker's clients know usernames and passwords: a workload's go in the password's place, with any username, be it the ID token itself
 * or what it was exchanged for. Undefined for what has the form of neither, which is a password.
 */
const authenticateWorkload = (password: string, authentication: Authentication): Promise<Caller> | undefined => {
  const { workloads, tokens } = authentication;
  if (workloads === undefined || !password.startsWith('eyJ')) return undefined;
  if (workloads.seemsOurs(password)) return workloads.authenticate(password);
  return tokens.seemsOurs(password) ? workloadOfToken(password, authentication) : undefined;
};

const workloadOfToken = async (token: string, authentication: Authentication): Promise<Caller> => {
  const claims = await authentication.tokens.verify(token);
  if (claims.workload === undefined) throw unauthenticated();
  return workloadOfClaims(claims, claims.workload, authentication);
};

/** A provider that was taken out of the configuration takes what it vouched for with it. */
const workloadOfClaims = (
  { access, expiresAt }: Claims,
  { id, grants }: NonNullable<Claims['workload']>,
  { workloads }: Authentication,
): Caller => {
  if (!workloads?.knows(id)) throw unauthenticated();
  return { kind: 'workload', id, grants, until: expiresAt, ...(access && { access }) };
};

/** The user of a bearer token, unless it has ended since it was issued. */
const callerOfAccount = (account: Account | undefined, claims: Claims, token: AccessToken | undefined): Caller => {
  const { securityVersion, use, tokenId, access } = claims;
  if (account === undefined || account.suspended || account.securityVersion !== securityVersion) throw unauthenticated();
  const sessionId = use === 'session' ? tokenId : claims.sessionId;
  if (sessionId !== undefined && account.endedSessions.some((ended) => ended.sessionId === sessionId)) throw unauthenticated();
  return callerOf(account, { ...(access && { access }), ...(sessionId !== undefined && { sessionId }) }, token);
};

/** Looks both up at the same time. An access token that is revoked or has expired is none, and so is one of a user who may not log in. */
const withToken = (
  { tokenId, userId }: TokenOwner,
  { accounts, now = Date.now }: Authentication,
  use: (account: Account, token: AccessToken) => Caller,
): Caller | Promise<Caller> => {
  const account = accounts.findById(userId);
  const token = accounts.findToken(tokenId);
  const together = (owner: Account | undefined, found: AccessToken | undefined): Caller => {
    const live = found?.userId === userId && (found.expiresAt === null || now() < Date.parse(found.expiresAt));
    if (!live || owner === undefined || owner.suspended) throw unauthenticated();
    return use(owner, found);
  };
  if (account instanceof Promise || token instanceof Promise)
    return Promise.all([account, token]).then(([owner, found]) => together(owner, found));
  return together(account, token);
};

const callerOf = ({ userId, username, role, securityVersion }: Account, limits: Limits, token?: AccessToken): Caller =>
  token === undefined
    ? { kind: 'user', userId, username, role, securityVersion, ...limits }
    : { kind: 'user', userId, username, role, securityVersion, ...limits, token: limitsOf(token) };

const limitsOf = ({ tokenId, permissions, repositories, expiresAt }: AccessToken): CallerToken => ({
  tokenId,
  permissions,
  repositories,
  expiresAt,
});

/** Goes on at once with what is there, and later with what is promised. */
const whenKnown = <T, U>(value: T | Promise<T>, use: (value: T) => U | Promise<U>): U | Promise<U> =>
  value instanceof Promise ? value.then(use) : use(value);
