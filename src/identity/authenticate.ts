import type { Role } from '../events/users.ts';
import type { Caller } from './caller.ts';
import { parseAuthorization, unauthenticated } from './credentials.ts';
import type { PasswordHolder, Passwords } from './passwords.ts';
import type { Scope } from './scopes.ts';
import type { Claims, Tokens } from './tokens.ts';

/** What is known of a user when credentials are checked. The security version goes up whenever what was issued before must end. */
export type Account = PasswordHolder & Readonly<{ username: string; role: Role; suspended: boolean }>;

/** At once where the documents are in memory, so that a pull need not wait a turn of the event loop. */
export type Accounts = Readonly<{
  /** @param username in lower case */
  findByUsername: (username: string) => Account | undefined | Promise<Account | undefined>;
  findById: (userId: number) => Account | undefined | Promise<Account | undefined>;
}>;

export type Authentication = Readonly<{
  accounts: Accounts;
  passwords: Passwords;
  tokens: Tokens;
  /** Whether those without a login may pull what is public. */
  anonymousPull: boolean;
}>;

/**
 * Who sent a request, by its `Authorization` header; undefined without one. A bearer token that was verified before costs
 * one sha256, and answers at once when `accounts` does.
 * @throws RegistryError (or rejects with it) `UNAUTHENTICATED`, the same whichever part is wrong; `UNAVAILABLE` when too many logins wait
 */
export const authenticate = (
  authorization: string | undefined,
  authentication: Authentication,
): Caller | undefined | Promise<Caller> => {
  if (authorization === undefined) return undefined;
  const credentials = parseAuthorization(authorization);
  switch (credentials.kind) {
    case 'password':
      return authenticatePassword(credentials.username, credentials.password, authentication);
    case 'bearer':
      return whenKnown(authentication.tokens.verify(credentials.token), (claims) => callerOfClaims(claims, authentication));
  }
};

/** For logins that carry username and password in their body, and Basic. Throws as `authenticate` does. */
export const authenticatePassword = (
  username: string,
  password: string,
  { accounts, passwords }: Authentication,
): Caller | Promise<Caller> =>
  whenKnown(accounts.findByUsername(username.toLowerCase()), (found) => {
    // A suspended user is treated like an unknown one all the way, and so takes the same time.
    const account = found?.suspended === false ? found : undefined;
    if (account !== undefined && passwords.remembers(account, password)) return callerOf(account);
    return checkPassword(account, password, passwords);
  });

/** Who holds a refresh token, for `grant_type=refresh_token`. Throws as `authenticate` does. */
export const authenticateRefresh = async (token: string, authentication: Authentication): Promise<Caller> =>
  callerOfClaims(await authentication.tokens.verifyRefresh(token), authentication);

const checkPassword = async (account: Account | undefined, password: string, passwords: Passwords): Promise<Caller> => {
  const matched = await passwords.verify(account, password);
  if (!matched || account === undefined) throw unauthenticated();
  return callerOf(account);
};

const callerOfClaims = (claims: Claims, { accounts, anonymousPull }: Authentication): Caller | Promise<Caller> => {
  const { userId, securityVersion, access } = claims;
  if (userId === null) return { kind: 'anonymous', pullsPublic: anonymousPull, access: access ?? [] };
  return whenKnown(accounts.findById(userId), (account) => {
    if (account === undefined || account.suspended || account.securityVersion !== securityVersion) throw unauthenticated();
    return callerOf(account, access);
  });
};

const callerOf = ({ userId, username, role, securityVersion }: Account, access?: readonly Scope[]): Caller =>
  access === undefined
    ? { kind: 'user', userId, username, role, securityVersion }
    : { kind: 'user', userId, username, role, securityVersion, access };

/** Goes on at once with what is there, and later with what is promised. */
const whenKnown = <T, U>(value: T | Promise<T>, use: (value: T) => U | Promise<U>): U | Promise<U> =>
  value instanceof Promise ? value.then(use) : use(value);
