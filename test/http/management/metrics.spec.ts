import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { whileAway } from '../../support/away.ts';
import { expectStatus, pushImage } from '../../support/http.ts';
import { randomImage } from '../../support/images.ts';
import { waitUntil } from '../../support/processes.ts';
import { call, untilPullsAreTold } from './calls.ts';

type Metrics = Readonly<Record<'requests' | 'registry' | 'storage' | 'performance', Readonly<Record<string, number>>>> &
  Readonly<{ timestamp: string }>;

describe('GET /api/v1/metrics', () => {
  const registry = registryFor();
  const image = randomImage('metrics', { layers: 2, size: 4096 });
  const bytes = [image.config, ...image.layers].reduce((sum, { bytes: { length } }) => sum + length, 0);
  const metrics = async (): Promise<Metrics> => (await call(registry().admin, 'GET', '/api/v1/metrics')).body as Metrics;

  before(async () => {
    await pushImage(registry().admin, 'a/b', '1', image);
    await pushImage(registry().admin, 'a/b', '2', image);
    await pushImage(registry().admin, 'c', '1', image);
    await untilPullsAreTold(registry().admin);
  });

  it('“System Metrics”: has the fields of the document’s sample, all whole numbers', async () => {
    const told = await metrics();
    expect(told).to.have.all.keys('timestamp', 'requests', 'registry', 'storage', 'performance');
    expect(told.requests).to.have.all.keys('total', 'success', 'errors');
    expect(told.registry).to.have.all.keys('pulls', 'pushes', 'repositories', 'images');
    expect(told.storage).to.have.all.keys('total_size', 'blob_count', 'manifest_count');
    expect(told.performance).to.have.all.keys('avg_response_time', 'p95_response_time', 'p99_response_time');
    const { timestamp, ...groups } = told;
    for (const value of Object.values(groups).flatMap((group) => Object.values(group)))
      expect(Number.isSafeInteger(value) && value >= 0, String(value)).to.equal(true);
    expect(Math.abs(Date.parse(timestamp) - Date.now())).to.be.lessThan(60_000);
  });

  it('counts what was pushed by the time that it was answered', async () => {
    const { registry: held, storage } = await metrics();
    expect(held).to.deep.include({ pushes: 2, repositories: 2, images: 3 });
    expect(storage).to.deep.equal({ total_size: bytes, blob_count: 3, manifest_count: 3 });
  });

  it('“manifest_count” is “images”', async () => {
    const { registry: held, storage } = await metrics();
    expect(held.images).to.equal(storage.manifest_count);
  });

  it('counts pulls of manifests, once they are on record', async () => {
    const before = (await metrics()).registry.pulls ?? 0;
    for (const tag of ['1', '2']) expectStatus('pull', await registry().admin.send('GET', `/v2/a/b/manifests/${tag}`), 200);
    expectStatus('no pull', await registry().admin.send('HEAD', '/v2/a/b/manifests/1'), 200);
    await waitUntil('they are counted', async () => (await metrics()).registry.pulls === before + 2);
  });

  it('tells everything but the pulls while the views of the access log are being built', async () => {
    const { registry: before, storage } = await metrics();
    const told = await whileAway(registry().app.access, metrics);
    expect(told.registry).to.deep.equal({ ...before, pulls: null });
    expect(told.storage).to.deep.equal(storage);
  });

  it('counts requests: “success” and “errors” are the “total”', async () => {
    const { requests: before } = await metrics();
    for (let round = 0; round < 3; round += 1) await registry().admin.send('GET', '/v2/a/b/manifests/none');
    await registry().admin.send('GET', '/v2/');
    const { requests: after } = await metrics();
    const more = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    // The request that told the first numbers was answered only after it.
    expect([more('success'), more('errors'), more('total')]).to.deep.equal([2, 3, 5]);
    expect((after.success ?? 0) + (after.errors ?? 0)).to.equal(after.total);
  });

  it('tells response times of which the 95 in 100 are none above the 99', async () => {
    const { performance } = await metrics();
    expect(performance.p95_response_time).to.be.at.most(performance.p99_response_time ?? 0);
  });

  it('is not for everybody, and is for auditors', async () => {
    expect((await call(registry().anonymous, 'GET', '/api/v1/metrics')).status).to.equal(401);
    expect((await call(await registry().register('eve'), 'GET', '/api/v1/metrics')).status).to.equal(403);
    expect((await call(await registry().register('ada', 'auditor'), 'GET', '/api/v1/metrics')).status).to.equal(200);
  });
});
