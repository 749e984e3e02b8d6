import { expect } from 'chai';
import { registryFor, type TestApp } from '../../support/app.ts';
import { pushBlob, pushImage, startUpload } from '../../support/http.ts';
import { randomImage } from '../../support/images.ts';
import type { Json } from '../exchanges.ts';
import { get, stateOf, untilHealthy } from './calls.ts';

const IMAGE = randomImage('health');
const WARNING = 'Unreferenced blobs or orphaned manifests detected - consider running garbage collection';
const health = ({ admin }: TestApp, status?: number): Promise<Json> => get(admin, '/api/registry/health', status);

describe('GET /api/registry/health', () => {
  const registry = registryFor();
  before(async () => {
    await pushImage(registry().admin, 'nginx', 'latest', IMAGE);
    await untilHealthy(registry());
  });

  it('“performs comprehensive health checks and returns detailed status information”', async () => {
    const { timestamp, uptime, ...rest } = await health(registry());
    expect(rest).to.deep.equal({
      status: 'healthy',
      checks: { repositoryListing: true, statisticsAccess: true, databaseConnectivity: true },
      metrics: { totalRepositories: 1, totalManifests: 1, totalBlobs: 4, activeSessions: 0, logStreamClients: 0 },
      warnings: [],
      problems: [],
    });
    expect(timestamp).to.be.a('number');
    expect(uptime).to.be.a('number');
  });

  it('the only warning is `Unreferenced blobs or orphaned manifests detected - consider running garbage collection`, when either counter is > 0: an unreferenced blob', async () => {
    const { config } = randomImage('health: never named');
    await pushBlob(registry().admin, 'nginx', config);
    expect(await health(registry())).to.deep.include({ status: 'healthy', warnings: [WARNING] });
    await registry().admin.send('DELETE', `/v2/nginx/blobs/${config.digest}`);
    expect(await health(registry())).to.deep.include({ warnings: [] });
  });

  it('… or an orphaned manifest', async () => {
    await pushImage(registry().admin, 'orphan', 'latest', IMAGE);
    await registry().admin.send('DELETE', '/v2/orphan/manifests/latest');
    const { summary } = await stateOf(registry());
    expect(summary).to.include({ orphanedManifests: 1, unreferencedBlobs: 0 });
    expect(await health(registry())).to.deep.include({ status: 'healthy', warnings: [WARNING] });
  });
});

describe('GET /api/registry/health of a registry that ails', () => {
  const failing = <T>(): Promise<T> => Promise.reject(new Error('The disk is on fire.'));
  /** Breaks one call of a store while something is asked. */
  const broken = async <T extends object>(target: T, name: keyof T, ask: () => Promise<Json>): Promise<Json> => {
    const works = target[name];
    Object.assign(target, { [name]: failing });
    try {
      return await ask();
    } finally {
      Object.assign(target, { [name]: works });
    }
  };
  const registry = registryFor();
  before(() => untilHealthy(registry()));

  it('200 with `degraded` where statistics cannot be read: their metrics are null', async () => {
    const { app } = registry();
    const body = await broken(app.reporting, 'totals', () => health(registry()));
    expect(body).to.deep.include({
      status: 'degraded',
      checks: { repositoryListing: true, statisticsAccess: false, databaseConnectivity: true },
      metrics: { totalRepositories: null, totalManifests: null, totalBlobs: null, activeSessions: 0, logStreamClients: 0 },
      problems: ['The counters cannot be read.'],
    });
  });

  it('counts the uploads under way that are listed without a look at any', async () => {
    const { admin, app } = registry();
    for (const name of ['one', 'two', 'three']) await startUpload(admin, name);
    const { totalActiveSessions } = await get(admin, '/api/registry/sessions');
    expect(totalActiveSessions).to.equal(3);
    const body = await broken(app.blobs.uploads, 'list', () => health(registry()));
    expect(body).to.have.nested.property('metrics.activeSessions', 3);
    expect(body).to.have.property('status', 'healthy');
  });

  it('200 with `degraded` where uploads cannot be counted', async () => {
    const body = await broken(registry().app.blobs.uploads, 'count', () => health(registry()));
    expect(body).to.have.nested.property('metrics.activeSessions', null);
    expect(body).to.deep.include({ status: 'degraded', problems: ['Uploads under way cannot be listed.'] });
  });

  it('200 with `degraded` where repositories cannot be listed', async () => {
    const body = await broken(registry().app.views, 'find', () => health(registry()));
    expect(body).to.deep.include({
      status: 'degraded',
      checks: { repositoryListing: false, statisticsAccess: true, databaseConnectivity: true },
      problems: ['Repositories cannot be listed.'],
    });
  });

  it('503 only when unusable, with the documented body', async () => {
    await registry().app.log.close();
    const { timestamp, message, ...rest } = await health(registry(), 503);
    expect(rest).to.deep.equal({ status: 'unhealthy', error: 'Health check failed' });
    expect(message).to.contain('The event log does not answer.');
    expect(timestamp).to.be.a('number');
  });
});
