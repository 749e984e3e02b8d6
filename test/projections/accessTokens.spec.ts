import type { Fact } from '../../src/events/event.ts';
import {
  ACCESS_TOKEN_IDS,
  accessTokenCounts,
  accessTokenHashes,
  accessTokenIds,
  accessTokens,
} from '../../src/projections/accessTokens.ts';
import { at } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';

const TOKEN = {
  userId: 7,
  name: 'CI',
  prefix: 'ghd_ab12',
  permissions: ['pull'],
  repositories: ['team/*'],
  expiresAt: null,
} as const;
const issued = (tokenId: number, userId = 7): Fact => ({
  type: 'AccessTokenIssued',
  data: { ...TOKEN, tokenId, userId, hash: `hash ${tokenId}` },
});
const revoked = (tokenId: number, userId = 7): Fact => ({ type: 'AccessTokenRevoked', data: { tokenId, userId } });

describe('the access tokens', () => {
  it('are one document each until they are revoked, without the hash of their value', () => {
    const projected = projecting(accessTokens)(issued(1), issued(2, 8), issued(3), revoked(1));
    projected.yields({
      2: { ...TOKEN, tokenId: 2, userId: 8, issuedAt: at(1) },
      3: { ...TOKEN, tokenId: 3, issuedAt: at(2) },
    });
    projected.addsUpTo({ tokens: 2 });
  });

  it('are found by their hashes, which say the same for ever', () =>
    projecting(accessTokenHashes)(issued(1), issued(2, 8), revoked(1)).yields({
      'hash 1': { tokenId: 1, userId: 7 },
      'hash 2': { tokenId: 2, userId: 8 },
    }));

  it('are counted by their owner', () =>
    projecting(accessTokenCounts)(issued(1), issued(2, 8), issued(3), revoked(2, 8)).yields({
      7: { count: 2 },
      8: { count: 0 },
    }));

  it('have ids that count up, whatever was revoked', () =>
    projecting(accessTokenIds)(issued(1), issued(2, 8), revoked(2, 8)).yields({ [ACCESS_TOKEN_IDS]: { last: 2 } }));
});
