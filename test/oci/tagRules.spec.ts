import { expect } from 'chai';
import fc from 'fast-check';
import { RegistryError } from '../../src/errors.ts';
import { MOST_TAG_RULES, matchesTagRule, parseTagRules, ruleFor } from '../../src/oci/tagRules.ts';

/** The same by the definition: each star takes away any beginning of what is left. */
const naively = (rule: string, tag: string): boolean => {
  if (rule === '') return tag === '';
  const [first = ''] = rule;
  if (first !== '*') return tag[0] === first && naively(rule.slice(1), tag.slice(1));
  return [...tag, ''].some((_, taken) => naively(rule.slice(1), tag.slice(taken)));
};

describe('a rule for tags', () => {
  for (const [rule, matching, others] of [
    ['latest', ['latest'], ['latest1', 'Latest', 'alatest', 'lates']],
    ['v*', ['v', 'v1', 'v1.0*'], ['av', '1', 'V1']],
    ['*', ['a', 'v1'], []],
    ['*-final', ['-final', 'a-final', 'a-final-final'], ['a-final-', 'final']],
    ['v*-rc*', ['v-rc', 'v1-rc2', 'v-rc-rc'], ['v1', 'v-r-c', 'rc-v']],
    ['a*a', ['aa', 'aba'], ['a', 'ab']],
    ['**', ['x'], []],
    ['a.b', ['a.b'], ['axb']],
    ['*ab*ab*', ['abab', 'xabyabz'], ['ab', 'aab']],
  ] as const)
    it(`${rule} means ${matching.join(', ')}${others.length > 0 ? `, and not ${others.join(', ')}` : ''}`, () => {
      for (const tag of matching) expect(matchesTagRule(rule, tag), tag).to.equal(true);
      for (const tag of others) expect(matchesTagRule(rule, tag), tag).to.equal(false);
    });

  it('means what its definition says, for any rule and tag', () => {
    const text = (characters: string) => fc.string({ unit: fc.constantFrom(...characters), maxLength: 9 });
    fc.assert(
      fc.property(text('ab*'), text('ab'), (rule, tag) => {
        expect(matchesTagRule(rule, tag)).to.equal(naively(rule, tag));
      }),
      { numRuns: 5000 },
    );
  });

  it('is not slow for any tag, however many stars it has', () => {
    // A matcher that goes back to its stars would take longer than the universe is old.
    const rule = `${'a*'.repeat(63)}b`;
    expect(matchesTagRule(rule, 'a'.repeat(128))).to.equal(false);
    expect(matchesTagRule(`${'*a'.repeat(63)}*b`, `${'a'.repeat(127)}c`)).to.equal(false);
  });

  it('is found among others, the first that fits', () => {
    expect(ruleFor(['x', 'v*', 'v1'], 'v1')).to.equal('v*');
    expect(ruleFor(['x', 'v*'], 'latest')).to.equal(undefined);
    expect(ruleFor([], 'latest')).to.equal(undefined);
  });
});

describe('a list of rules', () => {
  const refusalOf = (rules: readonly string[]): RegistryError | undefined => {
    try {
      expect(parseTagRules(rules)).to.deep.equal(rules);
      return undefined;
    } catch (error) {
      if (error instanceof RegistryError) return error;
      throw error;
    }
  };

  for (const [what, rules] of [
    ['none', []],
    ['all that a tag may have, and stars', ['v*', 'A_z.0-9', '*', '-*', 'x'.repeat(128)]],
    ['as many as there may be', Array.from({ length: MOST_TAG_RULES }, (_, n) => `v${n}`)],
  ] as const)
    it(`may be ${what}`, () => expect(refusalOf(rules)).to.equal(undefined));

  for (const [what, rules] of [
    ['too many rules', Array.from({ length: MOST_TAG_RULES + 1 }, (_, n) => `v${n}`)],
    ['an empty rule', ['']],
    ['a rule that is too long', ['x'.repeat(129)]],
    ['a regular expression', ['v[0-9]+']],
    ['a question mark', ['v?']],
    ['a slash', ['a/b']],
    ['a line break', ['v*\n']],
    ['the same rule twice', ['v*', 'x', 'v*']],
  ] as const)
    it(`is refused with ${what}`, () => {
      expect(refusalOf(rules)?.code).to.equal('REQUEST_INVALID');
      expect(refusalOf(rules)?.detail.field).to.equal('rules');
    });
});
