import { expect } from 'chai';
import { expectStatus, type HttpClient, pushImage, startUpload, tagsOf } from '../support/http.ts';
import { digestOf, noise, noiseStream, randomImage } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { type RegistryProcess, refusedStart, startRegistry } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { adminOf, expectNoRoom, expectPulls, NAME, OCTETS, unexpectedIn } from './noRoom.ts';
import { mountMissing, type SmallVolume, smallVolume } from './smallVolume.ts';
import { corruptBlobs, expectGapless, expectViewsAgree, factsIn } from './stopped.ts';
import { blobDigest, halfVisible } from './visible.ts';

const MIB = 1024 * 1024;

describe('A registry whose disk is full', function () {
  requires(this, mountMissing() === undefined, mountMissing() ?? '');
  this.timeout(60_000);
  const image = randomImage('before', { size: 100_000 });
  const TOO_LARGE = 200 * MIB;
  const state: { volume?: SmallVolume; registry?: RegistryProcess; client?: HttpClient } = {};
  const volume = () => state.volume as SmallVolume;
  const registry = () => state.registry as RegistryProcess;
  const client = () => state.client as HttpClient;

  before(async () => {
    state.volume = smallVolume(96);
    state.registry = await startRegistry({ dataDir: volume().path });
    state.client = adminOf(registry());
    await pushImage(client(), NAME, 'before', image);
  });

  after(async () => {
    state.client?.close();
    await state.registry?.dispose();
    state.volume?.remove();
  });

  /** Where the volume has room again as before. What was refused is removed behind the answer, so that may take a moment. */
  const expectFreed = async (before: number): Promise<void> => {
    await waitUntil('the room is given back', () => volume().free() >= before - MIB / 4);
  };

  describe('for large uploads', () => {
    for (const [how, length] of [
      ['of an announced size', TOO_LARGE],
      ['without an announced size', undefined],
    ] as const) {
      it(`refuses an upload ${how} that does not fit, and gives its room back`, async () => {
        const before = volume().free();
        const location = await startUpload(client(), NAME);
        const body = noiseStream(TOO_LARGE, 'too large');
        const sending = { body, headers: OCTETS, ...(length !== undefined && { length }) };
        expectNoRoom(await client().send('PATCH', location, sending));
        await expectFreed(before);
        const { headers } = expectStatus('status', await client().send('GET', location), 204);
        expect(headers.range).to.equal('0-0');
        expectStatus('cancel', await client().send('DELETE', location), 204);
      });
    }

    it('refuses a blob in one request that does not fit', async () => {
      const before = volume().free();
      const body = noiseStream(TOO_LARGE, 'too large');
      const path = `/v2/${NAME}/blobs/uploads/?digest=${digestOf('whatever')}`;
      expectNoRoom(await client().send('POST', path, { body, length: TOO_LARGE, headers: OCTETS }));
      await expectFreed(before);
    });

    it('goes on serving pulls and taking what fits', async () => {
      await expectPulls(client(), 'before', image);
      const small = randomImage('after', { size: 50_000 });
      await pushImage(client(), NAME, 'after', small);
      await expectPulls(client(), 'after', small);
    });
  });

  describe('and has not a byte left', () => {
    let free = (): void => undefined;

    before(() => {
      free = volume().fill();
    });

    after(() => free());

    it('refuses a small blob', async () => {
      const body = noise(100_000, 'small');
      const path = `/v2/${NAME}/blobs/uploads/?digest=${digestOf(body)}`;
      expectNoRoom(await client().send('POST', path, { body, headers: OCTETS }));
      expect(await blobDigest(client(), NAME, digestOf(body))).to.equal(undefined);
    });

    it('refuses a manifest', async () => {
      const { bytes } = image.manifest;
      const body = Buffer.concat([bytes, Buffer.from('\n')]); // another manifest, of the same blobs
      const headers = { 'content-type': image.manifest.mediaType };
      expectNoRoom(await client().send('PUT', `/v2/${NAME}/manifests/full`, { body, headers }));
    });

    it('serves pulls', () => expectPulls(client(), 'before', image));

    it('says in its health what is wrong', async () => {
      const { status, body } = await client().as(undefined).send('GET', '/health');
      expect(status).to.equal(200);
      const health = JSON.parse(body.toString()) as { status: string; storage: string; problems: string[] };
      expect([health.status, health.storage]).to.deep.equal(['degraded', 'unhealthy']);
      expect(health.problems.join()).to.match(/no room/);
    });

    it('has logged no failure of its own', () => expect(unexpectedIn(registry())).to.deep.equal([]));

    it('does not start anew, and says why', async () => {
      await registry().kill();
      const { exit, output } = await refusedStart(registry().restart());
      expect(exit.code).to.be.greaterThan(0);
      expect(output)
        .to.match(/cannot start: .*full/)
        .and.to.not.match(/\n\s+at /);
    });
  });

  describe('and then has room again', () => {
    before('it is started', async () => {
      state.registry = await registry().restart();
    });

    it('takes pushes again as soon as there is room', async () => {
      const again = randomImage('again', { size: 50_000 });
      await pushImage(client(), NAME, 'again', again);
      await expectPulls(client(), 'again', again);
      expect(await tagsOf(client(), NAME)).to.deep.equal(['after', 'again', 'before']);
      expect(await halfVisible(client())).to.deep.equal([]);
    });

    it('has logged no failure of its own, and nothing on its disk is corrupt', async () => {
      expect(unexpectedIn(registry())).to.deep.equal([]);
      expect((await registry().stop()).code).to.equal(0);
      expectGapless(await factsIn(registry().dataDir));
      expect(await corruptBlobs(registry().dataDir)).to.deep.equal([]);
      await expectViewsAgree(registry().dataDir);
    });
  });
});
