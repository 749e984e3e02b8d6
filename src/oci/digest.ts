import { createHash, hash } from 'node:crypto';
import { RegistryError } from '../errors.ts';

/** A checked content digest: `sha256:` + 64 or `sha512:` + 128 lower-case hex (OCI image spec, *Digests*). */
export type Digest = string & { readonly __brand: 'Digest' };
export type Algorithm = 'sha256' | 'sha512';

const HEX_LENGTH: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };
const HEX = /^[0-9a-f]+$/;

export const ALGORITHMS: readonly Algorithm[] = ['sha256', 'sha512'];

export const isDigest = (text: string): text is Digest => {
  const colon = text.indexOf(':');
  const length = HEX_LENGTH[text.slice(0, colon)];
  return length !== undefined && text.length === colon + 1 + length && HEX.test(text.slice(colon + 1));
};

/** @throws RegistryError `DIGEST_INVALID` */
export const parseDigest = (text: string): Digest => {
  if (!isDigest(text)) {
    throw new RegistryError('DIGEST_INVALID', 'A digest is sha256: or sha512: followed by that many lower-case hex digits.', {
      digest: text.slice(0, 200),
    });
  }
  return text;
};

export const isAlgorithm = (text: string): text is Algorithm => text === 'sha256' || text === 'sha512';

export const algorithmOf = (digest: Digest): Algorithm => (digest.startsWith('sha512:') ? 'sha512' : 'sha256');

export const hexOf = (digest: Digest): string => digest.slice(7);

export const digestOf = (bytes: Uint8Array | string, algorithm: Algorithm = 'sha256'): Digest =>
  `${algorithm}:${hash(algorithm, bytes, 'hex')}` as Digest;

/** A running digest over bytes that arrive in pieces. */
export const digesting = (algorithm: Algorithm): { update: (bytes: Uint8Array) => void; digest: () => Digest } => {
  const running = createHash(algorithm);
  return {
    update: (bytes) => {
      running.update(bytes);
    },
    digest: () => `${algorithm}:${running.digest('hex')}` as Digest,
  };
};
