import type { PushManifest } from '../../src/commands/repository/commands.ts';
import { TAGS_PER_APPEND } from '../../src/commands/repository/deleting.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { MOST_REFERENCES } from '../../src/oci/manifest.ts';
import { repository } from '../support/deciding.ts';
import {
  as,
  at,
  config,
  content,
  created,
  image,
  imageOf,
  index,
  indexOf,
  layer,
  link,
  linked,
  NAME,
  otherImage,
  otherLayer,
  type Pushable,
  push,
  pushed,
  released,
  remove,
  removed,
  tagged,
  unlink,
  unlinked,
  untag,
  untagged,
  withImage,
} from '../support/facts.ts';

const unknownRepository = { name: NAME };

describe('linking a blob', () => {
  it('creates the repository with the first one, private and of whoever pushed it', () =>
    repository()
      .when(link(layer))
      .thenRecords([created, linked(layer)]));

  it('creates a repository without an owner where nobody is logged in', () =>
    repository()
      .when({ ...link(layer), ownerId: null })
      .thenRecords([{ type: 'RepositoryCreated', data: { ...created.data, ownerId: null } }, linked(layer)]));

  it('records where a blob was mounted from', () =>
    repository(created)
      .when({ ...link(layer), mountedFrom: 'team/base' })
      .thenRecords([{ type: 'BlobLinked', data: { ...linked(layer).data, mountedFrom: 'team/base' } }]));

  it('records nothing for a blob that is linked already', () =>
    repository(created, linked(layer)).when(link(layer)).thenNothing());

  it('links a blob again that was unlinked', () =>
    repository(created, linked(layer), unlinked(layer))
      .when(link(layer))
      .thenRecords([linked(layer)]));

  it('keeps the id of the repository, whatever id the command brings for a new one', () =>
    repository(created)
      .when({ ...link(layer), newRepositoryId: 'life-2', ownerId: 9 })
      .thenRecords([linked(layer)]));
});

describe('unlinking a blob', () => {
  it('records who let it go and how big it was', () =>
    repository(created, linked(layer))
      .when(unlink(layer))
      .thenRecords([unlinked(layer)]));

  it('says so when its bytes were missing', () =>
    repository(created, linked(layer))
      .when({ ...unlink(layer), cause: 'missing' })
      .thenRecords([unlinked(layer, 'missing')]));

  it('is refused while a manifest of the repository names the blob', async () => {
    await repository(...withImage)
      .when(unlink(layer))
      .thenRefuses('BLOB_REFERENCED', { digest: layer.digest });
    await repository(...withImage)
      .when(unlink(config))
      .thenRefuses('BLOB_REFERENCED', { digest: config.digest });
  });

  it('is allowed once the manifest is gone', () =>
    repository(...withImage, removed(image))
      .when(unlink(layer))
      .thenRecords([unlinked(layer)]));

  it('is refused while one of two manifests that share the blob is left', () =>
    repository(...withImage, linked(otherLayer), pushed(otherImage), removed(image))
      .when(unlink(config))
      .thenRefuses('BLOB_REFERENCED'));

  it('is refused for a blob that the repository never had, or has no longer', async () => {
    await repository(created).when(unlink(layer)).thenRefuses('BLOB_UNKNOWN', { digest: layer.digest });
    await repository(created, linked(layer), unlinked(layer)).when(unlink(layer)).thenRefuses('BLOB_UNKNOWN');
  });

  it('is refused where there is no repository', () =>
    repository().when(unlink(layer)).thenRefuses('REPOSITORY_UNKNOWN', unknownRepository));
});

describe('pushing a manifest', () => {
  const blobs = [created, linked(config), linked(layer)] as const;

  it('records the manifest with everything that it names, and then its tag', () =>
    repository(...blobs)
      .when(push(image, 'latest'))
      .thenRecords([pushed(image), tagged('latest', image)]));

  it('creates the repository when it is the first push', () =>
    repository()
      .when(push(imageOf('nothing in it'), 'latest'))
      .thenRecords([created, pushed(imageOf('nothing in it')), tagged('latest', imageOf('nothing in it'))]));

  it('by digest sets no tag', () =>
    repository(...blobs)
      .when(push(image))
      .thenRecords([pushed(image)]));

  it('sets several tags in the order in which they were asked for', () =>
    repository(...blobs)
      .when(push(image, 'v1', 'latest', 'a'))
      .thenRecords([pushed(image), tagged('v1', image), tagged('latest', image), tagged('a', image)]));

  it('sets a tag that was asked for twice once', () =>
    repository(...blobs)
      .when(push(image, 'v1', 'v1'))
      .thenRecords([pushed(image), tagged('v1', image)]));

  it('records its artifact type', () =>
    repository(...blobs)
      .when({ ...push(image), artifactType: 'application/vnd.example.sbom' })
      .thenRecords([{ type: 'ManifestPushed', data: { ...pushed(image).data, artifactType: 'application/vnd.example.sbom' } }]));

  it('to the same tag again records nothing', () =>
    repository(...withImage, tagged('latest', image))
      .when(push(image, 'latest'))
      .thenNothing());

  it('by digest again records nothing', () =>
    repository(...withImage)
      .when(push(image))
      .thenNothing());

  it('to another tag moves that tag only', () =>
    repository(...withImage, tagged('latest', image))
      .when(push(image, 'latest', 'v1'))
      .thenRecords([tagged('v1', image)]));

  it('moves a tag with the digest that it had and since when', () =>
    repository(...withImage, tagged('latest', image), linked(otherLayer))
      .when(push(otherImage, 'latest'))
      .thenRecords([
        pushed(otherImage),
        tagged('latest', otherImage, { digest: image.digest, since: at(4) }),
        released(image, 'tagMoved'),
      ]));

  it('sets a tag anew that was deleted', () =>
    repository(...withImage, tagged('latest', image), untagged('latest', image, at(4)))
      .when(push(image, 'latest'))
      .thenRecords([tagged('latest', image)]));

  it('stores a manifest again that was deleted', () =>
    repository(...withImage, removed(image))
      .when(push(image))
      .thenRecords([pushed(image)]));

  it('is refused with each missing digest and its role', async () => {
    await repository(created, linked(layer))
      .when(push(image, 'latest'))
      .thenRefuses('MANIFEST_BLOB_UNKNOWN', { missing: [{ digest: config.digest, role: 'config' }] });
    await repository()
      .when(push(image))
      .thenRefuses('MANIFEST_BLOB_UNKNOWN', {
        missing: [
          { digest: config.digest, role: 'config' },
          { digest: layer.digest, role: 'layer' },
        ],
      });
  });

  it('is refused when a blob that it names was unlinked', () =>
    repository(...blobs, unlinked(layer))
      .when(push(image))
      .thenRefuses('MANIFEST_BLOB_UNKNOWN'));

  it('takes a foreign layer that the repository does not have', async () => {
    const references = push(image).references.map((one) => ({ ...one, mayBeMissing: one.role === 'layer' }));
    await repository(created, linked(config))
      .when({ ...push(image), references })
      .thenRecords([pushed(image)]);
  });

  it('takes a subject that the repository does not have', async () => {
    const signature = imageOf('a signature', as('config', config), as('subject', content('signed later')));
    await repository(created, linked(config))
      .when(push(signature))
      .thenRecords([pushed(signature)]);
  });

  it('of an index needs the manifests in it', async () => {
    await repository(...withImage)
      .when(push(index))
      .thenRefuses('MANIFEST_BLOB_UNKNOWN', { missing: [{ digest: otherImage.digest, role: 'manifest' }] });
    await repository(...withImage, linked(otherLayer), pushed(otherImage))
      .when(push(index, 'latest'))
      .thenRecords([pushed(index), tagged('latest', index)]);
  });

  it('of an index may name plain blobs, as the caches of build tools do', () =>
    repository(...withImage)
      .when(push(indexOf('of blobs', layer)))
      .thenRecords([pushed(indexOf('of blobs', layer))]));

  it('of an image does not take a manifest for a layer', () =>
    repository(...withImage)
      .when(push(imageOf('of manifests', as('layer', image))))
      .thenRefuses('MANIFEST_BLOB_UNKNOWN'));
});

describe('a manifest that names a great deal', () => {
  const layers = (algorithm: 'sha256' | 'sha512') =>
    Array.from({ length: MOST_REFERENCES }, (_, n) => as('layer', { digest: digestOf(`layer ${n}`, algorithm), size: 10 ** 12 }));
  const pushForeign = (huge: Pushable): PushManifest => ({
    ...push(huge),
    references: huge.references.map((one) => ({ ...one, mayBeMissing: true })),
  });

  it('is taken up to the most references there may be, even if each is a layer of a terabyte', () =>
    repository(created)
      .when(pushForeign(imageOf('a huge image', ...layers('sha256'))))
      .thenRecords([pushed(imageOf('a huge image', ...layers('sha256')))]));

  it('is refused when they do not fit into one event', () =>
    repository(created)
      .when(pushForeign(imageOf('a huge image', ...layers('sha512'))))
      .thenRefuses('MANIFEST_INVALID', { references: MOST_REFERENCES }));
});

describe('deleting a tag', () => {
  it('records what it pointed at and since when, and keeps the manifest', () =>
    repository(...withImage, tagged('latest', image))
      .when(untag('latest'))
      .thenRecords([untagged('latest', image, at(4)), released(image, 'tagDeleted')]));

  it('leaves other tags of the manifest alone', () =>
    repository(...withImage, tagged('latest', image), tagged('v1', image))
      .when(untag('v1'))
      .thenRecords([untagged('v1', image, at(5))]));

  it('is refused for a tag that is not there, or not any more', async () => {
    await repository(...withImage)
      .when(untag('latest'))
      .thenRefuses('TAG_UNKNOWN', { tag: 'latest' });
    await repository(...withImage, tagged('latest', image), untagged('latest', image, at(4)))
      .when(untag('latest'))
      .thenRefuses('TAG_UNKNOWN');
  });

  it('is refused where there is no repository', () =>
    repository().when(untag('latest')).thenRefuses('REPOSITORY_UNKNOWN', unknownRepository));
});

describe('deleting a manifest', () => {
  it('records what it releases', () =>
    repository(...withImage)
      .when(remove(image))
      .thenRecords([removed(image)]));

  it('takes its tags first and itself last', () =>
    repository(...withImage, tagged('b', image), tagged('a', image))
      .when(remove(image))
      .thenRecords([
        untagged('a', image, at(5), 'manifestDeleted'),
        untagged('b', image, at(4), 'manifestDeleted'),
        removed(image),
      ]));

  it('leaves tags alone that have moved on to another manifest', () =>
    repository(
      ...withImage,
      tagged('latest', image),
      linked(otherLayer),
      pushed(otherImage),
      tagged('latest', otherImage, { digest: image.digest, since: at(4) }),
    )
      .when(remove(image))
      .thenRecords([removed(image)]));

  it('takes a tag that moved away and came back', () =>
    repository(
      ...withImage,
      tagged('latest', image),
      linked(otherLayer),
      pushed(otherImage),
      tagged('latest', otherImage, { digest: image.digest, since: at(4) }),
      tagged('latest', image, { digest: otherImage.digest, since: at(7) }),
    )
      .when(remove(image))
      .thenRecords([untagged('latest', image, at(8), 'manifestDeleted'), removed(image)]));

  it('keeps what names it: an index outlives the manifests in it', () =>
    repository(...withImage, linked(otherLayer), pushed(otherImage), pushed(index))
      .when(remove(image))
      .thenRecords([removed(image)]));

  it('is refused for a manifest that is not there, or not any more', async () => {
    const { digest } = image;
    await repository(created, linked(layer)).when(remove(image)).thenRefuses('MANIFEST_UNKNOWN', { digest });
    await repository(...withImage, removed(image))
      .when(remove(image))
      .thenRefuses('MANIFEST_UNKNOWN', { digest });
  });

  it('is refused where there is no repository', () =>
    repository().when(remove(image)).thenRefuses('REPOSITORY_UNKNOWN', unknownRepository));
});

describe('deleting a manifest with more tags than one append takes', () => {
  const name = (n: number): string => `t${String(n).padStart(4, '0')}`;
  const tagFacts = (tags: number) => Array.from({ length: tags }, (_, n) => tagged(name(n), image));
  const untagFacts = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) =>
      untagged(name(from + n), image, at(withImage.length + from + n), 'manifestDeleted'),
    );

  it('goes in one append as long as the tags fit', () =>
    repository(...withImage, ...tagFacts(TAGS_PER_APPEND))
      .when(remove(image))
      .thenRecords([...untagFacts(0, TAGS_PER_APPEND), removed(image)]));

  it('takes only tags at first', () =>
    repository(...withImage, ...tagFacts(TAGS_PER_APPEND + 1))
      .when(remove(image))
      .thenRecords(untagFacts(0, TAGS_PER_APPEND)));

  it('takes the manifest with the last of them', () =>
    repository(...withImage, ...tagFacts(TAGS_PER_APPEND + 1), ...untagFacts(0, TAGS_PER_APPEND))
      .when(remove(image))
      .thenRecords([...untagFacts(TAGS_PER_APPEND, TAGS_PER_APPEND + 1), removed(image)]));
});

describe('a repository in another life', () => {
  const secondLife = { ...created.data, repositoryId: 'life-2' };

  it('has nothing of what it had in the first', async () => {
    const history = [...withImage, tagged('latest', image), { type: 'RepositoryCreated', data: secondLife }] as const;
    await repository(...history)
      .when(untag('latest'))
      .thenRefuses('TAG_UNKNOWN');
    await repository(...history)
      .when(remove(image))
      .thenRefuses('MANIFEST_UNKNOWN');
    await repository(...history)
      .when(link(layer))
      .thenRecords([{ type: 'BlobLinked', data: { ...linked(layer).data, repositoryId: 'life-2' } }]);
  });
});

describe('commands to a repository', () => {
  it('name digests of either algorithm', async () => {
    const blob = { digest: digestOf('a layer', 'sha512') as Digest, size: 7 };
    await repository(created)
      .when(link(blob))
      .thenRecords([linked(blob)]);
    await repository(created, linked(blob))
      .when(unlink(blob))
      .thenRecords([unlinked(blob)]);
    await repository(created, linked(blob)).when(unlink(layer)).thenRefuses('BLOB_UNKNOWN');
  });
});

describe('pushing a manifest on a condition', () => {
  const onlyIf = (precondition: NonNullable<PushManifest['precondition']>): PushManifest => ({
    ...push(otherImage, 'latest'),
    precondition: { tag: 'latest', ...precondition },
  });
  const tagOnImage = [...withImage, linked(otherLayer), tagged('latest', image)] as const;
  const moved = [
    pushed(otherImage),
    tagged('latest', otherImage, { digest: image.digest, since: at(5) }),
    released(image, 'tagMoved'),
  ];

  for (const [what, precondition] of [
    ['the tag points at the digest', { ifMatch: [image.digest] }],
    ['the tag points at one of the digests', { ifMatch: [otherImage.digest, image.digest] }],
    ['there is such a tag', { ifMatch: '*' }],
    ['the tag points at none of the digests', { ifNoneMatch: [otherImage.digest] }],
  ] as const)
    it(`happens when ${what}`, () =>
      repository(...tagOnImage)
        .when(onlyIf(precondition))
        .thenRecords(moved));

  for (const [what, precondition] of [
    ['the tag points elsewhere', { ifMatch: [otherImage.digest] }],
    ['no digest is named', { ifMatch: [] }],
    ['there is a tag where there may be none', { ifNoneMatch: '*' }],
    ['the tag points at the digest where it may not', { ifNoneMatch: [image.digest] }],
    ['only one of two conditions holds', { ifMatch: '*', ifNoneMatch: '*' }],
  ] as const)
    it(`is refused when ${what}, and told where the tag points`, () =>
      repository(...tagOnImage)
        .when(onlyIf(precondition))
        .thenRefuses('PRECONDITION_FAILED', { tag: 'latest', digest: image.digest }));

  it('takes a tag that is not there for none', async () => {
    const untaggedImage = [...withImage, linked(otherLayer)] as const;
    await repository(...untaggedImage)
      .when(onlyIf({ ifNoneMatch: '*' }))
      .thenRecords([pushed(otherImage), tagged('latest', otherImage)]);
    await repository(...untaggedImage)
      .when(onlyIf({ ifMatch: '*' }))
      .thenRefuses('PRECONDITION_FAILED', { tag: 'latest', digest: null });
    await repository(...tagOnImage, untagged('latest', image, at(5)))
      .when(onlyIf({ ifMatch: [image.digest] }))
      .thenRefuses('PRECONDITION_FAILED', { tag: 'latest', digest: null });
  });

  it('creates no repository when it is refused', () =>
    repository()
      .when({ ...push(image, 'latest'), precondition: { tag: 'latest', ifMatch: '*' } })
      .thenRefuses('PRECONDITION_FAILED'));

  it('looks at the manifest itself where no tag is named', async () => {
    const { precondition: _none, ...byDigest } = onlyIf({});
    await repository(...tagOnImage)
      .when({ ...byDigest, ...push(image), precondition: { ifNoneMatch: '*' } })
      .thenRefuses('PRECONDITION_FAILED', { tag: null, digest: image.digest });
    await repository(...tagOnImage)
      .when({ ...push(otherImage), precondition: { ifNoneMatch: '*' } })
      .thenRecords([pushed(otherImage)]);
  });
});
