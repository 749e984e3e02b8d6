import { manifestKey, manifests } from '../../src/projections/manifests.ts';
import { at, heldAgain, image, LIFE, type Pushable, pushed, released, removed, tagged, withImage } from '../support/facts.ts';
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

  it('say since when and why nothing holds them, until something does again', () => {
    const [[key, manifest] = ['', undefined]] = Object.entries(stored(image, at(3)));
    const letGo = { ...(manifest as NonNullable<typeof manifest>), released: { since: at(4), cause: 'tagDeleted' as const } };
    projecting(manifests)(...withImage, released(image, 'tagDeleted')).yields({ [key]: letGo });
    projecting(manifests)(...withImage, released(image, 'tagDeleted'), heldAgain(image, 'tag')).yields(stored(image, at(3)));
    projecting(manifests)(released(image, 'tagDeleted')).yields({});
  });

  it('are what the history says, whatever it was', () =>
    forAnyHistory((history) => {
      const held = (statesOf(history).at(-1) ?? NOTHING).manifests;
      const since = ({ digest }: Pushable): string =>
        at(
          history.findLastIndex(({ type, data }) => type === 'ManifestPushed' && (data as { digest: string }).digest === digest),
        );
      const release = ({ digest }: Pushable) => {
        const found = history.findLastIndex(
          ({ type, data }) => /^Manifest/.test(type) && (data as { digest: string }).digest === digest,
        );
        const last = history[found] as ReturnType<typeof released>;
        return last.type === 'ManifestReleased' ? { released: { since: at(found), cause: last.data.cause } } : {};
      };
      const expected = MANIFESTS.filter(({ digest }) => held.has(digest)).flatMap((one) =>
        Object.entries(stored(one, since(one))).map(([key, manifest]) => [key, { ...manifest, ...release(one) }] as const),
      );
      projecting(manifests)(...history).yields(Object.fromEntries(expected));
    }));
});
