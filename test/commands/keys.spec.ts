import type { RecordSigningKey } from '../../src/commands/keys.ts';
import type { Fact } from '../../src/events/event.ts';
import { keys } from '../support/deciding.ts';

const record = (keyId: string): RecordSigningKey => ({ type: 'RecordSigningKey', keyId, algorithm: 'HS256' });
const rotated = (keyId: string): Fact => ({ type: 'SigningKeyRotated', data: { keyId, algorithm: 'HS256' } });

describe('recording a signing key', () => {
  it('says which key signs from now on', () =>
    keys()
      .when(record('k1'))
      .thenRecords([rotated('k1')]));

  it('says so for each new key', () =>
    keys(rotated('k1'))
      .when(record('k2'))
      .thenRecords([rotated('k2')]));

  it('records nothing for a key that is known: each start asks', () => keys(rotated('k1')).when(record('k1')).thenNothing());
});
