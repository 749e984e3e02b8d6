import type { Permission } from '../events/accessTokens.ts';
import type { Role } from '../events/users.ts';
import type { Scope } from './scopes.ts';

/** The access token that a request was sent with, or whose login it was sent with: what its owner may do is cut down to this. */
export type CallerToken = Readonly<{
  tokenId: number;
  permissions: readonly Permission[];
  /** Exact names or `prefix/*`; none: every repository. */
  repositories: readonly string[];
  /** ISO 8601; null: never. */
  expiresAt: string | null;
}>;

/** Who asks. `access` is what the credential was limited to, when it was a scoped token. */
export type Caller =
  | Readonly<{
      kind: 'user';
      userId: number;
      username: string;
      role: Role;
      /** For the tokens that are issued to this caller. */
      securityVersion: number;
      access?: readonly Scope[];
      token?: CallerToken;
      /** The login of a person that the request belongs to: what is issued in it ends with it. */
      sessionId?: string;
    }>
  | Readonly<{
      kind: 'anonymous';
      /** Whether those without a login may pull what is public. Absent: no. */
      pullsPublic?: boolean;
      access?: readonly Scope[];
    }>
  /** A job or service that showed an ID token of a configured provider. */
  | Readonly<{
      kind: 'workload';
      /** `<provider>:<subject>` */
      id: string;
      /** What the provider's rules let it do. Names are exact or `prefix/*`. */
      grants: readonly Scope[];
      /** When what is issued to it ends at the latest, in epoch milliseconds. */
      until: number;
      access?: readonly Scope[];
    }>
  /** Everyone, where authentication is off. */
  | Readonly<{ kind: 'operator' }>;
