import type { KeyEvents } from '../events/keys.ts';
import { projection } from './projection.ts';

export type SigningKey = Readonly<{ keyId: string; algorithm: string; rotatedAt: string }>;

/** When each signing key began to be used. The keys themselves are in the secrets store. */
export const signingKeys = projection<SigningKey, KeyEvents>({
  view: 'signingKeys',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => [data.keyId],
  on: { SigningKeyRotated: (_key, { data, metadata }) => ({ ...data, rotatedAt: metadata.at }) },
});
