import { catalog } from '../../src/projections/catalog.ts';
import {
  at,
  created,
  image,
  LIFE,
  layer,
  linked,
  NAME,
  otherImage,
  pushed,
  removed,
  tagged,
  untagged,
  withImage,
} from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';
import { forAnyHistory } from '../support/repositoryCommands.ts';
import { NOTHING, statesOf } from '../support/repositoryModel.ts';

const entry = (manifests: number, tags: number, lastPushedAt: string) => ({
  [NAME]: { name: NAME, repositoryId: LIFE, manifests, tags, lastPushedAt },
});

describe('the catalog', () => {
  it('has a repository from its first manifest on, and not before', () => {
    projecting(catalog)(created, linked(layer)).yields({});
    projecting(catalog)(...withImage).yields(entry(1, 0, at(3)));
  });

  it('counts its manifests and tags', () =>
    projecting(catalog)(...withImage, tagged('latest', image), pushed(otherImage), tagged('v1', otherImage)).yields(
      entry(2, 2, at(5)),
    ));

  it('does not count a tag again that moves', () =>
    projecting(catalog)(
      ...withImage,
      tagged('latest', image),
      pushed(otherImage),
      tagged('latest', otherImage, { digest: image.digest, since: at(4) }),
    ).yields(entry(2, 1, at(5))));

  it('counts a tag no longer that was deleted', () =>
    projecting(catalog)(...withImage, tagged('latest', image), untagged('latest', image, at(4))).yields(entry(1, 0, at(3))));

  it('loses a repository with its last manifest', () => {
    projecting(catalog)(...withImage, pushed(otherImage), removed(image)).yields(entry(1, 0, at(4)));
    projecting(catalog)(...withImage, removed(image)).yields({});
  });

  it('has it again with the next one', () =>
    projecting(catalog)(...withImage, removed(image), pushed(otherImage)).yields(entry(1, 0, at(5))));

  it('adds up repositories, manifests and tags of the whole registry', () => {
    const elsewhere = { ...pushed(image), data: { ...pushed(image).data, repository: 'team/other', repositoryId: 'other' } };
    projecting(catalog)(...withImage, elsewhere, tagged('a', image), tagged('b', image)).addsUpTo({
      repositories: 2,
      manifests: 2,
      tags: 2,
    });
    projecting(catalog)(...withImage, removed(image)).addsUpTo({});
  });

  it('counts what there is, after any history', () =>
    forAnyHistory((history) => {
      const { manifests, tags } = statesOf(history).at(-1) ?? NOTHING;
      const pushes = history.findLastIndex(({ type }) => type === 'ManifestPushed');
      const projected = projecting(catalog)(...history);
      projected.yields(manifests.size === 0 ? {} : entry(manifests.size, tags.size, at(pushes)));
      const totals = { repositories: Math.min(1, manifests.size), manifests: manifests.size, tags: tags.size };
      projected.addsUpTo(Object.fromEntries(Object.entries(totals).filter(([, total]) => total > 0)));
    }));
});
