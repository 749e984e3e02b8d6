import type { Role } from '../../events/users.ts';
import { type Claims, claimsMatch } from './claims.ts';
import type { PeopleOptions } from './provider.ts';

/** What the registry takes over of what a provider says of a person. */
export type Person = Readonly<{
  subject: string;
  /** What the person would like to be called, made into what one can be called here. */
  username: string;
  email: string | null;
  /** null: not to be let in. */
  role: Role | null;
}>;

const LONGEST_USERNAME = 64;
/** Room for a number behind it. */
const LONGEST_WISH = LONGEST_USERNAME - 6;

/** The nearest name that is one: lower-case letters and digits, joined by `.`, `_` or `-`. */
const usernameFrom = (wish: string): string => {
  const plain = wish.normalize('NFKD').toLowerCase().split('@')[0] ?? '';
  const name = plain
    .replace(/[^a-z0-9._-]+/g, '')
    .replace(/[._-]{2,}/g, '-')
    .slice(0, LONGEST_WISH)
    .replace(/^[._-]+|[._-]+$/g, '');
  return name === '' ? 'user' : name;
};

/** The n-th name to try for a wish: the first is the wish itself. */
export const usernameAfter = (wish: string, tried: number): string => (tried === 0 ? wish : `${wish}-${tried + 1}`);

const textOf = (claim: unknown): string | undefined => (typeof claim === 'string' && claim !== '' ? claim : undefined);

/** An address that the provider has not seen to be the person's is not taken over. */
const emailOf = ({ email, email_verified: verified }: Claims): string | null => {
  const address = textOf(email);
  return address !== undefined && verified !== false && verified !== 'false' ? address : null;
};

/** @returns undefined where the provider does not say who it is */
export const personOf = (claims: Claims, { usernameClaim, roles, defaultRole }: PeopleOptions): Person | undefined => {
  const subject = textOf(claims.sub);
  if (subject === undefined || subject.length > 255) return undefined;
  const wish = textOf(claims[usernameClaim]) ?? textOf(claims.email) ?? 'user';
  const role = roles.find(({ match }) => claimsMatch(match, claims))?.role ?? defaultRole;
  return { subject, username: usernameFrom(wish), email: emailOf(claims), role };
};
