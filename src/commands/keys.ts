import type { Fact } from '../events/event.ts';
import type { KeyEvents } from '../events/keys.ts';
import { signingKeys } from '../projections/signingKeys.ts';
import { type Decider, document } from './decider.ts';

export type RecordSigningKey = Readonly<{ type: 'RecordSigningKey'; keyId: string; algorithm: 'HS256' }>;

/** Which key signs: recorded once for each key. */
export const keysDecider: Decider<RecordSigningKey> = {
  keysOf: ({ keyId }) => ({ documents: [document(signingKeys, keyId)] }),
  decide: ({ keyId, algorithm }, documents): readonly Fact<'SigningKeyRotated', KeyEvents['SigningKeyRotated']>[] =>
    documents.get(signingKeys, keyId) === undefined ? [{ type: 'SigningKeyRotated', data: { keyId, algorithm } }] : [],
};
