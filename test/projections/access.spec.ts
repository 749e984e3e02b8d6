import { expect } from 'chai';
import type { AccessEntry, AccessEvents } from '../../src/events/access.ts';
import { digestPulls, repositoryPulls } from '../../src/projections/accessPulls.ts';
import { lastSeen } from '../../src/projections/accessSeen.ts';
import { type AccessTrailEntry, pulledKey } from '../../src/projections/accessSums.ts';
import { accessTrail } from '../../src/projections/accessTrail.ts';
import { DIGEST, OTHER_DIGEST, pull, refusal } from '../access/entries.ts';
import { positionOf, projecting, recordedFrom, seen, type Told } from '../support/projecting.ts';

const DAY = '2026-03-01';
const NOON = `${DAY}T12:00:00.000Z`;
const LATER = `${DAY}T13:00:00.000Z`;

const batch = (entries: readonly AccessEntry[], day = DAY): Told => ({
  type: 'AccessRecorded',
  data: { entries },
  stream: `test:access.${day}`,
});
const closed: Told = { type: 'AccessDayClosed', data: { day: DAY }, stream: `test:access.${DAY}` };
const summed = (sums: Partial<AccessEvents['AccessDaySummed']> = {}): Told => ({
  type: 'AccessDaySummed',
  data: { day: DAY, pulls: [], seen: [], last: true, ...sums },
  stream: 'test:access.sums',
});
const pullSum = { repositoryId: 'life-1', digest: DIGEST, pulls: 3, bytes: 1500, lastPulledAt: LATER };

/** Neither of a repository nor of bytes. */
const login = (changed: Partial<AccessEntry>): AccessEntry => {
  const { repositoryId: _repositoryId, digest: _digest, bytes: _bytes, ...entry } = pull();
  return { ...entry, method: 'password', ...changed };
};

/** As the trail has an entry. */
const trailed = (entry: AccessEntry, more: Partial<AccessTrailEntry> = {}): AccessTrailEntry => ({
  who: 'user:7',
  repository: 'team/app',
  until: entry.at,
  count: 1,
  ...entry,
  ...more,
});

describe('the access trail', () => {
  it('has one entry for each access, in the order of time', () => {
    const entries = [pull(), pull({ ip: '203.0.113.6' }), refusal({ at: LATER })];
    projecting(accessTrail)(batch(entries), closed).yields({
      [`${NOON}/${positionOf(1)}/000`]: trailed(pull()),
      [`${NOON}/${positionOf(1)}/001`]: trailed(pull({ ip: '203.0.113.6' })),
      [`${LATER}/${positionOf(1)}/002`]: trailed(refusal({ at: LATER })),
    });
  });

  it('has one for equal ones of a batch, and says how many they were', () => {
    const entries = [pull(), pull({ actor: 'user:8' }), pull({ at: LATER, until: LATER, count: 4, bytes: 2000 })];
    projecting(accessTrail)(batch(entries)).yields({
      [`${NOON}/${positionOf(1)}/000`]: trailed(pull({ bytes: 2500 }), { until: LATER, count: 5 }),
      [`${NOON}/${positionOf(1)}/001`]: trailed(pull({ actor: 'user:8' }), { who: 'user:8' }),
    });
  });

  const known: readonly (readonly [what: string, entry: AccessEntry, said: Partial<AccessTrailEntry>])[] = [
    ['what was pulled by its digest as the audit trail does', pull({ resource: 'team/app' }), { resource: `team/app@${DIGEST}` }],
    ['what was pulled by a tag by that tag', pull(), { resource: 'team/app:latest' }],
    ['of a token whose it is', pull({ actor: 'token:5', tokenId: '5', userId: '9' }), { actor: 'token:5', who: 'user:9' }],
    ['of a token of an older record no more than that', pull({ actor: 'token:5', tokenId: '5' }), { who: 'token:5' }],
    ['of a robot which account it is', pull({ actor: 'robot:8' }), { who: 'user:8' }],
    ['of a workload as whom it came', pull({ actor: 'robot:ci:job' }), { who: 'robot:ci:job' }],
    ['of nobody that it was nobody', pull({ actor: 'anonymous:many' }), { who: 'anonymous' }],
    ['of a login whose it is', login({ action: 'user.login', resource: 'session' }), { resource: 'user:7' }],
    ['of a token of docker’s for whom it is', login({ action: 'token.issue', resource: 'token' }), { resource: 'user:7' }],
    [
      'of an access token in use which one',
      login({ action: 'credentials.use', resource: 'token', actor: 'token:5', tokenId: '5', userId: '7' }),
      { resource: 'token:5', who: 'user:7' },
    ],
    ['of a refusal which repository it was about', refusal(), { resource: 'team/app:latest' }],
    [
      'of a refusal outside of repositories what was asked for',
      refusal({ resource: '/api/v1/users' }),
      { resource: '/api/v1/users' },
    ],
  ];
  for (const [what, entry, said] of known)
    it(`says ${what}`, () => {
      const { userId: _userId, ...plain } = entry;
      const { repository, ...expected } = trailed(plain, said);
      const isInIt = expected.resource.startsWith('team/app');
      projecting(accessTrail)(batch([entry])).yields({
        [`${NOON}/${positionOf(1)}/000`]: isInIt && repository !== undefined ? { ...expected, repository } : expected,
      });
    });

  it('forgets the entries of a day with the last of its sums, and none of a later one', () => {
    const [part, end] = seen(recordedFrom([summed({ last: false }), summed()]));
    expect(part && accessTrail.forgets?.(part)).to.equal(undefined);
    const before = (end && accessTrail.forgets?.(end)) ?? '';
    expect(`${DAY}T23:59:59.999Z/${positionOf(1)}/000` < before).to.equal(true);
    expect(`2026-03-02T00:00:00.000Z/${positionOf(1)}/000` < before).to.equal(false);
  });
});

describe('the pulls', () => {
  const other = pull({ digest: OTHER_DIGEST, bytes: 70, at: LATER });

  it('count manifests by the life of the repository and by digest', () => {
    const told = [batch([pull(), pull({ count: 3, bytes: 1500, until: LATER })]), batch([other])];
    projecting(repositoryPulls)(...told).yields({ 'life-1': { pulls: 5, bytes: 2070, lastPulledAt: LATER, since: DAY } });
    projecting(digestPulls)(...told).yields({
      [pulledKey('life-1', DIGEST)]: { pulls: 4, bytes: 2000, lastPulledAt: LATER, since: DAY },
      [pulledKey('life-1', OTHER_DIGEST)]: { pulls: 1, bytes: 70, lastPulledAt: LATER, since: DAY },
    });
    projecting(repositoryPulls)(...told).addsUpTo({ pulls: 5, bytes: 2070 });
  });

  it('count neither blobs nor what was refused', () => {
    projecting(repositoryPulls)(
      batch([pull({ action: 'blob.pull' }), refusal({ repositoryId: 'life-1', digest: DIGEST })]),
    ).yields({});
  });

  it('are the same whether a day was counted one by one or from its sums', () => {
    const counted = [batch([pull({ count: 3, bytes: 1500, until: LATER })])];
    const later = batch([pull({ at: '2026-03-02T12:00:00.000Z' })], '2026-03-02');
    const total = { pulls: 4, bytes: 2000, lastPulledAt: '2026-03-02T12:00:00.000Z' };
    const sums = summed({ pulls: [pullSum] });
    projecting(repositoryPulls)(...counted, later, sums).yields({ 'life-1': { ...total, since: DAY } });
    projecting(repositoryPulls)(later, sums).yields({ 'life-1': { ...total, since: '2026-03-02' } });
    projecting(repositoryPulls)(sums, later).yields({ 'life-1': { ...total, since: '2026-03-02' } });
  });

  it('add up sums that come in parts', () => {
    const parts = [summed({ pulls: [pullSum], last: false }), summed({ pulls: [pullSum, { ...pullSum, digest: OTHER_DIGEST }] })];
    projecting(repositoryPulls)(...parts).yields({
      'life-1': { pulls: 9, bytes: 4500, lastPulledAt: LATER, since: '9999-12-31' },
    });
  });
});

describe('who was last seen', () => {
  const login = (at: string): AccessEntry => pull({ at, action: 'user.login', method: 'password', actor: 'user:9' });

  it('are users, robots and tokens, each with the latest time', () => {
    const entries = [pull({ tokenId: '12' }), pull({ at: LATER, actor: 'robot:8' }), pull({ until: LATER, count: 2 })];
    projecting(lastSeen)(batch(entries)).yields({
      'user:7': { lastSeenAt: LATER },
      'token:12': { lastSeenAt: NOON },
      'robot:8': { lastSeenAt: LATER },
    });
  });

  it('have logged in when a password was right, and not when they were only there', () => {
    projecting(lastSeen)(batch([login(NOON)]), batch([pull({ at: LATER, actor: 'user:9' })])).yields({
      'user:9': { lastSeenAt: LATER, lastLoginAt: NOON },
    });
  });

  it('have logged in when an identity provider let them in, and not with a job’s token or their own', () => {
    const person = { ...login(NOON), method: 'oidc' } as const;
    const job = pull({ at: LATER, action: 'token.issue', method: 'oidc', actor: 'robot:ci:job' });
    const byToken = { ...login(LATER), method: 'pat' } as const;
    projecting(lastSeen)(batch([person, job, byToken])).yields({
      'user:9': { lastSeenAt: LATER, lastLoginAt: NOON },
      'robot:ci:job': { lastSeenAt: LATER },
    });
  });

  it('are nobody who was refused, and nobody without an account', () => {
    projecting(lastSeen)(batch([refusal(), pull({ actor: 'anonymous:anonymous' })])).yields({});
  });

  it('stay known by the sums of a day that was dropped', () => {
    const told = summed({ seen: [{ who: 'user:9', lastSeenAt: LATER, lastLoginAt: NOON }] });
    projecting(lastSeen)(batch([login(`${DAY}T11:00:00.000Z`)]), told).yields({
      'user:9': { lastSeenAt: LATER, lastLoginAt: NOON },
    });
  });
});
