import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { KEY_LENGTH } from './aead.ts';
import type { Secrets } from './secrets.ts';

/**
 * What stands in facts and keys of views for names of people: equal names have the same, on all nodes and for ever, and without the key
 * nobody can try which name it is of.
 */
export type Fingerprints = Readonly<{
  /** The same in whatever case. */
  username: (username: string) => string;
  /** @param subject the provider's name for a person */
  identity: (issuer: string, subject: string) => string;
}>;

const ID = 'fingerprints';

/** The fingerprints of a registry, under a key that is made at the first start and lost only with all secrets. */
export const fingerprintsOf = async (secrets: Pick<Secrets, 'putIfAbsent'>): Promise<Fingerprints> => {
  const key = createSecretKey(await secrets.putIfAbsent(ID, randomBytes(KEY_LENGTH)));
  const fingerprint = (...parts: readonly string[]): string =>
    createHmac('sha256', key).update(JSON.stringify(parts)).digest('hex');
  return {
    username: (username) => fingerprint('username', username.toLowerCase()),
    identity: (issuer, subject) => fingerprint('identity', issuer, subject),
  };
};
