import type { Role } from '../events/users.ts';
import type { Scope } from './scopes.ts';

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
    }>
  | Readonly<{
      kind: 'anonymous';
      /** Whether those without a login may pull what is public. Absent: no. */
      pullsPublic?: boolean;
      access?: readonly Scope[];
    }>
  /** Everyone, where authentication is off. */
  | Readonly<{ kind: 'operator' }>;
