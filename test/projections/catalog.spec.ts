import { catalog } from '../../src/projections/catalog.ts';
import {
  at,
  created,
  ended,
  given,
  image,
  LIFE,
  layer,
  linked,
  NAME,
  otherImage,
  pushed,
  removed,
  shownTo,
  tagged,
  untagged,
  withImage,
} from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';
import { forAnyHistory } from '../support/repositoryCommands.ts';
import { NOTHING, statesOf } from '../support/repositoryModel.ts';

const whole = {
  name: NAME,
  repositoryId: LIFE,
  visibility: 'private',
  ownerId: 7,
  createdAt: at(0),
  lastPushedAt: at(0),
} as const;
const entry = (manifests: number, tags: number, lastPushedAt: string) => ({
  [NAME]: { ...whole, listed: manifests > 0, manifests, tags, lastPushedAt },
});

describe('the catalog', () => {
  it('lists a repository from its first manifest on, and not before', () => {
    projecting(catalog)(created, linked(layer)).yields(entry(0, 0, at(0)));
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

  it('lists a repository no longer when its last manifest is gone', () => {
    projecting(catalog)(...withImage, pushed(otherImage), removed(image)).yields(entry(1, 0, at(4)));
    projecting(catalog)(...withImage, removed(image)).yields(entry(0, 0, at(3)));
  });

  it('lists it again with the next one', () =>
    projecting(catalog)(...withImage, removed(image), pushed(otherImage)).yields(entry(1, 0, at(5))));

  it('adds up repositories, manifests and tags of the whole registry', () => {
    const of = { repository: 'team/other', repositoryId: 'other' } as const;
    const elsewhere = [
      { ...created, data: { ...created.data, ...of, visibility: 'public' } },
      { ...pushed(image), data: { ...pushed(image).data, ...of } },
    ] as const;
    projecting(catalog)(...withImage, ...elsewhere, tagged('a', image), tagged('b', image)).addsUpTo({
      repositories: 2,
      publicRepositories: 1,
      manifests: 2,
      tags: 2,
    });
    projecting(catalog)(...withImage, removed(image)).addsUpTo({});
  });

  it('knows who may see a repository and whose it is, and counts what is public and listed', () => {
    const seen = projecting(catalog)(...withImage, shownTo('public'), given(9));
    seen.yields({ [NAME]: { ...entry(1, 0, at(3))[NAME], visibility: 'public', ownerId: 9 } as never });
    seen.addsUpTo({ repositories: 1, publicRepositories: 1, manifests: 1 });
    projecting(catalog)(...withImage, shownTo('public'), removed(image)).addsUpTo({});
    projecting(catalog)(created, shownTo('public'), shownTo('private')).addsUpTo({});
  });

  it('loses a repository at its end, with all that was in it', () => {
    projecting(catalog)(...withImage, tagged('latest', image), ended(1, 1)).yields({});
    projecting(catalog)(...withImage, tagged('latest', image), ended(1, 1)).addsUpTo({});
  });

  it('counts nothing of a former life to the one that lives', () => {
    const inSecond = <D extends object>({ type, data }: Readonly<{ type: string; data: D }>) => ({
      type,
      data: { ...data, repositoryId: 'life-2' },
    });
    const before = [...withImage, tagged('latest', image), ended(1, 1)] as const;
    const second = [inSecond(created), inSecond(pushed(image)), inSecond(tagged('v1', image))] as const;
    const late = [untagged('latest', image, at(4), 'repositoryDeleted'), removed(image, 'repositoryDeleted')] as const;
    const [key, counted] = [NAME, { ...entry(1, 1, at(7))[NAME], repositoryId: 'life-2', createdAt: at(6) }] as const;
    projecting(catalog)(...before, ...second, ...late).yields({ [key]: counted as never });
    projecting(catalog)(...before, ...second, ...late).addsUpTo({ repositories: 1, manifests: 1, tags: 1 });
  });

  it('counts what there is, after any history', () =>
    forAnyHistory((history) => {
      const { manifests, tags } = statesOf(history).at(-1) ?? NOTHING;
      const pushes = history.findLastIndex(({ type }) => type === 'ManifestPushed');
      const projected = projecting(catalog)(...history);
      projected.yields(history.length === 0 ? {} : entry(manifests.size, tags.size, at(Math.max(0, pushes))));
      const totals = { repositories: Math.min(1, manifests.size), manifests: manifests.size, tags: tags.size };
      projected.addsUpTo(Object.fromEntries(Object.entries(totals).filter(([, total]) => total > 0)));
    }));
});
