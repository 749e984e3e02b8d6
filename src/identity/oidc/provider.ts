import type { Role } from '../../events/users.ts';

/** Claims and what they may be: each must match, one of its globs. */
export type Match = Readonly<Record<string, readonly string[]>>;

export type WorkloadAction = 'pull' | 'push' | 'delete';

/** What workloads may do whose claims match. */
export type WorkloadRule = Readonly<{
  match: Match;
  /** Exact names or `prefix/*`. */
  repositories: readonly string[];
  actions: readonly WorkloadAction[];
  /** Longest life of a token. */
  maxSeconds: number;
}>;

/** How people log in at a provider. */
export type PeopleOptions = Readonly<{
  clientId: string;
  /** Absent: a public client. */
  clientSecret?: string;
  scopes: readonly string[];
  /** The claim with the username. */
  usernameClaim: string;
  /** The first that matches. */
  roles: readonly Readonly<{ match: Match; role: Role }>[];
  /** Where none does; null: such people are not let in. */
  defaultRole: Role | null;
}>;

/** Who says who somebody is: an issuer of ID tokens. */
export type Provider = Readonly<{
  /** In the names of its workloads and in paths. */
  name: string;
  /** The `iss` claim, and where discovery begins. */
  issuer: string;
  /** The `aud` claim of workloads: one of these. */
  audiences: readonly string[];
  /** Where its keys are; absent: where discovery says. */
  keys?: Readonly<{ url: string } | { file: string }>;
  /** How old a token may be, by its `iat`. */
  maxAgeSeconds: number;
  workloads: readonly WorkloadRule[];
  people?: PeopleOptions;
}>;

/** Longest life of a token that was exchanged for an ID token. */
export const LONGEST_WORKLOAD_SECONDS = 15 * 60;
