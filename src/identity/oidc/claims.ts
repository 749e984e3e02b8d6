import type { Scope } from '../scopes.ts';
import { globMatches } from './glob.ts';
import { LONGEST_WORKLOAD_SECONDS, type Match, type WorkloadRule } from './provider.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** A claim as texts: of a list each entry. What is neither text, number nor truth value matches nothing. */
const textsOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? (value as readonly unknown[]) : [value])
    .filter((one) => typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean')
    .map(String);

export const claimsMatch = (match: Match, claims: Claims): boolean =>
  Object.entries(match).every(([name, globs]) => {
    const texts = Object.hasOwn(claims, name) ? textsOf(claims[name]) : [];
    return texts.some((text) => globs.some((glob) => globMatches(glob, text)));
  });

/** What a workload may do at most, and for how long. Names are globs. */
export type Granted = Readonly<{ grants: readonly Scope[]; maxSeconds: number }>;

/** What the rules allow together, for as long as the strictest does; undefined where none is about these claims. */
export const grantedBy = (rules: readonly WorkloadRule[], claims: Claims): Granted | undefined => {
  const matching = rules.filter(({ match }) => claimsMatch(match, claims));
  if (matching.length === 0) return undefined;
  const grants = matching.flatMap(({ repositories, actions }) =>
    repositories.map((name) => ({ type: 'repository', name, actions: [...actions] })),
  );
  return { grants, maxSeconds: Math.min(LONGEST_WORKLOAD_SECONDS, ...matching.map(({ maxSeconds }) => maxSeconds)) };
};
