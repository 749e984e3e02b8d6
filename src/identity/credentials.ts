import { RegistryError } from '../errors.ts';

/** Longest `Authorization` header, in characters. */
export const LONGEST_AUTHORIZATION = 8192;

export type Credentials =
  | Readonly<{ kind: 'password'; username: string; password: string }>
  | Readonly<{ kind: 'bearer'; token: string }>;

/** The cause of a refusal for a password that was checked, told apart from other bad credentials: it was counted then. */
export const WRONG_PASSWORD = 'wrong password';

/** One text for every kind of bad credentials: it must not tell which part was wrong. */
export const unauthenticated = (cause?: unknown): RegistryError =>
  new RegistryError('UNAUTHENTICATED', 'The credentials are not valid.', {}, { cause });

// RFC 9110, section 11.6.2: a scheme in any case, one space or more, and what the scheme defines.
const AUTHORIZATION = /^(basic|bearer) +(\S+)$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 7617, section 2: neither part contains any control character.
const CONTROL = /[\x00-\x1f\x7f]/;

/** @throws RegistryError `UNAUTHENTICATED` */
export const parseAuthorization = (header: string): Credentials => {
  if (header.length > LONGEST_AUTHORIZATION) throw unauthenticated();
  // What clients send on every pull. The expression below would take as long as the sha256 of the token.
  if (header.startsWith('Bearer ') && header.length > 7 && !header.includes(' ', 7))
    return { kind: 'bearer', token: header.slice(7) };
  const [, scheme, value] = AUTHORIZATION.exec(header) ?? [];
  if (scheme === undefined || value === undefined) throw unauthenticated();
  return scheme.length === 'basic'.length ? parseBasic(value) : { kind: 'bearer', token: value };
};

/** RFC 7617: the base64 of UTF-8; the first colon ends the username, and the password may hold more of them. */
const parseBasic = (value: string): Credentials => {
  if (!BASE64.test(value)) throw unauthenticated();
  const text = utf8(Buffer.from(value, 'base64'));
  const colon = text.indexOf(':');
  if (colon < 1 || CONTROL.test(text)) throw unauthenticated();
  return { kind: 'password', username: text.slice(0, colon), password: text.slice(colon + 1) };
};

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const utf8 = (bytes: Uint8Array): string => {
  try {
    return STRICT_UTF8.decode(bytes);
  } catch (error) {
    throw unauthenticated(error);
  }
};
