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
import { digestOf, noise, OCI_LAYER, randomImage } from '../support/images.ts';
import { mongoForTests } from '../support/mongo/mongoForTests.ts';
import { nodesFor } from '../support/nodes.ts';
import { attempt } from '../support/processes.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { expectPulled, manifestStatus, remove, turns } from './acrossNodes.ts';
import { blobDigest } from './visible.ts';

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

  it('take the tokens of the other', async () => {
    for (const { turn, here, there } of turns(4)) {
      const client = admin(there).as(await tokenOf(here, 'repository:shared/token:pull,push'));
      await pushImage(client, 'shared/token', `v${turn}`, randomImage('by token', { layers: 1 }));
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
