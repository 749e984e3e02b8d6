import { expect } from 'chai';
import fc from 'fast-check';
import { MOST_ENTRIES } from '../../src/events/access.ts';
import { repositoryIn, trailId, trailKey, whoIs } from '../../src/projections/trail.ts';
import { positionOf } from '../support/projecting.ts';

const AT = '2026-01-31T12:00:00.000Z';
const hex = (n: number): string => `${'0'.repeat(15)}1${n.toString(16).padStart(16, '0')}`;

describe('an id of an entry', () => {
  it('is the position of the fact, or that of the access event and the place in it, times a thousand', () => {
    expect(trailId(trailKey(AT, positionOf(12)))).to.equal(12_000);
    expect(trailId(trailKey(AT, positionOf(12), 0))).to.equal(12_001);
    expect(trailId(trailKey(AT, positionOf(12), MOST_ENTRIES - 1))).to.equal(12_999);
  });

  it('is that of the event in EventStoreDB, and not of what it was committed with', () => {
    expect(trailId(trailKey(AT, hex(4711)))).to.equal(4_711_000);
    expect(trailId(trailKey(AT, hex(4711), 3))).to.equal(4_711_004);
  });

  it('is nobody else’s in either log, as far as numbers are exact', () => {
    const place = fc.record({
      position: fc.integer({ min: 1, max: Math.floor(Number.MAX_SAFE_INTEGER / 1000) - 1 }),
      index: fc.option(fc.integer({ min: 0, max: MOST_ENTRIES - 1 }), { nil: undefined }),
      at: fc.constantFrom(positionOf, hex),
    });
    fc.assert(
      fc.property(place, place, (one, other) => {
        const [first, second] = [one, other].map(({ position, index, at }) => trailId(trailKey(AT, at(position), index)));
        expect(Number.isSafeInteger(first)).to.equal(true);
        expect(first === second).to.equal(one.position === other.position && one.index === other.index);
      }),
    );
  });
});

describe('who stands behind an actor', () => {
  for (const [actor, owner, who] of [
    ['user:7', undefined, 'user:7'],
    ['robot:8', undefined, 'user:8'],
    ['token:5', '7', 'user:7'],
    ['token:5', undefined, 'token:5'],
    ['robot:ci:repo:team/app', undefined, 'robot:ci:repo:team/app'],
    ['robot:8:9', undefined, 'robot:8:9'],
    ['anonymous:anonymous', undefined, 'anonymous'],
    ['anonymous:many', undefined, 'anonymous'],
    ['system:registry', undefined, 'system'],
  ] as const)
    it(`is ${who} for ${actor}${owner === undefined ? '' : ` of user ${owner}`}`, () => {
      expect(whoIs(actor, owner)).to.equal(who);
    });
});

describe('the repository that something is in', () => {
  for (const [resource, name] of [
    ['team/app', 'team/app'],
    ['team/app:latest', 'team/app'],
    [`team/app@sha256:${'a'.repeat(64)}`, 'team/app'],
    ['/api/v1/users', undefined],
    ['Team/App:latest', undefined],
    ['', undefined],
  ] as const)
    it(`is ${name ?? 'none'} for "${resource}"`, () => {
      expect(repositoryIn(resource)).to.equal(name);
    });
});
