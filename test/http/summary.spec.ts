import { expect } from 'chai';
import { repositoryDecider } from '../../src/commands/repository.ts';
import { systemContext } from '../../src/firstStart.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { registryFor } from '../support/app.ts';
import { type HttpClient, pushBlob, pushImage, pushManifest } from '../support/http.ts';
import { type Blob, indexOf, noise, randomImage } from '../support/images.ts';
import { exchange, jsonOf } from './exchanges.ts';

type Counters = Readonly<Record<string, number>>;

/** The counters that the monitoring API shows, those that are 0 left out. */
const countersOf = async (client: HttpClient): Promise<Counters> => {
  const { summary, storage } = jsonOf(await exchange(client, ['GET', '/api/registry/state?limit=1'], { status: 200 })) as {
    summary: Counters & { position: string };
    storage: Counters;
  };
  const { position: _position, ...counters } = summary;
  const { totalBytes = 0, uniqueBytes = 0 } = storage;
  return Object.fromEntries(Object.entries({ ...counters, totalBytes, uniqueBytes }).filter(([, count]) => count !== 0));
};

/** What has changed between two looks. */
const changeBetween = (before: Counters, after: Counters): Counters =>
  Object.fromEntries(
    [...new Set([...Object.keys(before), ...Object.keys(after)])]
      .map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)] as const)
      .filter(([, change]) => change !== 0),
  );

const IMAGE = randomImage('counted', { layers: 2 });
const OTHER = randomImage('also counted', { layers: 2 });
const sizeOf = (blobs: readonly Blob[]): number => blobs.reduce((sum, { bytes }) => sum + bytes.length, 0);
const SIZE = sizeOf([IMAGE.config, ...IMAGE.layers]);
const OTHER_SIZE = sizeOf([OTHER.config, ...OTHER.layers]);
const stray = (seed: string): Blob => {
  const bytes = noise(321, seed);
  return { digest: digestOf(bytes), bytes, mediaType: 'application/octet-stream' };
};

describe('the counters of a registry', () => {
  const registry = registryFor();
  let admin: HttpClient;
  before(() => {
    admin = registry().admin;
  });

  /** What a piece of work changes, as the next request shows it. */
  const changeBy = async (work: () => Promise<unknown>): Promise<Counters> => {
    const before = await countersOf(admin);
    await work();
    return changeBetween(before, await countersOf(admin));
  };
  const remove = (path: string, status = 202) => exchange(admin, ['DELETE', path], { status });

  it('rise with a push: blobs, bytes, a repository and a manifest', async () => {
    expect(await changeBy(() => pushImage(admin, 'c/one', 'v1', IMAGE))).to.deep.equal({
      ...{ totalRepositories: 1, totalManifests: 1, totalBlobs: 3, totalBytes: SIZE, uniqueBytes: SIZE },
    });
  });

  it('count a new tag on an old digest as a manifest, and the same push again not at all', async () => {
    expect(await changeBy(() => pushManifest(admin, 'c/one', 'v2', IMAGE.manifest))).to.deep.equal({ totalManifests: 1 });
    expect(await changeBy(() => pushImage(admin, 'c/one', 'v2', IMAGE))).to.deep.equal({});
  });

  it('count a blob that two repositories have once, and its bytes for each', async () => {
    expect(await changeBy(() => pushImage(admin, 'c/two', 'v1', IMAGE))).to.deep.equal({
      ...{ totalRepositories: 1, totalManifests: 1, totalBytes: SIZE },
    });
  });

  it('show a blob that no manifest names as unreferenced, with its size: "a half-finished push does too"', async () => {
    const blob = stray('half-finished');
    const change = { totalBlobs: 1, totalBytes: 321, uniqueBytes: 321, unreferencedBlobs: 1, estimatedSpaceToFree: 321 };
    expect(await changeBy(() => pushBlob(admin, 'c/one', blob))).to.deep.equal(change);
    const undone = Object.fromEntries(Object.entries(change).map(([name, count]) => [name, -count]));
    const recoverable = { recoverableBlobs: 1, recoverableBytes: 321 };
    expect(await changeBy(() => remove(`/v2/c/one/blobs/${blob.digest}`))).to.deep.equal({ ...undone, ...recoverable });
  });

  it('show a blob that nobody links any more as recoverable until some repository links it again', async () => {
    const blob = stray('recoverable');
    await pushBlob(admin, 'c/one', blob);
    await pushBlob(admin, 'c/two', blob);
    const recoverable = { recoverableBlobs: 1, recoverableBytes: 321 };
    expect(await changeBy(() => remove(`/v2/c/one/blobs/${blob.digest}`))).not.to.have.any.keys('recoverableBlobs');
    expect(await changeBy(() => remove(`/v2/c/two/blobs/${blob.digest}`))).to.include(recoverable);
    const linkedAgain = await changeBy(() => pushBlob(admin, 'c/two', blob));
    expect(linkedAgain).to.include({ totalBlobs: 1, recoverableBlobs: -1, recoverableBytes: -321 });
    await remove(`/v2/c/two/blobs/${blob.digest}`);
  });

  it('show a manifest as orphaned once its last tag was deleted, and no more when it is tagged again', async () => {
    await pushImage(admin, 'c/orphan', 'v1', IMAGE);
    await pushManifest(admin, 'c/orphan', 'v2', IMAGE.manifest);
    expect(await changeBy(() => remove('/v2/c/orphan/manifests/v1'))).to.deep.equal({ totalManifests: -1 });
    expect(await changeBy(() => remove('/v2/c/orphan/manifests/v2'))).to.deep.equal({ orphanedManifests: 1 });
    expect(await changeBy(() => pushManifest(admin, 'c/orphan', 'v3', IMAGE.manifest))).to.deep.equal({ orphanedManifests: -1 });
  });

  it('show what an index has listed as orphaned with the deletion of the index', async () => {
    const { manifest } = indexOf([IMAGE, OTHER]);
    for (const image of [IMAGE, OTHER]) {
      await pushImage(admin, 'c/index', image.manifest.digest, image);
    }
    expect(await changeBy(() => pushManifest(admin, 'c/index', 'multi', manifest))).to.deep.equal({ totalManifests: 1 });
    expect(await changeBy(() => remove(`/v2/c/index/manifests/${manifest.digest}`))).to.deep.equal({
      ...{ totalManifests: -1, orphanedManifests: 2 },
    });
  });

  it('keep a manifest whose tag moved away out of the orphaned ones, for the time that it is retained', async () => {
    await pushImage(admin, 'c/moved', 'latest', IMAGE);
    await pushImage(admin, 'c/moved', 'other', OTHER);
    expect(await changeBy(() => pushManifest(admin, 'c/moved', 'latest', OTHER.manifest))).to.deep.equal({ totalManifests: 1 });
  });

  it('show the blobs of a manifest as unreferenced once no repository has one that names them', async () => {
    const single = randomImage('in one place', { layers: 1 });
    const size = sizeOf([single.config, ...single.layers]);
    await pushImage(admin, 'c/gone', 'v1', single);
    expect(await changeBy(() => remove(`/v2/c/gone/manifests/${single.manifest.digest}`))).to.deep.equal({
      ...{ totalRepositories: -1, totalManifests: -1, unreferencedBlobs: 2, estimatedSpaceToFree: size },
    });
  });

  for (const [path, status] of [
    ['/v2/c/whole', 202],
    ['/api/v1/repositories/c/whole', 204],
  ] as const)
    it(`"fall before the answer" to DELETE ${path}, however much there is to record`, async () => {
      const before = await countersOf(admin);
      await pushImage(admin, 'c/whole', 'v0', IMAGE);
      await pushBlob(admin, 'c/whole', stray(path));
      const { app } = registry();
      const tags = Array.from({ length: 190 }, (_, n) => `t${n}`);
      for (let half = 0; half < 3; half += 1) {
        const digest = digestOf(IMAGE.manifest.bytes);
        const { mediaType, bytes } = IMAGE.manifest;
        const { position } = await app.execute(
          app.streams.repository('c/whole'),
          repositoryDecider,
          {
            ...{ type: 'PushManifest', repository: 'c/whole', digest, mediaType, size: bytes.length, references: [] },
            ...{ tags: tags.map((tag) => `${tag}-${half}`), newRepositoryId: 'none', ownerId: null },
          },
          systemContext(),
        );
        await app.reached(position);
      }
      expect(changeBetween(before, await countersOf(admin))).to.include({ totalManifests: 571, totalRepositories: 1 });
      await remove(path, status);
      expect(changeBetween(before, await countersOf(admin))).to.deep.equal({ recoverableBlobs: 1, recoverableBytes: 321 });
    });
});

describe('with GHOSTDOCK_RETAIN_UNTAGGED=0', () => {
  const registry = registryFor({ GHOSTDOCK_RETAIN_UNTAGGED: '0' });

  it('a manifest that a tag has moved away from is orphaned at once', async () => {
    const { admin } = registry();
    await pushImage(admin, 'r/moved', 'latest', IMAGE);
    await pushImage(admin, 'r/moved', 'latest', OTHER);
    expect(await countersOf(admin)).to.include({ totalManifests: 2, orphanedManifests: 1, uniqueBytes: SIZE + OTHER_SIZE });
  });
});
