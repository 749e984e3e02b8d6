import { repositoryList } from '../../src/projections/repositoryList.ts';
import {
  at,
  config,
  created,
  ended,
  given,
  image,
  LIFE,
  layer,
  linked,
  NAME,
  otherImage,
  otherLayer,
  pushed,
  removed,
  shownTo,
  tagged,
  unlinked,
  untagged,
  withImage,
} from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';
import { BLOBS, forAnyHistory, MANIFESTS } from '../support/repositoryCommands.ts';
import { NOTHING, statesOf } from '../support/repositoryModel.ts';

const whole = { name: NAME, repositoryId: LIFE, visibility: 'private', ownerId: 7, createdAt: at(0) } as const;
const IMAGE_SIZE = config.size + layer.size + image.size;

type Counts = Readonly<{ size: number; manifests?: number; tags?: number; pushedAt: string }>;

const turnedRound = (time: string): string => [...time].map((one) => (/\d/.test(one) ? String(9 - Number(one)) : one)).join('');
const entry = ({ size, manifests = 0, tags = 0, pushedAt }: Counts) => ({
  [NAME]: { ...whole, listed: manifests > 0, size, manifests, tags, updatedAt: pushedAt, newestFirst: turnedRound(pushedAt) },
});

describe('the list of repositories', () => {
  it('has a repository from its first blob on, and lists it from its first manifest on', () => {
    projecting(repositoryList)(created, linked(layer)).yields(entry({ size: layer.size, pushedAt: at(0) }));
    projecting(repositoryList)(...withImage).yields(entry({ size: IMAGE_SIZE, manifests: 1, pushedAt: at(3) }));
  });

  it('sums up the bytes of its blobs and manifests, a blob that two manifests name once', () =>
    projecting(repositoryList)(...withImage, linked(otherLayer), pushed(otherImage)).yields(
      entry({ size: IMAGE_SIZE + otherLayer.size + otherImage.size, manifests: 2, pushedAt: at(5) }),
    ));

  it('no longer counts what was deleted', () => {
    projecting(repositoryList)(...withImage, removed(image), unlinked(layer)).yields(
      entry({ size: config.size, pushedAt: at(3) }),
    );
  });

  it('takes a tag for a push, also one to a manifest that was there, and its deletion for none', () => {
    const moved = [...withImage, tagged('latest', image), pushed(otherImage), tagged('v1', otherImage)] as const;
    const again = tagged('latest', otherImage, { digest: image.digest, since: at(4) });
    const size = IMAGE_SIZE + otherImage.size;
    projecting(repositoryList)(...moved).yields(entry({ size, manifests: 2, tags: 2, pushedAt: at(6) }));
    projecting(repositoryList)(...moved, again).yields(entry({ size, manifests: 2, tags: 2, pushedAt: at(7) }));
    projecting(repositoryList)(...moved, untagged('v1', otherImage, at(6))).yields(
      entry({ size, manifests: 2, tags: 1, pushedAt: at(6) }),
    );
  });

  it('knows who may see a repository and whose it is', () =>
    projecting(repositoryList)(...withImage, shownTo('public'), given(9)).yields({
      [NAME]: {
        ...entry({ size: IMAGE_SIZE, manifests: 1, pushedAt: at(3) })[NAME],
        visibility: 'public',
        ownerId: 9,
      } as never,
    }));

  it('loses a repository at its end', () => projecting(repositoryList)(...withImage, ended(1, 0)).yields({}));

  it('counts nothing of a former life to the one that lives', () => {
    const inSecond = <D extends object>({ type, data }: Readonly<{ type: string; data: D }>) => ({
      type,
      data: { ...data, repositoryId: 'life-2' },
    });
    const before = [...withImage, tagged('latest', image), ended(1, 1)] as const;
    const second = [inSecond(created), inSecond(linked(layer)), inSecond(pushed(image)), inSecond(tagged('v1', image))] as const;
    const late = [
      untagged('latest', image, at(4), 'repositoryDeleted'),
      removed(image, 'repositoryDeleted'),
      unlinked(layer, 'repositoryDeleted'),
    ] as const;
    const [key, living] = [NAME, entry({ size: layer.size + image.size, manifests: 1, tags: 1, pushedAt: at(9) })[NAME]] as const;
    projecting(repositoryList)(...before, ...second, ...late).yields({
      [key]: { ...living, repositoryId: 'life-2', createdAt: at(6) } as never,
    });
  });

  it('adds up to what there is, after any history', () =>
    forAnyHistory((history) => {
      const { blobs, manifests, tags } = statesOf(history).at(-1) ?? NOTHING;
      const pushes = history.findLastIndex(({ type }) => type === 'ManifestPushed' || type === 'TagMoved');
      const held = [
        ...BLOBS.filter(({ digest }) => blobs.has(digest)),
        ...MANIFESTS.filter(({ digest }) => manifests.has(digest)),
      ];
      const size = held.reduce((sum, one) => sum + one.size, 0);
      const counts = { size, manifests: manifests.size, tags: tags.size, pushedAt: at(Math.max(0, pushes)) };
      projecting(repositoryList)(...history).yields(history.length === 0 ? {} : entry(counts));
    }));
});
