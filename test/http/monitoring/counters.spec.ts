import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { pushBlob, pushImage, pushManifest } from '../../support/http.ts';
import { type Image, randomImage } from '../../support/images.ts';
import { get, stateOf } from './calls.ts';

const blobsOf = ({ config, layers }: Image) => [config, ...layers];
const bytesOf = (image: Image): number => blobsOf(image).reduce((sum, { bytes }) => sum + bytes.length, 0);

type Counters = Readonly<Record<string, number>>;

describe('the counters of the monitoring API', () => {
  const registry = registryFor();
  const stats = async (): Promise<Counters> => (await get(registry().admin, '/api/garbage-collect/stats')) as Counters;
  const repositories = async (): Promise<number | undefined> => (await stateOf(registry())).summary.totalRepositories;

  /** What some requests change of each counter. */
  const changeBy = async (requests: () => Promise<unknown>): Promise<Counters> => {
    const before = await stats();
    await requests();
    const after = await stats();
    const changes = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)] as const);
    return Object.fromEntries(changes.filter(([, change]) => change !== 0));
  };
  const remove = (path: string) => registry().admin.send('DELETE', path);

  it('`totalBlobs,totalManifests,unreferencedBlobs,orphanedManifests,estimatedSpaceToFree`, flat, and what awaits reclaiming', async () => {
    expect(await stats()).to.deep.equal({
      totalBlobs: 0,
      totalManifests: 0,
      unreferencedBlobs: 0,
      orphanedManifests: 0,
      estimatedSpaceToFree: 0,
      recoverableBlobs: 0,
      recoverableBytes: 0,
    });
  });

  it('`totalBlobs`: finished blobs, each digest once for the whole registry; manifests are not blobs', async () => {
    const image = randomImage('counters: blobs');
    expect(await changeBy(() => pushImage(registry().admin, 'blobs/one', 'latest', image))).to.deep.equal({
      totalBlobs: 4,
      totalManifests: 1,
    });
    expect(await changeBy(() => pushImage(registry().admin, 'blobs/two', 'latest', image))).to.deep.equal({ totalManifests: 1 });
  });

  it('`totalManifests`: two tags on one digest count twice; pushing the same tag again does not add', async () => {
    const image = randomImage('counters: manifests');
    const { admin } = registry();
    await pushImage(admin, 'manifests', 'one', image);
    expect(await changeBy(() => pushManifest(admin, 'manifests', 'two', image.manifest))).to.deep.equal({ totalManifests: 1 });
    expect(await changeBy(() => pushManifest(admin, 'manifests', 'two', image.manifest))).to.deep.equal({});
  });

  it('`totalManifests`: one per manifest pushed by digest', async () => {
    const image = randomImage('counters: by digest');
    for (const blob of blobsOf(image)) await pushBlob(registry().admin, 'digests', blob);
    const push = () => pushManifest(registry().admin, 'digests', image.manifest.digest, image.manifest);
    expect(await changeBy(push)).to.include({ totalManifests: 1 });
    expect(await changeBy(push)).to.deep.equal({});
  });

  it('`totalRepositories`: names with at least one manifest; a repository disappears with its last manifest', async () => {
    const image = randomImage('counters: repositories');
    const before = (await repositories()) ?? 0;
    for (const blob of blobsOf(image)) await pushBlob(registry().admin, 'counted', blob);
    expect(await repositories(), 'blobs make none').to.equal(before);
    await pushManifest(registry().admin, 'counted', 'latest', image.manifest);
    expect(await repositories()).to.equal(before + 1);
    await remove(`/v2/counted/manifests/${image.manifest.digest}`);
    expect(await repositories()).to.equal(before);
  });

  it('`unreferencedBlobs` and `estimatedSpaceToFree`, the sum of their sizes: a half-finished push raises both at once', async () => {
    const image = randomImage('counters: half');
    const push = async () => {
      for (const blob of blobsOf(image)) await pushBlob(registry().admin, 'half', blob);
    };
    const raised = { totalBlobs: 4, unreferencedBlobs: 4, estimatedSpaceToFree: bytesOf(image) };
    expect(await changeBy(push)).to.deep.equal(raised);
    expect(await changeBy(() => pushManifest(registry().admin, 'half', 'latest', image.manifest))).to.deep.equal({
      totalManifests: 1,
      unreferencedBlobs: -4,
      estimatedSpaceToFree: -bytesOf(image),
    });
  });

  it('`orphanedManifests`: the number the next collection would remove, so a deleted tag raises it and a pushed one lowers it', async () => {
    const image = randomImage('counters: orphans');
    await pushImage(registry().admin, 'orphans', 'latest', image);
    expect(await changeBy(() => remove('/v2/orphans/manifests/latest'))).to.deep.equal({ orphanedManifests: 1 });
    expect(await changeBy(() => pushManifest(registry().admin, 'orphans', 'again', image.manifest))).to.deep.equal({
      orphanedManifests: -1,
    });
  });

  it('a deleted manifest leaves its blobs unreferenced', async () => {
    const image = randomImage('counters: deleted');
    await pushImage(registry().admin, 'deleted', 'latest', image);
    expect(await changeBy(() => remove(`/v2/deleted/manifests/${image.manifest.digest}`))).to.deep.equal({
      totalManifests: -1,
      unreferencedBlobs: 4,
      estimatedSpaceToFree: bytesOf(image),
    });
  });

  it('`DELETE /v2/<name>`: counters fall before the answer', async () => {
    const image = randomImage('counters: repository');
    await pushImage(registry().admin, 'whole', 'one', image);
    await pushImage(registry().admin, 'whole', 'two', image);
    expect(await changeBy(() => remove('/v2/whole'))).to.deep.equal({
      ...{ totalBlobs: -4, totalManifests: -2 },
      ...{ recoverableBlobs: 4, recoverableBytes: bytesOf(image) },
    });
  });

  it('are the same wherever they stand', async () => {
    const { admin } = registry();
    const { summary, storage } = await stateOf(registry());
    const { totalRepositories, position: _position, ...counters } = summary;
    expect(await stats()).to.deep.equal(counters);
    const { metrics } = await get(admin, '/api/registry/health');
    expect(metrics).to.deep.include({
      totalRepositories,
      totalManifests: counters.totalManifests,
      totalBlobs: counters.totalBlobs,
    });
    expect(storage.uniqueBlobs).to.equal(counters.totalBlobs);
  });

  it('`/api/web/status`: `repositories` a count, `lastGcRun` the constant of a registry that has collected nothing, `version` `"2.0"`', async () => {
    const { summary } = await stateOf(registry());
    const { uptime, ...status } = await get(registry().admin, '/api/web/status');
    expect(status).to.deep.equal({
      repositories: summary.totalRepositories,
      totalBlobs: summary.totalBlobs,
      totalManifests: summary.totalManifests,
      unreferencedBlobs: summary.unreferencedBlobs,
      estimatedSpaceToFree: summary.estimatedSpaceToFree,
      lastGcRun: '2024-01-01T00:00:00Z',
      logStreamClients: 0,
      version: '2.0',
    });
    expect(uptime).to.be.a('number');
  });
});
