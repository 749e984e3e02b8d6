import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import {
  basic,
  bearer,
  expectStatus,
  finishUpload,
  type HttpClient,
  httpClient,
  pushBlob,
  pushImage,
  pushManifest,
  sendChunk,
  startUpload,
  tagsOf,
} from '../support/http.ts';
import { accessTokenOf, revokeAccessToken } from '../support/identities.ts';
import { digestOf, type Image, noise, OCI_LAYER, randomImage } from '../support/images.ts';
import { mongoForTests } from '../support/mongo/mongoForTests.ts';
import { nodesFor } from '../support/nodes.ts';
import { attempt, waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { expectPulled, manifestStatus, pushVisibly, remove, turns } from './acrossNodes.ts';
import { blobDigest, repositoriesOf } from './visible.ts';

const mongo = await mongoForTests();

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

describe('Two nodes on the same stores', function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');
  this.timeout(60_000);
  const nodes = nodesFor(2);
  const admin = (place: number): HttpClient => nodes().admin(place);
  const tokenOf = async (place: number, scope: string): Promise<string | undefined> =>
    bearer(admin(place), basic(ADMIN, PASSWORD), scope);

  it('pull from each other at once what was pushed: manifests, blobs, tags, the catalog', async () => {
    for (const { turn, here, there } of turns(4)) {
      const image = randomImage(`shared ${turn}`);
      await pushImage(admin(here), `shared/image${turn}`, 'v1', image);
      await expectPulled(admin(there), `shared/image${turn}`, 'v1', image);
    }
  });

  it('move the same tag, and each shows at once where the other one moved it', async () => {
    for (const { turn, here, there } of turns(6)) {
      const image = randomImage(`moved ${turn}`, { layers: 1 });
      await pushImage(admin(here), 'shared/moved', 'latest', image);
      await expectPulled(admin(there), 'shared/moved', 'latest', image);
    }
  });

  it("go on with each other's uploads, and each says how far they are", async () => {
    const bytes = noise(6 * 40_000, 'upload across nodes');
    let location = await startUpload(admin(0), 'shared/uploaded');
    for (const { turn, here, there } of turns(6)) {
      location = await sendChunk(admin(there), location, bytes.subarray(turn * 40_000, (turn + 1) * 40_000), turn * 40_000);
      for (const place of [here, there]) {
        const { headers } = expectStatus('status', await admin(place).send('GET', location), 204);
        expect(headers.range, `as node ${place} says`).to.equal(`0-${(turn + 1) * 40_000 - 1}`);
      }
    }
    await finishUpload(admin(1), location, digestOf(bytes));
    for (const place of [0, 1]) {
      expect(await blobDigest(admin(place), 'shared/uploaded', digestOf(bytes))).to.equal(digestOf(bytes));
      expectStatus('the session is over', await admin(place).send('GET', location), 404);
    }
  });

  it('mount what was pushed to the other', async () => {
    const bytes = Buffer.from('mounted across nodes');
    const blob = { digest: digestOf(bytes), bytes, mediaType: OCI_LAYER };
    for (const { turn, here, there } of turns(4)) {
      await pushBlob(admin(here), `shared/from${turn}`, blob);
      const path = `/v2/shared/to${turn}/blobs/uploads/?mount=${blob.digest}&from=shared/from${turn}`;
      expectStatus('mount', await admin(there).send('POST', path), 201);
      expect(await blobDigest(admin(here), `shared/to${turn}`, blob.digest)).to.equal(blob.digest);
    }
  });

  it('show nothing any more that was deleted through the other: tags, manifests, blobs', async () => {
    for (const { turn, here, there } of turns(6)) {
      const repository = `shared/deleted${turn}`;
      const image = randomImage(`deleted ${turn}`, { layers: 1 });
      await pushImage(admin(here), repository, 'v1', image);
      await pushManifest(admin(here), repository, 'v2', image.manifest);

      await remove(admin(there), `/v2/${repository}/manifests/v2`);
      expect(await manifestStatus(admin(here), repository, 'v2')).to.equal(404);
      expect(await tagsOf(admin(here), repository)).to.deep.equal(['v1']);

      await remove(admin(there), `/v2/${repository}/manifests/${image.manifest.digest}`);
      for (const reference of ['v1', image.manifest.digest])
        expect(await manifestStatus(admin(here), repository, reference)).to.equal(404);

      await remove(admin(there), `/v2/${repository}/blobs/${image.config.digest}`);
      expect(await blobDigest(admin(here), repository, image.config.digest)).to.equal(undefined);
    }
  });

  it('show nothing any more of a repository that was deleted through the other, and let its name be used again', async () => {
    for (const { turn, here, there } of turns(4)) {
      const [old, fresh] = [`${turn} old`, `${turn} new`].map((seed) => randomImage(seed, { layers: 1 })) as [Image, Image];
      await pushImage(admin(here), 'shared/reborn', 'old', old);
      await remove(admin(there), '/v2/shared/reborn');
      expectStatus('tags', await admin(here).send('GET', '/v2/shared/reborn/tags/list'), 404);
      expect(await repositoriesOf(admin(here))).not.to.include('shared/reborn');
      await pushImage(admin(here), 'shared/reborn', 'new', fresh);
      await expectPulled(admin(there), 'shared/reborn', 'new', fresh);
      for (const reference of ['old', old.manifest.digest])
        expect(await manifestStatus(admin(there), 'shared/reborn', reference)).to.equal(404);
    }
  });

  it('let nobody in any more whose grant, or whose place in a team, was taken away through the other', async () => {
    const sent = async (place: number, method: string, path: string, body?: unknown): Promise<Readonly<{ id: number }>> => {
      const sending = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
      const answer = expectStatus(path, await admin(place).send(method, `/api/v1${path}`, sending), 200, 201, 204);
      return answer.body.length === 0 ? { id: 0 } : JSON.parse(answer.body.toString());
    };
    const { id: reader } = await sent(0, 'POST', '/users', { username: 'reader', password: PASSWORD });
    const { id: team } = await sent(1, 'POST', '/teams', { name: 'readers' });
    await pushImage(admin(0), 'granted/image', 'v1', randomImage('granted', { layers: 1 }));
    const pullsAt = async (place: number): Promise<number> =>
      manifestStatus(admin(place).as(basic('reader', PASSWORD)), 'granted/image', 'v1');
    await sent(0, 'POST', '/grants', { scope: 'granted/*', team: 'readers', level: 'read' });
    for (const { here, there } of turns(4)) {
      const { id } = await sent(here, 'POST', '/repositories/granted/image/-/grants', { user: 'reader', level: 'read' });
      expect(await pullsAt(there)).to.equal(200);
      await sent(there, 'DELETE', `/repositories/granted/image/-/grants/${id}`);
      expect(await pullsAt(here)).to.equal(403);
      await sent(there, 'POST', `/teams/${team}/members`, { user: 'reader' });
      expect(await pullsAt(here)).to.equal(200);
      await sent(here, 'DELETE', `/teams/${team}/members/${reader}`);
      expect(await pullsAt(there)).to.equal(403);
    }
  });

  it('keep the tags that the other was told to keep', async () => {
    const rules = '/api/v1/repositories/shared/ruled/-/immutability';
    const setTo = async (place: number, ...wanted: readonly string[]): Promise<void> => {
      const sending = { body: JSON.stringify({ rules: wanted }), headers: { 'content-type': 'application/json' } };
      expectStatus('rules', await admin(place).send('PUT', rules, sending), 200);
    };
    for (const { turn, here, there } of turns(4)) {
      await pushImage(admin(here), 'shared/ruled', 'v1', randomImage(`ruled ${turn}`, { layers: 1 }));
      await setTo(here, 'v*');
      expectStatus('tag', await admin(there).send('DELETE', '/v2/shared/ruled/manifests/v1'), 409);
      expectStatus('repository', await admin(there).send('DELETE', '/v2/shared/ruled'), 409);
      await setTo(here);
      await remove(admin(there), '/v2/shared/ruled');
    }
  });

  it('clear away what the other one, killed meanwhile, has left of a repository', async function () {
    this.timeout(120_000);
    const image = randomImage('cleared', { layers: 1 });
    const { digest, bytes, mediaType } = image.manifest;
    await pushImage(admin(0), 'shared/cleared', 'latest', image);
    for (let page = 0; page < 15; page += 1) {
      const query = Array.from({ length: 100 }, (_, n) => `tag=t${page}-${n}`).join('&');
      const sending = { body: bytes, headers: { 'content-type': mediaType } };
      expectStatus('tags', await admin(0).send('PUT', `/v2/shared/cleared/manifests/${digest}?${query}`, sending), 201);
    }
    const log = await nodes().openLog();
    const stream = `${nodes().env.GHOSTDOCK_STREAM_PREFIX}.repository-shared/cleared`;
    const newest = async (): Promise<string> =>
      (await log.readStream(stream, { direction: 'backwards', limit: 1 }))[0]?.type ?? 'none';
    try {
      await remove(admin(0), '/v2/shared/cleared');
      await waitUntil('it has begun', async () => (await newest()) === 'TagDeleted');
      await nodes().node(0).kill();
      expect(await newest(), 'there is something left').to.equal('TagDeleted');
      expectStatus('gone', await admin(1).send('GET', '/v2/shared/cleared/tags/list'), 404);
      await waitUntil('the other one has cleared the rest', async () => (await newest()) === 'RepositoryCleared');
    } finally {
      await log.close();
      await nodes().restart(0);
    }
    await pushVisibly(admin(0), 'shared/cleared', 'v1', image);
    expect(await tagsOf(admin(1), 'shared/cleared')).to.deep.equal(['v1']);
  });

  it('take the tokens of the other', async () => {
    for (const { turn, here, there } of turns(4)) {
      const client = admin(there).as(await tokenOf(here, 'repository:shared/token:pull,push'));
      await pushImage(client, 'shared/token', `v${turn}`, randomImage('by token', { layers: 1 }));
    }
  });

  it('refuse an access token, and every login made from it, at once when it was revoked beside them', async () => {
    const path = '/v2/shared/moved/manifests/latest';
    for (const { here, there } of turns(4)) {
      const token = await accessTokenOf(admin(here), { permissions: ['pull'] });
      const login = await bearer(admin(there), basic('ci', token.value), 'repository:shared/moved:pull');
      const headers = [`Bearer ${token.value}`, basic('ci', token.value), login];
      const statuses = async (): Promise<readonly number[]> => {
        const asked = [here, there].flatMap((place) => headers.map((header) => admin(place).as(header).send('GET', path)));
        return [...new Set((await Promise.all(asked)).map(({ status }) => status))];
      };
      expect(await statuses()).to.deep.equal([200]);
      await revokeAccessToken(admin(there), token);
      expect(await statuses()).to.deep.equal([401]);
    }
  });

  it('let nobody in who was suspended beside them, nor who logged out there', async () => {
    const json = { 'content-type': 'application/json' };
    const sent = (place: number, method: string, to: string, body: unknown) =>
      admin(place).send(method, to, { headers: json, body: JSON.stringify(body) });
    for (const { turn, here, there } of turns(2)) {
      const login = { username: `person-${turn}`, password: 'blue cars sing loudly' };
      const { id } = JSON.parse(expectStatus('create', await sent(here, 'POST', '/api/v1/users', login), 201).body.toString());
      const sessions = await Promise.all(
        [here, there].map(async (place) => {
          const { token } = JSON.parse((await sent(place, 'POST', '/auth', login)).body.toString());
          return `Bearer ${token}`;
        }),
      );
      const statuses = async (place: number): Promise<readonly number[]> =>
        Promise.all(sessions.map(async (session) => (await admin(place).as(session).send('GET', '/api/v1/users/me')).status));
      expect(await statuses(there)).to.deep.equal([200, 200]);
      expectStatus('logout', await admin(here).as(sessions[0]).send('POST', '/auth/logout'), 200);
      expect(await statuses(there)).to.deep.equal([401, 200]);
      expectStatus('suspend', await sent(here, 'PATCH', `/api/v1/users/${id}`, { suspended: true }), 200);
      expect(await statuses(there)).to.deep.equal([401, 401]);
    }
  });

  it('refuse a password and its tokens at once when it was reset beside them', async () => {
    const scope = 'repository:shared/moved:pull';
    const tokens = await Promise.all([0, 1].map((place) => tokenOf(place, scope)));
    const path = '/v2/shared/moved/manifests/latest';
    for (const place of [0, 1])
      for (const token of tokens) expectStatus('pull', await admin(place).as(token).send('GET', path), 200);

    const env = { ...nodes().env, GHOSTDOCK_DATA_DIR: nodes().dataDir, GHOSTDOCK_ADMIN_PASSWORD: undefined };
    const another = 'another correct horse';
    const { code, stderr } = await attempt(process.execPath, [CLI, 'reset-password', ADMIN, '--stdin'], { env, input: another });
    expect(code, stderr).to.equal(0);

    for (const place of [0, 1]) {
      for (const token of tokens) expectStatus('an old token', await admin(place).as(token).send('GET', path), 401);
      expectStatus('the old password', await admin(place).send('GET', path), 401);
      const client = httpClient(nodes().node(place).url, { authorization: basic(ADMIN, another) });
      expectStatus('the new password', await client.send('GET', path), 200);
      client.close();
    }
  });
});
