import { expect } from 'chai';
import fc from 'fast-check';
import { hasWord, repositoryWords } from '../../src/projections/repositoryWords.ts';
import { anyName } from '../http/arbitraries.ts';
import { created, ended, LIFE, NAME, withImage } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';

const founding = (repository: string, repositoryId = LIFE) => ({
  ...created,
  data: { ...created.data, repository, repositoryId },
});
const found = (name: string, ...ends: readonly string[]) =>
  Object.fromEntries(ends.map((end) => [`${end} ${name}`, { name, repositoryId: LIFE }]));

describe('the words of the names of repositories', () => {
  it('are a name and what follows each / . _ and - in it', () => {
    projecting(repositoryWords)(created).yields(found(NAME, 'team/app', 'app'));
    projecting(repositoryWords)(founding('a-b/c.d_e')).yields(found('a-b/c.d_e', 'a-b/c.d_e', 'b/c.d_e', 'c.d_e', 'd_e', 'e'));
  });

  it('stay as they are whatever is pushed, and go with the repository', () => {
    projecting(repositoryWords)(...withImage).yields(found(NAME, 'team/app', 'app'));
    projecting(repositoryWords)(...withImage, ended(1, 0)).yields({});
  });

  it('are those of the life that lives', () => {
    const second = founding(NAME, 'life-2');
    projecting(repositoryWords)(created, ended(0, 0), second).yields(
      Object.fromEntries(['team/app', 'app'].map((end) => [`${end} ${NAME}`, { name: NAME, repositoryId: 'life-2' }])),
    );
  });

  it('are all that is found by the prefix of a key, and nothing else', () =>
    fc.assert(
      fc.property(anyName, anyName, fc.nat(8), (name, other, length) => {
        const text = other.slice(0, length + 1);
        const keys = repositoryWords.keysOf(founding(name) as never);
        expect(keys.some((key) => key.startsWith(text))).to.equal(hasWord(name, text));
      }),
    ));
});
