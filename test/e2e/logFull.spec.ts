import { expect } from 'chai';
import { type HttpClient, pushBlob, pushImage } from '../support/http.ts';
import { digestOf, noise, OCI_LAYER, randomImage } from '../support/images.ts';
import { scratchFolder } from '../support/processes.ts';
import { type RegistryProcess, startRegistry } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { adminOf, expectNoRoom, expectPulls, NAME, OCTETS, unexpectedIn } from './noRoom.ts';
import { mountMissing, type SmallVolume, smallVolume } from './smallVolume.ts';
import { expectGapless, expectViewsAgree, factsIn } from './stopped.ts';
import { blobDigest } from './visible.ts';

describe("A registry whose event log's disk is full", function () {
  requires(this, mountMissing() === undefined, mountMissing() ?? '');
  this.timeout(60_000);
  const image = randomImage('before the log was full');
  const state: {
    volume?: SmallVolume;
    registry?: RegistryProcess;
    client?: HttpClient;
    folder?: { path: string; remove: () => void };
  } = {};
  const volume = () => state.volume as SmallVolume;
  const registry = () => state.registry as RegistryProcess;
  const client = () => state.client as HttpClient;
  let free = (): void => undefined;
  let refused = 0;

  before(async () => {
    state.folder = scratchFolder();
    state.volume = smallVolume(8, `${state.folder.path}/data/log`);
    state.registry = await startRegistry({ dataDir: `${state.folder.path}/data` });
    state.client = adminOf(registry());
    await pushImage(client(), NAME, 'before', image);
    free = volume().fill();
  });

  after(async () => {
    state.client?.close();
    await state.registry?.dispose();
    state.volume?.remove();
    state.folder?.remove();
  });

  const blobNumber = (number: number) => {
    const bytes = noise(500, `log ${number}`);
    return { digest: digestOf(bytes), bytes, mediaType: OCI_LAYER };
  };

  it('refuses what it cannot record, once the room that it had set aside is used up', async () => {
    for (let number = 0; refused < 3 && number < 20_000; number += 1) {
      const { digest, bytes } = blobNumber(number);
      const path = `/v2/${NAME}/blobs/uploads/?digest=${digest}`;
      const answer = await client().send('POST', path, { body: bytes, headers: OCTETS });
      if (answer.status === 201) continue;
      expectNoRoom(answer);
      expect(await blobDigest(client(), NAME, digest), 'what was refused is not there').to.equal(undefined);
      refused += 1;
    }
    expect(refused).to.equal(3);
  });

  it('goes on serving pulls', () => expectPulls(client(), 'before', image));

  it('takes pushes again as soon as there is room, without a restart', async () => {
    free();
    const after = randomImage('after the log was full');
    await pushBlob(client(), NAME, blobNumber(-1));
    await pushImage(client(), NAME, 'after', after);
    await expectPulls(client(), 'after', after);
  });

  it('has a gapless history and views that agree with it', async () => {
    expect(unexpectedIn(registry())).to.deep.equal([]);
    expect((await registry().stop()).code).to.equal(0);
    expectGapless(await factsIn(registry().dataDir));
    await expectViewsAgree(registry().dataDir);
  });
});
