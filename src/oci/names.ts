import { RegistryError } from '../errors.ts';
import { type Digest, isDigest } from './digest.ts';

/** The longest repository name, in characters (OCI distribution spec, *Pulling manifests*; docker counts the same). */
export const LONGEST_NAME = 255;

// One component: alphanumerics joined by one of `.`, `_`, `__` or a run of `-`. Each alternative begins with another
// character than the one before it, so matching never backtracks over more than one separator.
const COMPONENT = '[a-z0-9]+(?:(?:\\.|__|_|-+)[a-z0-9]+)*';
const NAME = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

export const isName = (text: string): boolean => text.length <= LONGEST_NAME && NAME.test(text);

/** What stands behind a prefix that means all repositories under it. */
const ALL_UNDER = '/*';

/** Whether this means all repositories under a prefix, and not one by its name. */
export const isPrefixGlob = (glob: string): boolean => glob.endsWith(ALL_UNDER);

/** Whether a text names repositories as access tokens and grants do: one exactly, or all under a prefix, as `team/*`. */
export const isNameGlob = (text: string): boolean => isName(isPrefixGlob(text) ? text.slice(0, -ALL_UNDER.length) : text);

/** @throws RegistryError `NAME_INVALID` */
export const parseName = (name: string): string => {
  if (!isName(name)) {
    throw new RegistryError(
      'NAME_INVALID',
      `A repository name has at most ${LONGEST_NAME} characters: lower-case letters and digits, joined by ".", "_", "__" or "-", in parts joined by "/".`,
      { name: name.slice(0, LONGEST_NAME + 1) },
    );
  }
  return name;
};

export const isTag = (text: string): boolean => TAG.test(text);

/** @throws RegistryError `TAG_INVALID` */
export const parseTag = (text: string): string => {
  if (!isTag(text)) {
    throw new RegistryError(
      'TAG_INVALID',
      'A tag has 1 to 128 letters, digits, "_", "." or "-" and begins with a letter, digit or "_".',
      {
        tag: text.slice(0, 200),
      },
    );
  }
  return text;
};

export type Reference = Readonly<{ tag: string; digest?: never } | { digest: Digest; tag?: never }>;

/** What stands after `/manifests/`: a digest where there is a colon, else a tag. @throws RegistryError */
export const parseReference = (text: string): Reference => {
  if (!text.includes(':')) return { tag: parseTag(text) };
  if (isDigest(text)) return { digest: text };
  throw new RegistryError('DIGEST_INVALID', 'This is neither a tag nor a sha256 or sha512 digest.', {
    reference: text.slice(0, 200),
  });
};
