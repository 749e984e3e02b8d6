import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { pushBlob, pushImage, pushManifest, sendChunk, startUpload } from '../../support/http.ts';
import { type Image, imageOf, randomImage, tarOf } from '../../support/images.ts';
import { jsonOf } from '../exchanges.ts';
import { get, monitored, stateOf } from './calls.ts';

type Listed = Readonly<{ digest: string; size: number; created: number; referenceCount: number; repositoryCount: number }>;
type Blobs = Readonly<{ totalBlobs: number; uniqueBlobs: number; totalBytes: number; uniqueBytes: number }> &
  Readonly<{ deduplicationRatio: number; blobs: readonly Listed[]; timestamp: number }>;

const SHARED = tarOf({ shared: 'a layer that both have' });
const [ONE, TWO] = [imageOf([SHARED, tarOf({ one: '1' })]), imageOf([SHARED, tarOf({ two: '2' })])];
const blobsOf = ({ config, layers }: Image) => [config, ...layers];
const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
const bytesOf = (image: Image): number => sum(blobsOf(image).map(({ bytes }) => bytes.length));
const [SHARED_LAYER] = ONE.layers as [Image['layers'][number]];

describe('the blobs of the monitoring API', () => {
  const registry = registryFor();
  const list = async (query = ''): Promise<Blobs> =>
    (await get(registry().admin, `/api/registry/blobs${query}`)) as unknown as Blobs;
  const text = async (query = ''): Promise<string> => (await registry().admin.send('GET', `/api/blobs${query}`)).body.toString();
  let begun = 0;

  before(async () => {
    const { admin } = registry();
    begun = Date.now();
    await pushImage(admin, 'one', 'latest', ONE);
    await pushImage(admin, 'one', 'copy', ONE);
    await pushImage(admin, 'two', 'latest', TWO);
    await pushImage(admin, 'again', 'latest', ONE);
    await sendChunk(admin, await startUpload(admin, 'one'), Buffer.from('half a layer'));
  });

  const distinct = new Map([...blobsOf(ONE), ...blobsOf(TWO)].map((blob) => [blob.digest, blob]));

  it('GET /api/registry/blobs “returns information about all blobs stored in the registry”: finished blobs only, so it equals `summary.totalBlobs`', async () => {
    const { totalBlobs, uniqueBlobs, blobs, timestamp } = await list();
    expect(blobs.map(({ digest }) => digest)).to.deep.equal([...distinct.keys()].sort((a, b) => (a < b ? -1 : 1)));
    for (const { digest, size, created } of blobs) {
      expect(size).to.equal(distinct.get(digest)?.bytes.length);
      expect(created).to.be.within(begun, timestamp);
    }
    expect({ totalBlobs, uniqueBlobs }).to.deep.equal({ totalBlobs: distinct.size, uniqueBlobs: distinct.size });
    expect((await stateOf(registry())).summary.totalBlobs).to.equal(totalBlobs);
  });

  it('tells how many manifests name a blob, and how many repositories hold it', async () => {
    const { blobs } = await list();
    const of = (digest: string) => blobs.find((blob) => blob.digest === digest);
    expect(of(SHARED_LAYER.digest)).to.include({ referenceCount: 3, repositoryCount: 3 });
    expect(of(TWO.config.digest)).to.include({ referenceCount: 1, repositoryCount: 1 });
  });

  it('also `uniqueBlobs`,`totalBytes`,`uniqueBytes`,`deduplicationRatio`', async () => {
    const { totalBytes, uniqueBytes, deduplicationRatio } = await list();
    expect(totalBytes).to.equal(2 * bytesOf(ONE) + bytesOf(TWO));
    expect(uniqueBytes).to.equal(sum([...distinct.values()].map(({ bytes }) => bytes.length)));
    expect(deduplicationRatio).to.equal(uniqueBytes / totalBytes);
  });

  it('`/api/blobs`: text/plain, one digest per line each ended by `\\n`', async () => {
    const answer = await registry().admin.send('GET', '/api/blobs');
    expect(answer.status).to.equal(200);
    expect(answer.headers['content-type']).to.equal('text/plain; charset=utf-8');
    const { blobs } = await list();
    expect(answer.body.toString()).to.equal(blobs.map(({ digest }) => `${digest}\n`).join(''));
  });

  it('can be had in parts with `limit` and `after`', async () => {
    const whole = (await list()).blobs;
    const parts: Listed[] = [];
    for (let part = await list('?limit=2'); part.blobs.length > 0; part = await list(`?limit=2&after=${parts.at(-1)?.digest}`)) {
      expect(part.totalBlobs).to.equal(whole.length);
      expect(part.blobs.length).to.be.at.most(2);
      parts.push(...part.blobs);
    }
    expect(parts).to.deep.equal(whole);
    expect(await text(`?limit=1&after=${whole[0]?.digest}`)).to.equal(`${whole[1]?.digest}\n`);
    expect(await text('?limit=0')).to.equal('');
  });

  for (const path of ['/api/registry/blobs?after=latest', '/api/blobs?after=sha256:1', '/api/blobs?limit=-3'])
    it(`refuses what is no part of it: ${path}`, async () => {
      const answer = await registry().admin.send('GET', path);
      expect(answer.status).to.equal(400);
      expect(monitored('GET', path, answer).message).to.match(/^(after|limit) must be /);
    });

  it('`/api/registry/storage`: `storage`, `blobs` and `mostReferencedBlobs[<=10]{digest,referenceCount,size}`', async () => {
    const { storage, blobs, mostReferencedBlobs } = (await get(registry().admin, '/api/registry/storage')) as Readonly<{
      storage: Readonly<Record<string, number>>;
      blobs: unknown;
      mostReferencedBlobs: readonly Listed[];
    }>;
    const { totalBytes, uniqueBytes, deduplicationRatio } = await list();
    expect(storage).to.deep.equal({
      totalBytes,
      uniqueBytes,
      spaceSavings: totalBytes - uniqueBytes,
      spaceSavingsPercent: (100 * (totalBytes - uniqueBytes)) / totalBytes,
      recoverableBlobs: 0,
      recoverableBytes: 0,
      deduplicationRatio,
    });
    // Three manifests of three blobs each name five.
    expect(blobs).to.deep.equal({ totalBlobs: 5, uniqueBlobs: 5, averageReferencesPerBlob: 9 / 5 });
    expect(mostReferencedBlobs[0]).to.deep.equal({
      digest: SHARED_LAYER.digest,
      referenceCount: 3,
      size: SHARED_LAYER.bytes.length,
    });
    expect(mostReferencedBlobs.map(({ referenceCount }) => referenceCount)).to.deep.equal([3, 2, 2, 1, 1]);
  });

  it('`mostReferencedBlobs[<=10]`, however many there are', async () => {
    await pushImage(registry().admin, 'wide', 'latest', randomImage('monitored blobs', { layers: 12, size: 10 }));
    const { mostReferencedBlobs } = await get(registry().admin, '/api/registry/storage');
    expect(mostReferencedBlobs).to.have.length(10);
  });

  it('are gone with the last repository that holds them, and not before', async () => {
    const { admin } = registry();
    const has = async (digest: string): Promise<boolean> => (await text()).includes(digest);
    await admin.send('DELETE', '/v2/again');
    expect(await has(ONE.config.digest)).to.equal(true);
    await admin.send('DELETE', '/v2/one');
    expect(await has(ONE.config.digest)).to.equal(false);
    expect(await has(SHARED_LAYER.digest)).to.equal(true);
  });

  it('are there as soon as a push has finished them, named by a manifest or not', async () => {
    const { admin } = registry();
    const [config] = blobsOf(randomImage('monitored: unnamed')) as [Image['config']];
    await pushBlob(admin, 'two', config);
    expect((await list()).blobs.find(({ digest }) => digest === config.digest)).to.include({ referenceCount: 0 });
    await pushManifest(admin, 'two', TWO.manifest.digest, TWO.manifest);
    expect(await text()).not.to.contain(TWO.manifest.digest);
  });
});

describe('GET /api/registry/storage of an empty registry', () => {
  const registry = registryFor();

  it('`deduplicationRatio` (double, unique/total, 0.0 when empty), and so the others', async () => {
    const answer = await registry().admin.send('GET', '/api/registry/storage');
    const { timestamp: _timestamp, ...rest } = jsonOf(answer);
    expect(rest).to.deep.equal({
      storage: {
        totalBytes: 0,
        uniqueBytes: 0,
        spaceSavings: 0,
        deduplicationRatio: 0,
        spaceSavingsPercent: 0,
        recoverableBlobs: 0,
        recoverableBytes: 0,
      },
      blobs: { totalBlobs: 0, uniqueBlobs: 0, averageReferencesPerBlob: 0 },
      mostReferencedBlobs: [],
    });
  });
});
