import { expect } from 'chai';
import { lastSeenIn, pullsOf } from '../../src/access/lastSeen.ts';
import { RegistryError } from '../../src/errors.ts';
import { digestPulls } from '../../src/projections/accessPulls.ts';
import { type AccessTrailEntry, later, pulledKey } from '../../src/projections/accessSums.ts';
import { accessTrail } from '../../src/projections/accessTrail.ts';
import { repositories } from '../../src/projections/repositories.ts';
import { entriesIn } from '../access/entries.ts';
import { registryFor } from '../support/app.ts';
import { basic, expectStatus, pushBlob, pushImage, pushManifest } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { call } from './management/calls.ts';

const image = randomImage('access');
const REPOSITORY = 'admin/app';

describe('The access log', () => {
  const registry = registryFor();
  const agent = (name: string) => ({ headers: { 'user-agent': name } });

  /** What an agent did, as soon as it is so much. */
  const trailOf = async (name: string, least = 1): Promise<readonly AccessTrailEntry[]> => {
    const { app } = registry();
    let found: readonly AccessTrailEntry[] = [];
    await waitUntil(`${name} is on record`, async () => {
      const { items } = await app.access.find(accessTrail, { limit: 1000 });
      found = items.map(({ value }) => value).filter(({ userAgent }) => userAgent === name);
      return found.reduce((sum, { count }) => sum + count, 0) >= least;
    });
    return found;
  };
  /** Records come in order: once this one is there, all before it are. */
  const mark = async (): Promise<void> => {
    const name = `mark ${Math.random()}`;
    expectStatus('mark', await registry().admin.send('GET', '/v2/admin/app/manifests/latest', agent(name)), 200);
    await trailOf(name);
  };
  const nothingOf = async (name: string): Promise<void> => {
    await mark();
    const { items } = await registry().app.access.find(accessTrail, { limit: 1000 });
    expect(items.filter(({ value }) => value.userAgent === name)).to.deep.equal([]);
  };
  const path = (reference: string): string => `/v2/${REPOSITORY}/manifests/${reference}`;

  before(() => pushImage(registry().admin, REPOSITORY, 'latest', image));

  it('has a pull of a manifest: who, how, from where, and what', async () => {
    const { admin, app } = registry();
    expectStatus('pull', await admin.send('GET', path('latest'), agent('puller')), 200);
    const [entry] = await trailOf('puller');
    const repository = await app.views.get(repositories, REPOSITORY);
    expect(entry).to.include({
      actor: 'user:1',
      method: 'password',
      ip: '127.0.0.1',
      userAgent: 'puller',
      action: 'manifest.pull',
      resource: `${REPOSITORY}:latest`,
      repositoryId: repository?.repositoryId,
      digest: image.manifest.digest,
      decision: 'allowed',
      status: 200,
      bytes: image.manifest.bytes.length,
      count: 1,
    });
  });

  it('has a pull of a blob, with as many bytes as were asked for', async () => {
    const { admin } = registry();
    const blob = `/v2/${REPOSITORY}/blobs/${image.config.digest}`;
    expectStatus('pull', await admin.send('GET', blob, agent('blob puller')), 200);
    const range = { headers: { range: 'bytes=0-9', 'user-agent': 'part puller' } };
    expectStatus('pull', await admin.send('GET', blob, range), 206);
    const [whole] = await trailOf('blob puller');
    expect(whole).to.include({
      action: 'blob.pull',
      resource: `${REPOSITORY}@${image.config.digest}`,
      digest: image.config.digest,
    });
    expect(whole).to.include({ status: 200, bytes: image.config.bytes.length });
    expect((await trailOf('part puller'))[0]).to.include({ status: 206, bytes: 10 });
  });

  it('has no HEAD and no 304: nothing was handed out', async () => {
    const { admin } = registry();
    expectStatus('head', await admin.send('HEAD', path('latest'), agent('looker')), 200);
    const conditional = { headers: { 'if-none-match': `"${image.manifest.digest}"`, 'user-agent': 'looker' } };
    expectStatus('304', await admin.send('GET', path('latest'), conditional), 304);
    await nothingOf('looker');
  });

  it('counts pulls of manifests, by repository and by digest', async () => {
    const { admin, app } = registry();
    const other = randomImage('counted');
    await pushImage(admin, 'admin/counted', 'one', other);
    for (let n = 0; n < 3; n += 1)
      expectStatus('pull', await admin.send('GET', '/v2/admin/counted/manifests/one', agent('counted')), 200);
    const byDigest = `/v2/admin/counted/manifests/${other.manifest.digest}`;
    expectStatus('pull', await admin.send('GET', byDigest, agent('counted')), 200);
    await trailOf('counted', 4);
    const life = (await app.views.get(repositories, 'admin/counted'))?.repositoryId ?? '';
    const bytes = 4 * other.manifest.bytes.length;
    expect(await pullsOf(app.access, life)).to.include({ pulls: 4, bytes });
    expect(await app.access.get(digestPulls, pulledKey(life, other.manifest.digest))).to.include({ pulls: 4, bytes });
  });

  it('has pushes that changed nothing, which no fact tells of', async () => {
    const { admin, head } = registry();
    const before = await head();
    await pushManifest(admin, REPOSITORY, 'latest', image.manifest);
    await pushBlob(admin, REPOSITORY, image.config);
    expect(await head()).to.equal(before);
    await mark();
    const { items } = await registry().app.access.find(accessTrail, { limit: 1000 });
    const actions = items.map(({ value }) => [value.action, value.resource, value.digest]);
    expect(actions).to.deep.include(['manifest.push', `${REPOSITORY}:latest`, image.manifest.digest]);
    expect(actions).to.deep.include(['blob.push', `${REPOSITORY}@${image.config.digest}`, image.config.digest]);
  });

  it('has logins and issued tokens, and knows when a user was last there', async () => {
    const { anonymous, app, register } = registry();
    await register('paula');
    const body = JSON.stringify({ username: 'paula', password: PASSWORD });
    const headers = { 'content-type': 'application/json', 'user-agent': 'login' };
    expectStatus('login', await anonymous.send('POST', '/auth/login', { body, headers }), 200);
    const asPaula = anonymous.as(basic('paula', PASSWORD));
    expectStatus('token', await asPaula.send('GET', '/auth?service=ghostdock', agent('login')), 200);
    const entries = await trailOf('login', 2);
    const userId = Number(entries[0]?.actor.split(':')[1]);
    expect(entries.map(({ actor, action, method }) => [actor, action, method])).to.have.deep.members([
      [`user:${userId}`, 'user.login', 'password'],
      [`user:${userId}`, 'token.issue', 'password'],
    ]);
    const last = later(entries[0]?.at, entries[1]?.at ?? '');
    expect(await lastSeenIn(app.access).lastLogins([1_000_000, userId])).to.deep.equal([null, last]);
  });

  it('says that it knows nothing of anybody while its views cannot be read', async () => {
    const getMany = () => Promise.reject(new RegistryError('UNAVAILABLE', 'The views are being built.'));
    expect(await lastSeenIn({ getMany }).lastLogins([1, 2])).to.deep.equal([null, null]);
    expect(await lastSeenIn({ getMany }).lastUses([1])).to.deep.equal([null]);
    const broken = { getMany: () => Promise.reject(new Error('defect')) };
    expect(await lastSeenIn(broken).lastUses([1]).catch(String)).to.contain('defect');
  });

  it('knows when an access token was last used, whatever for', async () => {
    const { admin, app } = registry();
    const { body } = await call(admin, 'POST', '/api/v1/tokens', { name: 'CI', permissions: ['pull'] });
    const [id, value] = [Number(body.id), String(body.token)];
    expect(await lastSeenIn(app.access).lastUses([id])).to.deep.equal([null]);
    const byToken = admin.as(`Bearer ${value}`);
    expectStatus('head', await byToken.send('HEAD', path('latest'), agent('token')), 200);
    expectStatus('pull', await byToken.send('GET', path('latest'), agent('token')), 200);
    const entries = await trailOf('token', 2);
    expect(entries.map(({ action, method, tokenId }) => [action, method, tokenId])).to.have.deep.members([
      ['credentials.use', 'pat', String(id)],
      ['manifest.pull', 'pat', String(id)],
    ]);
    expect(await lastSeenIn(app.access).lastUses([id, 1_000_000])).to.deep.equal([entries.at(-1)?.at, null]);
  });

  it('has refusals, of a known caller as of wrong credentials', async () => {
    const { anonymous, register } = registry();
    const robert = await register('robert');
    expectStatus('push', await robert.send('POST', `/v2/${REPOSITORY}/blobs/uploads/`, agent('refused')), 403);
    const wrong = anonymous.as(basic(ADMIN, 'not-the-password'));
    expectStatus('wrong', await wrong.send('GET', path('latest'), agent('refused')), 401);
    const entries = await trailOf('refused', 2);
    expect(
      entries.map(({ actor, reason, status, attempted }) => [actor.split(':')[0], reason, status, attempted]),
    ).to.have.deep.members([
      ['user', 'DENIED', 403, 'POST /v2/:name/blobs/uploads'],
      ['anonymous', 'UNAUTHENTICATED', 401, 'GET /v2/:name/manifests/:reference'],
    ]);
    for (const { decision, resource } of entries) {
      expect(decision).to.equal('refused');
      expect(resource.startsWith(REPOSITORY)).to.equal(true);
    }
  });

  it('has no query of what is refused: there may be the code of a login in it', async () => {
    const headers = { ...agent('lured').headers, origin: 'https://evil.example' };
    for (const route of ['/auth/oidc/corp/callback', '/nothing/callback'])
      expectStatus('foreign', await registry().anonymous.send('DELETE', `${route}?code=a-secret`, { headers }), 403);
    const entries = await trailOf('lured', 2);
    expect(entries.map(({ resource }) => resource)).to.have.members(['/auth/oidc/:provider/callback', '/nothing/callback']);
    expect(JSON.stringify(entries)).to.not.contain('a-secret');
  });

  it('has no challenge to a request without credentials, and nothing of what is not there', async () => {
    const { admin, anonymous } = registry();
    expectStatus('challenge', await anonymous.send('GET', '/v2/', agent('beginner')), 401);
    expectStatus('challenge', await anonymous.send('GET', path('latest'), agent('beginner')), 401);
    expectStatus('unknown', await admin.send('GET', path('none'), agent('beginner')), 404);
    expectStatus('invalid', await admin.send('GET', `/v2/${REPOSITORY}/blobs/sha256:x`, agent('beginner')), 400);
    await nothingOf('beginner');
  });

  it('cuts user agents at 256 bytes', async () => {
    const { admin } = registry();
    expectStatus('pull', await admin.send('GET', path('latest'), agent('x'.repeat(1000))), 200);
    expect((await trailOf('x'.repeat(256)))[0]).to.include({ action: 'manifest.pull' });
  });
});

describe('The access log that leaves out blobs', () => {
  const registry = registryFor({ GHOSTDOCK_ACCESS_BLOBS: 'off' });

  it('has pulls of manifests alone', async () => {
    const { admin, app } = registry();
    await pushImage(admin, REPOSITORY, 'latest', image);
    expectStatus('pull', await admin.send('GET', `/v2/${REPOSITORY}/blobs/${image.config.digest}`), 200);
    expectStatus('pull', await admin.send('GET', `/v2/${REPOSITORY}/manifests/latest`), 200);
    const actions = async () => (await app.access.find(accessTrail, { limit: 10 })).items.map(({ value }) => value.action);
    await waitUntil('it is on record', async () => (await actions()).includes('manifest.pull'));
    expect(await actions()).not.to.include('blob.pull');
  });
});

describe('The access log that is off', () => {
  const registry = registryFor({ GHOSTDOCK_ACCESS_LOG: 'off' });

  it('is empty', async () => {
    const { admin, app } = registry();
    await pushImage(admin, REPOSITORY, 'latest', image);
    expectStatus('pull', await admin.send('GET', `/v2/${REPOSITORY}/manifests/latest`), 200);
    expect((await app.access.find(accessTrail, { limit: 10 })).items).to.deep.equal([]);
  });
});

describe('The strict access log', () => {
  const registry = registryFor({ GHOSTDOCK_ACCESS_LOG: 'strict' });

  it('has each pull by the time that it is answered', async () => {
    const { admin, app } = registry();
    await pushImage(admin, REPOSITORY, 'latest', image);
    for (let n = 1; n <= 10; n += 1) {
      const { headers } = expectStatus('pull', await admin.send('GET', `/v2/${REPOSITORY}/manifests/latest`), 200);
      expect(headers['docker-content-digest']).to.equal(image.manifest.digest);
      const entries = await app.accessLog.readAll({ direction: 'backwards', limit: 1 });
      expect(entries).to.have.length(1);
    }
    const recorded = await app.accessLog.readAll({ limit: 1000 });
    expect(entriesIn(recorded).filter(({ action }) => action === 'manifest.pull')).to.have.length(10);
  });
});
