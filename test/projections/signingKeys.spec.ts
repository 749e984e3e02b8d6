import type { Fact } from '../../src/events/event.ts';
import { signingKeys } from '../../src/projections/signingKeys.ts';
import { at } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';

const rotated = (keyId: string): Fact => ({ type: 'SigningKeyRotated', data: { keyId, algorithm: 'HS256' } });

describe('the signing keys', () => {
  it('are one document each, with when they began to be used', () =>
    projecting(signingKeys)(rotated('k1'), rotated('k2')).yields({
      k1: { keyId: 'k1', algorithm: 'HS256', rotatedAt: at(0) },
      k2: { keyId: 'k2', algorithm: 'HS256', rotatedAt: at(1) },
    }));
});
