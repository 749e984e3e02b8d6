import { expect } from 'chai';
import fc from 'fast-check';
import { globMatches } from '../../../src/identity/oidc/glob.ts';

const ROWS: readonly (readonly [glob: string, text: string, matches: boolean])[] = [
  ['main', 'main', true],
  ['main', 'mainline', false],
  ['main', 'Main', false],
  ['', '', true],
  ['*', '', true],
  ['*', 'main', true],
  ['*', 'feature/x', false],
  ['*', 'a:b', false],
  ['**', 'feature/x:y', true],
  ['octo-org/*', 'octo-org/app', true],
  ['octo-org/*', 'octo-org-evil/app', false],
  ['octo-org/*', 'octo-org/app/more', false],
  ['repo:octo-org/*:ref:refs/heads/main', 'repo:octo-org/app:ref:refs/heads/main', true],
  ['repo:octo-org/*:ref:refs/heads/main', 'repo:octo-org/app:environment:x:ref:refs/heads/main', false],
  ['repo:octo-org/*:ref:refs/heads/main', 'repo:octo-org/app:ref:refs/heads/main2', false],
  ['repo:octo-org/*:ref:refs/heads/**', 'repo:octo-org/app:ref:refs/heads/feature/x', true],
  ['v*.*', 'v1.2', true],
  ['v*.*', 'v1', false],
  ['a.c', 'abc', false],
  ['[ab]', 'a', false],
  ['(', '(', true],
  ['*', 'line\nbreak', true],
  ['main', 'main\n', false],
];

describe('a glob of a claim', () => {
  for (const [glob, text, matches] of ROWS)
    it(`${JSON.stringify(glob)} ${matches ? 'is' : 'is not'} ${JSON.stringify(text)}`, () =>
      expect(globMatches(glob, text)).to.equal(matches));

  it('says what the expression of the same meaning says', () => {
    const piece = fc.constantFrom('a', 'b', '/', ':', '*', '**', '.');
    const glob = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', ':', '.'), maxLength: 8 });
    fc.assert(
      fc.property(glob, text, (pattern, value) => {
        const source = pattern.replaceAll('.', '\\.').replace(/\*\*|\*/g, (star) => (star === '**' ? '[^]*' : '[^/:]*'));
        expect(globMatches(pattern, value)).to.equal(new RegExp(`^${source}$`).test(value));
      }),
    );
  });

  it('is compared with no text without end, and not for long', () => {
    expect(globMatches('**', 'a'.repeat(1025))).to.equal(false);
    expect(globMatches(`${'**a'.repeat(80)}b`, 'a'.repeat(1024))).to.equal(false);
  });
});
