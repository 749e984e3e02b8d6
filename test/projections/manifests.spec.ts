import { manifestKey, manifests } from '../../src/projections/manifests.ts';
import { at, image, LIFE, type Pushable, pushed, removed, tagged, withImage } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';
import { forAnyHistory, MANIFESTS } from '../support/repositoryCommands.ts';
import { NOTHING, statesOf } from '../support/repositoryModel.ts';

const stored = ({ digest, mediaType, size, references }: Pushable, pushedAt: string) => ({
  [manifestKey(LIFE, digest)]: { digest, mediaType, size, references, pushedAt },
});

describe('the manifests', () => {
  it('are one document each, with what they name', () => projecting(manifests)(...withImage).yields(stored(image, at(3))));

  it('keep their artifact type', () => {
    const artifact = { ...pushed(image), data: { ...pushed(image).data, artifactType: 'application/vnd.example' } };
    const [[key, manifest] = ['', {}]] = Object.entries(stored(image, at(0)));
    projecting(manifests)(artifact).yields({ [key]: { ...manifest, artifactType: 'application/vnd.example' } as never });
  });

  it('do not change with their tags', () =>
    projecting(manifests)(...withImage, tagged('latest', image)).yields(stored(image, at(3))));

  it('are gone when deleted, and back when pushed again', () => {
    projecting(manifests)(...withImage, removed(image)).yields({});
    projecting(manifests)(...withImage, removed(image, 'missing')).yields({});
    projecting(manifests)(...withImage, removed(image), pushed(image)).yields(stored(image, at(5)));
  });

  it('are what the history says, whatever it was', () =>
    forAnyHistory((history) => {
      const held = (statesOf(history).at(-1) ?? NOTHING).manifests;
      const since = ({ digest }: Pushable): string =>
        at(
          history.findLastIndex(({ type, data }) => type === 'ManifestPushed' && (data as { digest: string }).digest === digest),
        );
      const expected = MANIFESTS.filter(({ digest }) => held.has(digest)).map((one) => stored(one, since(one)));
      projecting(manifests)(...history).yields(Object.assign({}, ...expected));
    }));
});
