import type { Attempt } from '../limits/failedLogins.ts';
import { hashOfAccessToken, isAccessTokenValue } from './accessTokenValue.ts';
import type { AccessToken, Account, Authentication, TokenOwner } from './authentication.ts';
import type { Caller, CallerToken } from './caller.ts';
import { parseAuthorization, unauthenticated, WRONG_PASSWORD } from './credentials.ts';
import type { Shown } from './headerMemory.ts';
import { type Soon, whenKnown } from './soon.ts';
import type { Claims } from './tokens.ts';
import type { From } from './wrongTokens.ts';

type User = Extract<Caller, { kind: 'user' }>;
/** What a credential adds to its user: limits, and what it ends with. */
type Limits = Readonly<{ access?: User['access'] | undefined; sessionId?: string | undefined }>;
const NO_LIMITS: Limits = {};

const NOWHERE: From = { ip: '' };

/** Told what was shown, and for how many milliseconds that may be remembered. */
type Keep = (shown: Shown, forMs: number) => void;
const keepNothing: Keep = () => undefined;

/**
 * Who sent a request, by its `Authorization` header; undefined without one. A header that was checked before costs one sha256,
 * whatever it holds, and answers at once when `accounts` does; the user, and the access token, are looked at for every request.
 * @throws RegistryError (or rejects with it) `UNAUTHENTICATED`, the same whichever part is wrong; `UNAVAILABLE` when too many logins wait;
 *   `TOO_MANY_REQUESTS` after too many wrong passwords
 */
export const authenticate = (
  authorization: string | undefined,
  authentication: Authentication,
  from: From = NOWHERE,
): Soon<Caller> | undefined => {
  if (authorization === undefined) return undefined;
  const shown = authentication.headers?.recall(authorization);
  switch (shown?.kind) {
    case undefined:
      return callerOfHeader(authorization, authentication, from);
    case 'token':
      return callerOfOwner(shown, authentication, keepNothing);
    case 'password':
      return whenKnown(
        authentication.accounts.findById(shown.userId),
        (account) =>
          rememberedCaller(account, shown, authentication, from) ?? callerOfHeader(authorization, authentication, from),
      );
  }
};

const callerOfHeader = (authorization: string, authentication: Authentication, from: From): Soon<Caller> => {
  const keep: Keep = (shown, forMs) => authentication.headers?.remember(authorization, shown, forMs);
  const credentials = parseAuthorization(authorization);
  switch (credentials.kind) {
    case 'password':
      return callerOfPassword(credentials, authentication, from, keep);
    case 'bearer':
      if (isAccessTokenValue(credentials.token)) return callerOfValue(credentials.token, authentication, keep);
      return whenKnown(authentication.tokens.verify(credentials.token), (claims) => callerOfClaims(claims, authentication));
  }
};

/** The user of a password that was right a short while ago, unless something has changed since, or it has to be counted. */
const rememberedCaller = (
  account: Account | undefined,
  { securityVersion }: Readonly<{ securityVersion: number }>,
  { failedLogins }: Authentication,
  { ip }: From,
): Caller | undefined => {
  if (account === undefined || account.suspended || account.securityVersion !== securityVersion) return undefined;
  const { username } = account;
  failedLogins?.refuseLocked({ username, ip });
  return failedLogins?.needsNoCount({ username, ip }) === false ? undefined : callerOf(account, NO_LIMITS);
};

/**
 * For logins that carry username and password in their body, and Basic. An access token in the password's place needs no
 * username that is right: clients demand that one is given. Throws as `authenticate` does.
 */
export const authenticatePassword = (
  username: string,
  password: string,
  authentication: Authentication,
  from: From = NOWHERE,
): Soon<Caller> => callerOfPassword({ username, password }, authentication, from, keepNothing);

const callerOfPassword = (
  { username, password }: Readonly<{ username: string; password: string }>,
  authentication: Authentication,
  { ip }: From,
  keep: Keep,
): Soon<Caller> => {
  // No password has this form (`checkPassword`), so this tells nobody anything about passwords.
  if (isAccessTokenValue(password)) return callerOfValue(password, authentication, keep);
  const workload = authenticateWorkload(password, authentication);
  if (workload !== undefined) return workload;
  const { accounts, passwords, failedLogins } = authentication;
  failedLogins?.refuseLocked({ username, ip });
  return whenKnown(accounts.findByUsername(username.toLowerCase()), (found) => {
    // A suspended user is treated like an unknown one all the way, and so takes the same time.
    const account = found?.suspended === false ? found : undefined;
    const remembered = account !== undefined && passwords.rememberedFor(account, password) > 0;
    if (remembered && failedLogins?.needsNoCount({ username, ip }) !== false)
      return callerOfChecked(account, password, authentication, keep);
    return whenKnown(checkPassword(account, { username, password, ip }, authentication, remembered), (checked) =>
      callerOfChecked(checked, password, authentication, keep),
    );
  });
};

const callerOfChecked = (account: Account, password: string, { passwords }: Authentication, keep: Keep): Caller => {
  const { userId, securityVersion } = account;
  keep({ kind: 'password', userId, securityVersion }, passwords.rememberedFor(account, password));
  return callerOf(account, NO_LIMITS);
};

/** Who holds a refresh token, for `grant_type=refresh_token`. Throws as `authenticate` does. */
export const authenticateRefresh = async (token: string, authentication: Authentication): Promise<Caller> =>
  callerOfClaims(await authentication.tokens.verifyRefresh(token), authentication);

const checkPassword = async (
  account: Account | undefined,
  attempt: Attempt,
  { passwords, failedLogins }: Authentication,
  remembered: boolean,
): Promise<Account> => {
  const verify = async () => remembered || passwords.verify(account, attempt.password);
  const matched = await (failedLogins?.check(attempt, verify) ?? verify());
  if (!matched || account === undefined) throw unauthenticated(WRONG_PASSWORD);
  return account;
};

const callerOfValue = (value: string, authentication: Authentication, keep: Keep): Soon<Caller> =>
  whenKnown(authentication.accounts.findOwner(hashOfAccessToken(value)), (owner) => {
    if (owner === undefined) throw unauthenticated();
    return callerOfOwner(owner, authentication, keep);
  });

const callerOfOwner = (owner: TokenOwner, authentication: Authentication, keep: Keep): Soon<Caller> =>
  withToken(owner, authentication, (account, token) => {
    keep({ kind: 'token', tokenId: owner.tokenId, userId: owner.userId }, Number.POSITIVE_INFINITY);
    return callerOf(account, NO_LIMITS, token);
  });

const callerOfClaims = (claims: Claims, authentication: Authentication): Soon<Caller> => {
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
  return callerOf(account, { access, sessionId }, token);
};

/** Looks both up at the same time. An access token that is revoked or has expired is none, and so is one of a user who may not log in. */
const withToken = (
  { tokenId, userId }: TokenOwner,
  { accounts, now = Date.now }: Authentication,
  use: (account: Account, token: AccessToken) => Caller,
): Soon<Caller> => {
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

// Written field by field: to spread the limits took as long as all else here.
const callerOf = (
  { userId, username, role, securityVersion }: Account,
  { access, sessionId }: Limits,
  token?: AccessToken,
): Caller => {
  const caller: { -readonly [K in keyof User]: User[K] } = { kind: 'user', userId, username, role, securityVersion };
  if (access !== undefined) caller.access = access;
  if (sessionId !== undefined) caller.sessionId = sessionId;
  if (token !== undefined) caller.token = limitsOf(token);
  return caller;
};

const limitsOf = ({ tokenId, permissions, repositories, expiresAt }: AccessToken): CallerToken => ({
  tokenId,
  permissions,
  repositories,
  expiresAt,
});
