import type { Role } from '../events/users.ts';
import type { FailedLogins } from '../limits/failedLogins.ts';
import type { CallerToken } from './caller.ts';
import type { HeaderMemory } from './headerMemory.ts';
import type { Workloads } from './oidc/workloads.ts';
import type { PasswordHolder, Passwords } from './passwords.ts';
import type { Soon } from './soon.ts';
import type { Tokens } from './tokens.ts';

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
  findByUsername: (username: string) => Soon<Account | undefined>;
  findById: (userId: number) => Soon<Account | undefined>;
  /** An access token that is not revoked; it may have expired. */
  findToken: (tokenId: number) => Soon<AccessToken | undefined>;
  /** Which token has, or had, a value with this hash. */
  findOwner: (hash: string) => Soon<TokenOwner | undefined>;
}>;
export type TokenOwner = Readonly<{ tokenId: number; userId: number }>;

export type Authentication = Readonly<{
  accounts: Accounts;
  passwords: Passwords;
  tokens: Tokens;
  /** Absent: there are none. */
  workloads?: Workloads;
  /** Absent: wrong passwords have no limit. */
  failedLogins?: Pick<FailedLogins, 'refuseLocked' | 'needsNoCount' | 'check'>;
  /** Absent: every header is read anew. */
  headers?: HeaderMemory;
  /** Whether those without a login may pull what is public. */
  anonymousPull: boolean;
  /** Epoch milliseconds. */
  now?: () => number;
}>;
