import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { NO_STREAM } from '../../../src/events/log/log.ts';
import { registryFor } from '../../support/app.ts';
import { expectStatus, type HttpClient, pushImage, pushManifest } from '../../support/http.ts';
import { accessTokenOf, revokeAccessToken } from '../../support/identities.ts';
import { randomImage } from '../../support/images.ts';
import { waitUntil } from '../../support/processes.ts';
import { ADMIN, PASSWORD } from '../../support/registryProcess.ts';
import { jsonOf } from '../exchanges.ts';
import { sessionBy } from '../management/calls.ts';
import { LOGS, logClients, OFTEN, REPOSITORIES, STREAMS, THROUGHPUT, type Watched, watch } from './eventStream.ts';

const IMAGE = randomImage('streams', { layers: 1 });

describe('streams of server-sent events', () => {
  const registry = registryFor({}, { live: { limits: OFTEN } });
  const watching: Watched[] = [];
  const open = async (path: string, client: HttpClient = registry().admin, headers = {}): Promise<Watched> => {
    const watched = await watch(client, path, headers);
    watching.push(watched);
    return watched;
  };
  afterEach(async () => {
    for (const { close } of watching.splice(0)) close();
    await waitUntil('nobody watches', async () => (await logClients(registry())) === 0, { everyMs: 5 });
  });

  for (const [path, greeting] of STREAMS)
    describe(`GET ${path}`, () => {
      it(`is text/event-stream, which nothing keeps or gathers, and begins with connected and \`${greeting}\``, async () => {
        const { status, headers, text, until } = await open(path);
        expect(status).to.equal(200);
        expect(headers['content-type']).to.equal('text/event-stream');
        expect(headers['cache-control']).to.equal('no-cache');
        expect(headers['x-accel-buffering']).to.equal('no');
        await until('connected');
        expect(text()).to.match(new RegExp(`^event: connected\ndata: ${greeting}\n\n`));
      });

      it('has frames of event, data and a blank line, and no ids', async () => {
        const { text, until } = await open(path);
        await until('heartbeat', 2);
        for (const frame of text().split('\n\n').slice(0, -1)) expect(frame).to.match(/^event: [a-z_]+\ndata: .+$/);
      });

      it('sends heartbeats while nothing happens', async () => {
        const [, second] = await (await open(path)).until('heartbeat', 2);
        expect(second?.data).to.include({ type: 'heartbeat' });
        expect(second?.data.timestamp).to.be.closeTo(Date.now(), 60_000);
      });

      it('is given to who accepts it, or anything', async () => {
        for (const accept of ['text/event-stream', '*/*', 'text/*', 'application/json;q=0.9, text/event-stream;q=0.1']) {
          const { status } = await open(path, registry().admin, { accept });
          expect(status, accept).to.equal(200);
        }
        const { admin } = registry();
        const message = await admin.open('GET', path);
        expect(message.statusCode, 'no Accept').to.equal(200);
        message.destroy();
      });

      it('is refused with 406 and JSON to who accepts something else alone', async () => {
        for (const accept of ['application/json', 'text/html', 'text/event-stream;q=0, application/json']) {
          const answer = await registry().admin.send('GET', path, { headers: { accept } });
          expect(answer.status, accept).to.equal(406);
          expect(jsonOf(answer)).to.deep.equal({
            error: 'Not Acceptable',
            message: 'This is a stream of events: accept text/event-stream.',
          });
        }
      });

      it('answers HEAD with its head and no stream, other methods with 405', async () => {
        const { admin } = registry();
        const answer = await admin.send('HEAD', path);
        expect([answer.status, answer.headers['content-type'], answer.body.length]).to.deep.equal([200, 'text/event-stream', 0]);
        expect((await admin.send('POST', path)).headers.allow).to.equal('GET, HEAD');
      });

      it('takes the session cookie of a browser, which cannot send headers with EventSource', async () => {
        const login = {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ username: ADMIN, password: PASSWORD }),
        };
        const { token } = jsonOf(await registry().anonymous.send('POST', '/auth', login));
        const { status, until } = await open(path, registry().anonymous, { cookie: `ghostdock-session=${token}` });
        expect(status).to.equal(200);
        await until('connected');
      });

      it('is refused to who is not logged in, and to users without a role for it', async () => {
        const { anonymous, admin, register } = registry();
        expect((await open(path, anonymous)).status).to.equal(401);
        expect((await open(path, await register(`user-${randomUUID().slice(0, 8)}`))).status).to.equal(403);
        const auditor = await register(`auditor-${randomUUID().slice(0, 8)}`, 'auditor');
        expect((await open(path, auditor)).status, 'an auditor').to.equal(path === LOGS ? 403 : 200);
        const { value } = await accessTokenOf(admin, { permissions: ['pull'] });
        expect((await open(path, admin.as(`Bearer ${value}`))).status, 'a token that pulls').to.equal(path === LOGS ? 403 : 200);
      });

      it('ends when the access token is revoked that it was opened with', async () => {
        const { admin } = registry();
        const token = await accessTokenOf(admin, { permissions: ['admin'] });
        const [theirs, others] = [await open(path, admin.as(`Bearer ${token.value}`)), await open(path)];
        await theirs.until('heartbeat', 2);
        await revokeAccessToken(admin, token);
        expect(await theirs.ended).to.deep.equal({ whole: true });
        const { length } = others.events();
        await others.until('heartbeat', others.events('heartbeat').length + 1);
        expect(others.events().length, 'the others go on').to.be.greaterThan(length);
      });
    });

  it('end when their user is suspended, has another password, or logs out', async () => {
    const { admin, register, changePassword, anonymous } = registry();
    const suspended = await register('later-suspended', 'admin');
    const changed = await register('later-changed', 'admin');
    await register('logs-out', 'admin');
    const session = await sessionBy(anonymous, 'logs-out', PASSWORD);
    const streams = await Promise.all([suspended, changed, session].map((client) => open(LOGS, client)));
    for (const { until } of streams) await until('heartbeat');
    const { id } = jsonOf(await suspended.send('GET', '/api/v1/users/me'));
    const body = { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ suspended: true }) };
    expectStatus('suspend', await admin.send('PATCH', `/api/v1/users/${id}`, body), 200);
    await changePassword('later-changed', 'another-horse-battery');
    await session.send('POST', '/auth/logout');
    for (const { ended, text } of streams) {
      expect(await ended).to.deep.equal({ whole: true });
      expect(text()).to.match(/\n: The credentials are not valid any more\.\n\n$/);
    }
  });

  it('end when their user has no role for them any more', async () => {
    const { admin, register } = registry();
    const auditor = await register('later-user', 'auditor');
    const stream = await open(REPOSITORIES, auditor);
    const { id } = jsonOf(await auditor.send('GET', '/api/v1/users/me'));
    const body = { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ role: 'user' }) };
    expectStatus('change', await admin.send('PATCH', `/api/v1/users/${id}`, body), 200);
    expect(await stream.ended).to.deep.equal({ whole: true });
  });

  describe('of the log', () => {
    it('have `log` with timestamp in ms, level, message, logger and thread', async () => {
      const { until } = await open(LOGS);
      registry().app.http.log.warn('a warning');
      const found = await waitUntil('it comes', async () =>
        (await until('log')).find(({ data }) => data.message === 'a warning'),
      );
      expect(found.data).to.have.all.keys('timestamp', 'level', 'message', 'logger', 'thread');
      expect(found.data).to.include({ level: 'WARN', logger: 'ghostdock', thread: 'main' });
      expect(found.data.timestamp).to.be.closeTo(Date.now(), 60_000);
    });

    it('have what requests log, with their id', async () => {
      const { events } = await open(LOGS);
      await pushImage(registry().admin, 'logged/image', 'latest', IMAGE);
      const found = await waitUntil('it comes', () =>
        events('log').find(
          ({ data }) => (data.details as Readonly<Record<string, unknown>> | undefined)?.event === 'ManifestPushed',
        ),
      );
      expect(found.data.details).to.include({ repository: 'logged/image' }).and.to.have.property('reqId');
    });

    it('say welcome a while after connect, to that client', async () => {
      const first = await open(LOGS);
      const [welcome] = await first.until('log');
      expect(welcome?.data).to.include({ level: 'INFO', logger: 'LogStream', thread: 'main' });
      expect(welcome?.data.message).to.match(/^Welcome/);
      await (await open(LOGS)).until('log');
      await first.until('heartbeat', first.events('heartbeat').length + 1);
      expect(first.events('log').filter(({ data }) => data.logger === 'LogStream')).to.have.lengthOf(1);
    });

    it('count their clients, and nobody else, as `logStreamClients`', async () => {
      const [one] = [await open(LOGS), await open(LOGS), await open(REPOSITORIES), await open(THROUGHPUT)];
      await registry().admin.send('HEAD', LOGS);
      expect(await logClients(registry())).to.equal(2);
      one.close();
      await waitUntil('one is gone', async () => (await logClients(registry())) === 1, { everyMs: 5 });
    });
  });

  describe('of repositories', () => {
    const updates = ({ events }: Watched, repository: string): readonly unknown[] =>
      events('repository_update')
        .filter(({ data }) => data.repository === repository)
        .map(({ data }) => data.action);

    it('have `repository_update` with action, repository and timestamp: manifest_added, once for each manifest PUT', async () => {
      const { admin } = registry();
      const watched = await open(REPOSITORIES);
      await pushImage(admin, 'a/b', 'v1', IMAGE);
      await pushManifest(admin, 'a/b', 'v2', IMAGE.manifest);
      await watched.until('repository_update', 2);
      await pushImage(admin, 'other', 'v1', IMAGE);
      const all = await watched.until('repository_update', 3);
      expect(all.map(({ data }) => `${data.action} ${data.repository}`)).to.deep.equal([
        'manifest_added a/b',
        'manifest_added a/b',
        'manifest_added other',
      ]);
      for (const { data } of all) {
        expect(data).to.have.all.keys('action', 'repository', 'timestamp');
        expect(data.timestamp).to.be.closeTo(Date.now(), 60_000);
      }
    });

    it('have repository_deleted for a repository, and nothing on manifest delete', async () => {
      const { admin } = registry();
      await pushImage(admin, 'c/d', 'v1', IMAGE);
      const watched = await open(REPOSITORIES);
      expectStatus('manifest', await admin.send('DELETE', `/v2/c/d/manifests/${IMAGE.manifest.digest}`), 202);
      expectStatus('repository', await admin.send('DELETE', '/v2/c/d'), 202);
      await watched.until('repository_update');
      await pushImage(admin, 'c/d', 'v1', IMAGE);
      await watched.until('repository_update', 2);
      expect(updates(watched, 'c/d')).to.deep.equal(['repository_deleted', 'manifest_added']);
    });

    it('show what readers find when they look', async () => {
      const { admin } = registry();
      const watched = await open(REPOSITORIES);
      void pushImage(admin, 'at/once', 'v1', IMAGE);
      await watched.until('repository_update');
      expect((await admin.send('GET', '/v2/at/once/manifests/v1')).status).to.equal(200);
    });

    it('show what another node did', async () => {
      const { app } = registry();
      const watched = await open(REPOSITORIES);
      const data = { repositoryId: randomUUID(), repository: 'other/node', ownerId: null, visibility: 'private' };
      const metadata = {
        ...{ actor: { kind: 'system', id: 'other' } as const, requestId: 'r', correlationId: 'r' },
        ...{ at: new Date().toISOString(), version: 1 },
      };
      const deleted = { repositoryId: data.repositoryId, repository: data.repository, manifests: 0, tags: 0 };
      await app.log.append(app.streams.repository('other/node'), NO_STREAM, [
        { id: randomUUID(), type: 'RepositoryCreated', data, metadata },
        { id: randomUUID(), type: 'RepositoryDeleted', data: deleted, metadata },
      ]);
      await watched.until('repository_update');
      expect(updates(watched, 'other/node')).to.deep.equal(['repository_deleted']);
    });
  });
});

describe('the stream of the throughput', () => {
  let time = 1_000_000;
  const registry = registryFor({}, { live: { limits: OFTEN, now: () => time } });

  it('has `throughput_update` while bytes moved in the last 5 s, one that is all zero on going idle, then `heartbeat`', async () => {
    const { admin } = registry();
    const watched = await watch(admin, THROUGHPUT);
    const [idle] = await watched.until('heartbeat');
    expect(idle?.data).to.have.all.keys('timestamp', 'idle', 'message', 'type');
    expect(idle?.data).to.include({ idle: true, type: 'heartbeat' });
    expect(watched.events('throughput_update')).to.deep.equal([]);

    await pushImage(admin, 'moving/image', 'v1', IMAGE);
    const [update] = await watched.until('throughput_update', 2);
    expect(update?.data).to.have.all.keys('timestamp', 'categories', 'overall');
    expect(update?.data.categories).to.have.all.keys('blobUpload', 'blobDownload', 'manifestUpload', 'manifestDownload');
    expect(update?.data.overall).to.have.all.keys('read', 'write', 'total');

    time += 5000;
    const beats = watched.events('heartbeat').length;
    await watched.until('heartbeat', beats + 2);
    const updates = watched.events('throughput_update');
    const zeros = updates.filter(({ data }) => (data.overall as { total: { average: number } }).total.average === 0);
    expect(zeros, 'one').to.have.lengthOf(1);
    expect(zeros[0], 'the last').to.equal(updates.at(-1));
    expect(zeros[0]?.text).not.to.match(/[1-9]\d*(?:\.\d+)?(?=[,}])(?<!"timestamp":\d+)/);
    watched.close();
  });
});
