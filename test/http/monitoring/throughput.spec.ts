import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { basic, expectStatus, pushBlob, pushManifest, startUpload } from '../../support/http.ts';
import { digestOf, randomImage } from '../../support/images.ts';
import { waitUntil } from '../../support/processes.ts';
import { ADMIN, PASSWORD } from '../../support/registryProcess.ts';
import { connection, head } from '../raw.ts';
import { get } from './calls.ts';

type Rate = Readonly<{ current: number; average: number; totalBytes: number }>;
type Category = 'BLOB_UPLOAD' | 'BLOB_DOWNLOAD' | 'MANIFEST_UPLOAD' | 'MANIFEST_DOWNLOAD';
type Throughput = Readonly<{
  timestamp: number;
  categories: Readonly<Record<Category, Rate>>;
  overall: Readonly<Record<'read' | 'write' | 'total', Rate>>;
}>;

const MIB = 1024 * 1024;
const PATH = '/api/throughput/current';

describe('GET /api/throughput/current', () => {
  let time = 1_000_000;
  const registry = registryFor({}, { live: { now: () => time } });
  const current = async (): Promise<Throughput> => (await get(registry().admin, PATH)) as unknown as Throughput;
  const bytesOf = async (category: Category): Promise<number> => (await current()).categories[category].totalBytes;
  // Nothing moves for 5 s, by the clock of the registry.
  beforeEach(() => {
    time += 5000;
  });

  it('has timestamp, categories and overall; every leaf has current, average and totalBytes', async () => {
    const answer = await current();
    expect(answer).to.have.all.keys('timestamp', 'categories', 'overall');
    expect(answer.timestamp).to.be.closeTo(Date.now(), 60_000);
    expect(answer.categories).to.have.all.keys('BLOB_UPLOAD', 'BLOB_DOWNLOAD', 'MANIFEST_UPLOAD', 'MANIFEST_DOWNLOAD');
    expect(answer.overall).to.have.all.keys('read', 'write', 'total');
    for (const leaf of [...Object.values(answer.categories), ...Object.values(answer.overall)])
      expect(leaf).to.deep.equal({ current: 0, average: 0, totalBytes: 0 });
  });

  it('counts every category; read is downloads, write uploads, total their sum', async () => {
    const { admin } = registry();
    const image = randomImage('throughput', { layers: 1 });
    const [layer] = image.layers;
    if (layer === undefined) throw new Error('The image has a layer.');
    await pushBlob(admin, 'a/image', image.config);
    await pushBlob(admin, 'a/image', layer);
    await pushManifest(admin, 'a/image', 'latest', image.manifest);
    for (const path of [`manifests/latest`, `manifests/${image.manifest.digest}`, `blobs/${layer.digest}`])
      expectStatus(path, await admin.send('GET', `/v2/a/image/${path}`), 200);
    const { categories, overall } = await current();
    const uploaded = layer.bytes.length + image.config.bytes.length;
    const manifest = image.manifest.bytes.length;
    // Of the last 5 s at most, and 100 ms less at least.
    const totalsOf = (rates: Readonly<Record<string, Rate>>): Readonly<Record<string, number>> =>
      Object.fromEntries(Object.entries(rates).map(([name, { totalBytes }]) => [name, totalBytes]));
    const [blob, read, write] = [layer.bytes.length, layer.bytes.length + 2 * manifest, uploaded + manifest];
    expect(totalsOf(categories)).to.deep.equal({
      BLOB_UPLOAD: uploaded,
      BLOB_DOWNLOAD: blob,
      MANIFEST_UPLOAD: manifest,
      MANIFEST_DOWNLOAD: 2 * manifest,
    });
    expect(totalsOf(overall)).to.deep.equal({ read, write, total: read + write });
    for (const pace of ['current', 'average'] as const)
      expect(overall.total[pace], pace).to.be.closeTo(overall.read[pace] + overall.write[pace], 1e-6);
  });

  it('gives bytes per second: of the last second as current, of about 5 s as average', async () => {
    const { admin } = registry();
    const bytes = randomBytes(50_000);
    await pushBlob(admin, 'a/image', { bytes, digest: digestOf(bytes), mediaType: 'application/octet-stream' });
    time += 90;
    const { current: now, average } = (await current()).categories.BLOB_UPLOAD;
    expect(now).to.be.closeTo(50_000 / 0.99, 1);
    expect(average).to.be.closeTo(50_000 / 4.99, 1);
    time += 1000;
    expect((await current()).categories.BLOB_UPLOAD).to.include({ current: 0, totalBytes: 0 });
  });

  it('counts nothing for HEAD, for what is not modified and for what is refused', async () => {
    const { admin } = registry();
    const image = randomImage('throughput', { layers: 1 });
    await admin.send('HEAD', '/v2/a/image/manifests/latest');
    await admin.send('HEAD', `/v2/a/image/blobs/${image.config.digest}`);
    const headers = { 'if-none-match': `"${image.manifest.digest}"` };
    expect((await admin.send('GET', '/v2/a/image/manifests/latest', { headers })).status).to.equal(304);
    expect((await admin.send('GET', '/v2/a/image/manifests/none')).status).to.equal(404);
    expect((await registry().anonymous.send('GET', '/v2/a/image/manifests/latest')).status).to.equal(401);
    expect((await current()).overall.total).to.deep.equal({ current: 0, average: 0, totalBytes: 0 });
  });

  it('shows a long upload while it runs, not at its end', async () => {
    const { admin } = registry();
    const location = await startUpload(admin, 'a/image');
    const body = new PassThrough();
    const sent = admin.send('PATCH', location, { body, headers: { 'content-type': 'application/octet-stream' } });
    body.write(randomBytes(MIB));
    await waitUntil('it shows', async () => (await bytesOf('BLOB_UPLOAD')) === MIB);
    body.end(randomBytes(10));
    expect((await sent).status).to.equal(202);
    expect(await bytesOf('BLOB_UPLOAD')).to.equal(MIB + 10);
  });

  it('shows a long download while it runs, as far as the client has taken it', async () => {
    const { admin, port } = registry();
    const bytes = randomBytes(24 * MIB);
    const digest = digestOf(bytes);
    await pushBlob(admin, 'a/image', { bytes, digest, mediaType: 'application/octet-stream' });
    const socket = await connection(port);
    socket.pause();
    socket.write(head(`GET /v2/a/image/blobs/${digest}`, `Authorization: ${basic(ADMIN, PASSWORD)}`));
    await waitUntil('it shows', async () => (await bytesOf('BLOB_DOWNLOAD')) > 0);
    expect(await bytesOf('BLOB_DOWNLOAD'), 'not what is still to come').to.be.lessThan(bytes.length);
    let taken = 0;
    socket.on('data', (chunk) => {
      taken += chunk.length;
    });
    socket.resume();
    await waitUntil('all of it is sent', async () => (await bytesOf('BLOB_DOWNLOAD')) === bytes.length);
    await waitUntil('all of it has come', () => taken > bytes.length);
    socket.destroy();
  });

  it('is for those who monitor', async () => {
    const { anonymous, register } = registry();
    await get(anonymous, PATH, 401);
    await get(await register('user'), PATH, 403);
    await get(await register('looker', 'auditor'), PATH);
  });
});
