import { repository } from '../support/deciding.ts';
import {
  at,
  created,
  end,
  ended,
  image,
  imageOf,
  index,
  indexOf,
  layer,
  linked,
  otherImage,
  otherLayer,
  push,
  pushed,
  released,
  remove,
  removed,
  rule,
  ruled,
  tagged,
  unlink,
  untag,
  untagged,
  withImage,
} from '../support/facts.ts';

const withBoth = [...withImage, linked(otherLayer), pushed(otherImage)] as const;
const inRelease = [...withBoth, tagged('v1', image), tagged('latest', image), ruled('v*')] as const;
const previously = (n: number) => ({ digest: image.digest, since: at(n) });
const V1 = { tag: 'v1', rule: 'v*' };

describe('rules for immutable tags', () => {
  it('are recorded as they are set, also none', async () => {
    await repository(created)
      .when(rule('v*', 'latest'))
      .thenRecords([ruled('v*', 'latest')]);
    await repository(created, ruled('v*')).when(rule()).thenRecords([ruled()]);
  });

  it('that are so already record nothing', async () => {
    await repository(created, ruled('v*', 'latest')).when(rule('v*', 'latest')).thenNothing();
    await repository(created).when(rule()).thenNothing();
  });

  it('need a repository', () => repository().when(rule('v*')).thenRefuses('REPOSITORY_UNKNOWN'));
});

describe('an immutable tag', () => {
  it('is made like any other', () =>
    repository(...withBoth, ruled('v*'))
      .when(push(image, 'v1'))
      .thenRecords([tagged('v1', image)]));

  it('takes the same manifest again as nothing new', () =>
    repository(...inRelease)
      .when(push(image, 'v1'))
      .thenNothing());

  it('does not move', () =>
    repository(...inRelease)
      .when(push(otherImage, 'v1'))
      .thenRefuses('TAG_IMMUTABLE', V1));

  it('does not move with others either: the whole push is refused', () =>
    repository(...inRelease)
      .when(push(otherImage, 'new', 'latest', 'v1'))
      .thenRefuses('TAG_IMMUTABLE', V1));

  it('does not move on a condition that holds', () =>
    repository(...inRelease)
      .when({ ...push(otherImage, 'v1'), precondition: { tag: 'v1', ifMatch: [image.digest] } })
      .thenRefuses('TAG_IMMUTABLE', V1));

  it('is not deleted', () =>
    repository(...inRelease)
      .when(untag('v1'))
      .thenRefuses('TAG_IMMUTABLE', V1));

  it('leaves others alone', async () => {
    await repository(...inRelease)
      .when(push(otherImage, 'latest'))
      .thenRecords([tagged('latest', otherImage, previously(7))]);
    await repository(...inRelease)
      .when(untag('latest'))
      .thenRecords([untagged('latest', image, at(7))]);
  });

  it('moves again once its rule is gone', () =>
    repository(...inRelease, ruled())
      .when(untag('v1'))
      .thenRecords([untagged('v1', image, at(6))]));

  it('keeps its manifest, with whatever other tags that has', () =>
    repository(...inRelease)
      .when(remove(image))
      .thenRefuses('TAG_IMMUTABLE', V1));

  it('keeps the blobs of its manifest, as manifests do', () =>
    repository(...inRelease)
      .when(unlink(layer))
      .thenRefuses('BLOB_REFERENCED'));

  it('lets other manifests go', () =>
    repository(...inRelease)
      .when(remove(otherImage))
      .thenRecords([removed(otherImage)]));
});

describe('an index under an immutable tag', () => {
  const outer = indexOf('an index of an index', index);
  const nested = [...withBoth, pushed(index), pushed(outer), tagged('v1', outer), ruled('v*')] as const;

  it('keeps the manifests in it, however deep they are', async () => {
    for (const one of [outer, index, image, otherImage])
      await repository(...nested)
        .when(remove(one))
        .thenRefuses('TAG_IMMUTABLE', V1);
  });

  it('lets them go once it may go itself', () =>
    repository(...nested, ruled())
      .when(remove(outer))
      .thenRecords([untagged('v1', outer, at(8), 'manifestDeleted'), released(index, 'parentDeleted'), removed(outer)]));

  it('is no reason to keep what is in others', () =>
    repository(
      ...withBoth,
      pushed(index),
      tagged('latest', index),
      pushed(indexOf('alone', image)),
      tagged('v1', otherImage),
      ruled('v*'),
    )
      .when(remove(image))
      .thenRecords([removed(image)]));

  it('is looked for among a hundred, and more are refused to be safe', async () => {
    const indexes = (count: number) => Array.from({ length: count }, (_, n) => pushed(indexOf(`index ${n}`, image)));
    await repository(...withImage, ...indexes(100), ruled('v*'))
      .when(remove(image))
      .thenRecords([removed(image)]);
    await repository(...withImage, ...indexes(101), ruled('v*'))
      .when(remove(image))
      .thenRefuses('TAG_IMMUTABLE', { digest: image.digest, most: 100 });
    await repository(...withImage, ...indexes(101))
      .when(remove(image))
      .thenRecords([removed(image)]);
  });
});

describe('a manifest with more tags than are looked at one by one', () => {
  const many = (name: (n: number) => string, count = 1500) => Array.from({ length: count }, (_, n) => tagged(name(n), image));
  const numbered = (n: number): string => `n${String(n).padStart(5, '0')}`;

  for (const [what, kept, rules] of [
    ['the beginning of their names', 'v1', ['v*']],
    ['their whole name', 'zz-last', ['nothing', 'zz-last']],
    ['the end of their names', 'zz-final', ['zz*-final']],
  ] as const)
    it(`keeps tags that a rule tells by ${what}, before the first of the others goes`, () =>
      repository(...withImage, ...many(numbered), tagged(kept, image), ruled(...rules))
        .when(remove(image))
        .thenRefuses('TAG_IMMUTABLE', { tag: kept, rule: rules.at(-1) }));

  it('loses its tags where no rule means any of them', () =>
    repository(...withImage, ...many(numbered), ruled('v*', 'n0000', 'zz*-final'))
      .when(remove(image))
      .thenRecords(Array.from({ length: 199 }, (_, n) => untagged(numbered(n), image, at(4 + n), 'manifestDeleted'))));

  it('is kept where more tags begin like a rule than are looked at', () =>
    repository(...withImage, ...many(numbered), ruled('n*-final'))
      .when(remove(image))
      .thenRefuses('TAG_IMMUTABLE'));
});

describe('a repository with rules', () => {
  it('is not deleted', () =>
    repository(...inRelease)
      .when(end)
      .thenRefuses('TAG_IMMUTABLE', { rules: ['v*'] }));

  it('is deleted once they are removed', () =>
    repository(...inRelease, ruled())
      .when(end)
      .thenRecords([ended(2, 2)]));

  it('passes none of them on to its next life', () =>
    repository(
      ...withImage,
      tagged('v1', image),
      ruled('v*'),
      ruled(),
      ended(1, 1),
      created,
      pushed(imageOf('first')),
      tagged('v1', imageOf('first')),
    )
      .when(push(imageOf('second'), 'v1'))
      .thenRecords([
        pushed(imageOf('second')),
        tagged('v1', imageOf('second'), { digest: imageOf('first').digest, since: at(10) }),
        released(imageOf('first'), 'tagMoved'),
      ]));
});
