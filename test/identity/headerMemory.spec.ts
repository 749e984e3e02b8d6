import { expect } from 'chai';
import { headerMemory } from '../../src/identity/headerMemory.ts';

const HEADER = `Basic ${Buffer.from('ann:pass').toString('base64')}`;
const ANN = { kind: 'password', userId: 7, securityVersion: 3 } as const;

describe('the memory of headers', () => {
  it('knows what a header has shown, and nothing of another one', () => {
    const memory = headerMemory();
    expect(memory.recall(HEADER)).to.equal(undefined);
    memory.remember(HEADER, ANN, 1000);
    expect(memory.recall(HEADER)).to.equal(ANN);
    for (const other of [`${HEADER} `, HEADER.toLowerCase(), HEADER.slice(0, -1), ''])
      expect(memory.recall(other), other).to.equal(undefined);
    expect(headerMemory().recall(HEADER)).to.equal(undefined);
  });

  it('forgets it in time, however often it was asked', () => {
    let now = 0;
    const memory = headerMemory({ now: () => now });
    memory.remember(HEADER, ANN, 1000);
    for (const at of [0, 500, 999]) {
      now = at;
      expect(memory.recall(HEADER)).to.equal(ANN);
    }
    now = 1000;
    expect(memory.recall(HEADER)).to.equal(undefined);
  });

  it('keeps no more than a number, those that came last', () => {
    const memory = headerMemory({ most: 2 });
    for (const name of ['a', 'b', 'c']) memory.remember(name, ANN, 1000);
    expect(['a', 'b', 'c'].map((name) => memory.recall(name) !== undefined)).to.deep.equal([false, true, true]);
  });

  it('leaves out signed tokens, which are remembered elsewhere, and what is longer than a password makes it', () => {
    const memory = headerMemory();
    for (const header of ['Bearer eyJhbGciOiJIUzI1NiJ9.e30.x', `Basic ${'x'.repeat(2100)}`]) {
      memory.remember(header, ANN, 1000);
      expect(memory.recall(header)).to.equal(undefined);
    }
  });
});
