import { RegistryError } from '../errors.ts';

/** Docker's scopes, as asked for and as a token's `access` claim grants them: `repository:a/b:pull,push`. */
export type Scope = Readonly<{ type: string; name: string; actions: readonly string[] }>;

/** Most scopes of one request, and most characters of them all: a token that grants them still fits into a header. */
export const MOST_SCOPES = 50;
export const LONGEST_SCOPES = 2560;

// The grammar of the token protocol. A class, as in `repository(plugin):…`, is read and makes no difference. A name may
// begin with a host and port, so the last colon is the one before the actions.
const SCOPE = /^([a-z0-9]+)(?:\([a-z0-9]+\))?:([A-Za-z0-9][A-Za-z0-9._:/-]*):([a-z,*]*)$/;
const ACTION = /^(?:[a-z]+|\*)$/;

/**
 * @param values of the `scope` parameters, each with one scope or several between spaces. A scope outside the grammar is
 *   left out, as one that is not granted is.
 * @throws RegistryError `REQUEST_INVALID` when there are too many or they are too long
 */
export const parseScopes = (values: readonly string[]): readonly Scope[] => {
  const length = values.reduce((sum, value) => sum + value.length, 0);
  const texts = length > LONGEST_SCOPES ? [] : values.flatMap((value) => value.split(' ')).filter((text) => text !== '');
  if (length > LONGEST_SCOPES || texts.length > MOST_SCOPES) {
    throw new RegistryError(
      'REQUEST_INVALID',
      `A request may name at most ${MOST_SCOPES} scopes, of ${LONGEST_SCOPES} characters in all.`,
      { field: 'scope' },
    );
  }
  return merged(texts.map(parseScope).filter((scope) => scope !== undefined));
};

const parseScope = (text: string): Scope | undefined => {
  const [, type, name, actions] = SCOPE.exec(text) ?? [];
  if (type === undefined || name === undefined || actions === undefined) return undefined;
  return { type, name, actions: actions.split(',').filter((action) => ACTION.test(action)) };
};

/** One scope a resource, each action once, in the order in which they were named. */
const merged = (scopes: readonly Scope[]): readonly Scope[] => {
  const byResource = new Map<string, Scope>();
  for (const { type, name, actions } of scopes) {
    const resource = `${type}:${name}`;
    const before = byResource.get(resource)?.actions ?? [];
    byResource.set(resource, { type, name, actions: [...new Set([...before, ...actions])] });
  }
  return [...byResource.values()];
};

export const formatScope = ({ type, name, actions }: Scope): string => `${type}:${name}:${actions.join(',')}`;

export type Challenge = Readonly<{
  /** The absolute URL of the token service. */
  realm: string;
  service: string;
  /** One scope or several between spaces, see `formatScope`. */
  scope?: string;
  /** RFC 6750, section 3.1. */
  error?: 'invalid_token' | 'insufficient_scope';
}>;

/** A value of `WWW-Authenticate` that sends the client to the token service. */
export const challengeOf = ({ realm, service, scope, error }: Challenge): string => {
  const parts = [`Bearer realm=${quoted(realm)}`, `service=${quoted(service)}`];
  if (scope !== undefined) parts.push(`scope=${quoted(scope)}`);
  if (error !== undefined) parts.push(`error=${quoted(error)}`);
  // No space after the commas, as other registries write it: not every client's parser takes one.
  return parts.join(',');
};

/** A value of `WWW-Authenticate` that asks for a password. */
export const basicChallengeOf = (realm: string): string => `Basic realm=${quoted(realm)},charset="UTF-8"`;

/** RFC 9110, section 5.6.4. What a header cannot carry becomes a question mark. */
const quoted = (text: string): string => `"${text.replace(/[^\t -~]/g, '?').replace(/["\\]/g, '\\$&')}"`;
