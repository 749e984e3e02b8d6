import { hash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

// `ghd_`, 40 random letters and digits (238 bits), and the CRC-32 of all that in 6 more: so a scanner for leaked secrets knows one
// when it sees it, and a mistyped one is refused without a look into any store.
const PREFIX = 'ghd_';
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM = 40;
const CHECKSUM = 6;
const VALUE = new RegExp(`^${PREFIX}[0-9A-Za-z]{${RANDOM + CHECKSUM}}$`);

/** Characters of a value by which people recognise it: the prefix and four of the random ones. */
const SHOWN = 8;

const checksumOf = (text: string): string => {
  let rest = crc32(text);
  let digits = '';
  while (digits.length < CHECKSUM) {
    digits = ALPHABET[rest % ALPHABET.length] + digits;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return digits;
};

/** What its owner is told once. `hash` and `prefix` are what is kept of it. */
export type NewAccessTokenValue = Readonly<{ value: string; hash: string; prefix: string }>;

/** A value that nobody can guess, which is why its plain SHA-256 is enough to keep. */
export const newAccessTokenValue = (): NewAccessTokenValue => {
  const random = Array.from({ length: RANDOM }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  const value = PREFIX + random + checksumOf(PREFIX + random);
  return { value, hash: hashOfAccessToken(value), prefix: value.slice(0, SHOWN) };
};

/** Whether a text is a token's value by its form: whose, and whether there is one, is another question. */
export const isAccessTokenValue = (text: string): boolean =>
  text.startsWith(PREFIX) && VALUE.test(text) && text.endsWith(checksumOf(text.slice(0, -CHECKSUM)));

/** SHA-256 in hex, under which a value is looked up. */
export const hashOfAccessToken = (value: string): string => hash('sha256', value, 'hex');
