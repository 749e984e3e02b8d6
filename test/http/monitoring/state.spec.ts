import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { pushBlob, pushImage, pushManifest, sendChunk, startUpload } from '../../support/http.ts';
import { randomImage } from '../../support/images.ts';
import { get, monitored, type State, stateOf, untilHealthy } from './calls.ts';

const NGINX = ['latest', '1.21', '1.20', 'alpine', 'stable'] as const;
const [FIRST, SECOND] = [randomImage('state-1'), randomImage('state-2')];

describe('GET /api/registry/state', () => {
  const registry = registryFor();
  const namesOf = ({ repositories }: State): readonly string[] => repositories.map(({ name }) => name);
  const loaded = Date.now();
  let opened = 0;
  let started = 0;
  let state: State;

  before(async () => {
    opened = Date.now();
    const { admin } = registry();
    for (const tag of NGINX) await pushImage(admin, 'nginx', tag, FIRST);
    await pushImage(admin, 'team/postgres', '14', SECOND);
    await pushImage(admin, 'a', 'only', FIRST);
    const location = await startUpload(admin, 'nginx');
    await sendChunk(admin, location, Buffer.from('half'));
    await untilHealthy(registry());
    started = Date.now();
    state = await stateOf(registry());
  });

  it('“returns a complete snapshot of the registry state, including all repositories, tags, active sessions, and health metrics”', () => {
    expect(state.repositories).to.deep.equal([
      { name: 'a', tags: ['only'], tagCount: 1 },
      { name: 'nginx', tags: ['1.20', '1.21', 'alpine', 'latest', 'stable'], tagCount: 5 },
      { name: 'team/postgres', tags: ['14'], tagCount: 1 },
    ]);
    expect(state.activeSessions.sessions).to.have.length(1);
    expect(state.health).to.have.all.keys('status', 'uptime', 'logStreamClients');
  });

  it('`timestamp` ms', () => {
    expect(state.timestamp).to.be.within(started - 1, Date.now());
  });

  it('`registryVersion` string `"2.0"`', () => {
    expect(state).to.have.property('registryVersion', '2.0');
  });

  it('`summary{totalRepositories,totalManifests,totalBlobs,unreferencedBlobs,orphanedManifests,estimatedSpaceToFree}` ints, what awaits reclaiming, and where in the log they were taken', async () => {
    const { position, ...counters } = state.summary;
    expect(counters).to.deep.equal({
      totalRepositories: 3,
      totalManifests: 7,
      totalBlobs: 8,
      unreferencedBlobs: 0,
      orphanedManifests: 0,
      estimatedSpaceToFree: 0,
      recoverableBlobs: 0,
      recoverableBytes: 0,
    });
    expect(position).to.equal(await registry().head());
  });

  it('`storage{totalBytes,uniqueBytes,spaceSavings,deduplicationRatio (double, unique/total, 0.0 when empty),uniqueBlobs}`', () => {
    const bytes = ({ config, layers }: typeof FIRST): number =>
      [config, ...layers].reduce((sum, blob) => sum + blob.bytes.length, 0);
    const totalBytes = 2 * bytes(FIRST) + bytes(SECOND);
    const uniqueBytes = bytes(FIRST) + bytes(SECOND);
    expect(state.storage).to.deep.equal({
      totalBytes,
      uniqueBytes,
      spaceSavings: totalBytes - uniqueBytes,
      deduplicationRatio: uniqueBytes / totalBytes,
      uniqueBlobs: 8,
    });
  });

  it('`activeSessions{count,sessions[]}`', () => {
    const { count, sessions } = state.activeSessions;
    expect(count).to.equal(1);
    expect(sessions[0]).to.have.all.keys('id', 'startTime', 'lastActivity', 'blobCount');
    expect(sessions[0]).to.have.property('blobCount', 1);
  });

  it('`health{status,uptime (ms since start),logStreamClients}`', async () => {
    expect(state.health).to.include({ status: 'healthy', logStreamClients: 0 });
    const asked = Date.now();
    const { timestamp, health } = await stateOf(registry());
    // It started between these two; the clocks round.
    expect(health.uptime).to.be.within(asked - opened - 2, timestamp - loaded + 2);
  });

  it('writes the summary before what takes long, and the repositories in the order of their bytes', async () => {
    const { body } = await registry().admin.send('GET', '/api/registry/state');
    expect(Object.keys(JSON.parse(body.toString()))).to.deep.equal([
      ...['timestamp', 'registryVersion', 'summary', 'storage', 'repositories', 'activeSessions', 'health'],
    ]);
  });

  it('gives a part of the repositories to who asks with `limit` and `after`, and the whole summary', async () => {
    const some = await stateOf(registry(), '?limit=1&after=a');
    expect(namesOf(some)).to.deep.equal(['nginx']);
    expect(some.summary.totalRepositories).to.equal(3);
    expect(namesOf(await stateOf(registry(), '?limit=0'))).to.deep.equal([]);
    expect(namesOf(await stateOf(registry(), '?after=b'))).to.deep.equal(['nginx', 'team/postgres']);
    expect(namesOf(await stateOf(registry(), '?limit=999999999'))).to.deep.equal(['a', 'nginx', 'team/postgres']);
  });

  for (const limit of ['-1', 'x', '1.5', '', '1&limit=2'])
    it(`refuses what is no limit: ${limit}`, async () => {
      const path = `/api/registry/state?limit=${limit}`;
      const answer = await registry().admin.send('GET', path);
      expect(answer.status).to.equal(400);
      expect(monitored('GET', path, answer).message).to.contain('limit');
    });

  it('digest “tags” are never in tags lists or `tagCount`', async () => {
    const { admin } = registry();
    for (const blob of [SECOND.config, ...SECOND.layers]) await pushBlob(admin, 'by/digest', blob);
    await pushManifest(admin, 'by/digest', SECOND.manifest.digest, SECOND.manifest);
    const { repositories } = await stateOf(registry());
    expect(repositories.find(({ name }) => name === 'by/digest')).to.deep.equal({ name: 'by/digest', tags: [], tagCount: 0 });
  });

  it('follows a deleted tag, a deleted repository and one whose last manifest goes', async () => {
    const { admin } = registry();
    await admin.send('DELETE', '/v2/nginx/manifests/alpine');
    await admin.send('DELETE', '/v2/team/postgres');
    await admin.send('DELETE', `/v2/a/manifests/${FIRST.manifest.digest}`);
    const { repositories, summary } = await stateOf(registry(), '?after=');
    expect(repositories).to.deep.include({ name: 'nginx', tags: ['1.20', '1.21', 'latest', 'stable'], tagCount: 4 });
    expect(repositories.map(({ name }) => name)).to.deep.equal(['by/digest', 'nginx']);
    expect(summary.totalRepositories).to.equal(2);
  });
});

const SMALL = randomImage('state-3', { layers: 0 });

describe('GET /api/registry/state of a repository with many tags', () => {
  const registry = registryFor();

  it('has all of them, in order, and counts them', async () => {
    const { admin } = registry();
    await pushImage(admin, 'many', 'v1000', FIRST);
    const tags = Array.from({ length: 105 }, (_, n) => `v${1000 + n}`);
    await Promise.all(tags.slice(1).map((tag) => pushManifest(admin, 'many', tag, FIRST.manifest)));
    for (let n = 0; n < 20; n++) await pushImage(admin, `other/${10 + n}`, 'one', SMALL);
    const { repositories } = await stateOf(registry());
    expect(repositories[0]).to.deep.equal({ name: 'many', tags, tagCount: 105 });
    expect(repositories.map(({ name }) => name)).to.deep.equal([
      'many',
      ...Array.from({ length: 20 }, (_, n) => `other/${10 + n}`),
    ]);
    const { tagCount } = await get(admin, '/api/registry/repositories/many');
    expect(tagCount).to.equal(105);
  });
});

describe('GET /api/registry/state of an empty registry', () => {
  const registry = registryFor();

  it('is all there, and empty', async () => {
    const { summary, storage, repositories, activeSessions } = await stateOf(registry());
    expect(repositories).to.deep.equal([]);
    expect(activeSessions).to.deep.equal({ sessions: [], count: 0 });
    const { position: _position, ...counters } = summary;
    expect(Object.values(counters)).to.deep.equal([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(Object.values(storage)).to.deep.equal([0, 0, 0, 0, 0]);
  });
});
