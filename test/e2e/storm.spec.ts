import { expect } from 'chai';
import type { Recorded } from '../../src/events/event.ts';
import { basic, bearer, expectStatus, httpClient, pushBlob, pushManifest, tagsOf } from '../support/http.ts';
import { digestOf, type Image, imageOf, noise, tarOf } from '../support/images.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { expectGapless, expectViewsAgree, factsIn, statesOf } from './stopped.ts';

const CLIENTS = 50;
const RIVALS = 20;
const DIFFERENT = 'storm/different';
const SAME = 'storm/same';

const SHARED = ['base', 'runtime'].map((seed) => tarOf({ [seed]: noise(20_000, seed) }));

/** Two layers that every image has and one of its own. */
const imageNumber = (number: number): Image => imageOf([...SHARED, tarOf({ own: noise(4000, number) })]);

/** Logs in and pushes on connections of its own. @returns the statuses of blobs and manifest */
const pushAsClient = async (url: string, repository: string, tag: string, { config, layers, manifest }: Image): Promise<void> => {
  const anonymous = httpClient(url, { connections: 4 });
  try {
    const scope = `repository:${repository}:pull,push`;
    const client = anonymous.as(await bearer(anonymous, basic(ADMIN, PASSWORD), scope));
    await Promise.all([config, ...layers].map((blob) => pushBlob(client, repository, blob))); // throws unless 201
    await pushManifest(client, repository, tag, manifest); // the same
  } finally {
    anonymous.close();
  }
};

type TagMoved = Readonly<{ tag: string; digest: string; previous?: Readonly<{ digest: string }> }>;

const movesOf = (facts: readonly Recorded[], repository: string): readonly TagMoved[] =>
  facts
    .filter(({ type, stream }) => type === 'TagMoved' && stream.endsWith(`-${repository}`))
    .map(({ data }) => data as TagMoved);

describe('A storm of pushes to one repository', function () {
  this.timeout(120_000);
  const images = Array.from({ length: CLIENTS }, (_, number) => imageNumber(number));
  const tags = images.map((_, number) => `v${number}`);
  const rivals = Array.from({ length: RIVALS }, (_, number) => imageNumber(1000 + number));
  const registry = registryFor();
  let facts: readonly Recorded[];
  let served: string | undefined;

  const admin = () => httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });

  it(`lets ${CLIENTS} clients push different tags at once, and all succeed`, async () => {
    await Promise.all(images.map((image, number) => pushAsClient(registry.current().url, DIFFERENT, `v${number}`, image)));
  });

  it('lists every tag, each with the manifest that was pushed under it', async () => {
    const client = admin();
    expect(await tagsOf(client, DIFFERENT)).to.have.members(tags);
    for (const [number, { manifest }] of images.entries()) {
      const { body } = expectStatus('pull', await client.send('GET', `/v2/${DIFFERENT}/manifests/v${number}`), 200);
      expect(digestOf(body)).to.equal(manifest.digest);
    }
    client.close();
  });

  it(`lets ${RIVALS} clients push the same tag at once, and all succeed`, async () => {
    await Promise.all(rivals.map((image) => pushAsClient(registry.current().url, SAME, 'latest', image)));
    const client = admin();
    const { headers, body } = expectStatus('pull', await client.send('GET', `/v2/${SAME}/manifests/latest`), 200);
    served = String(headers['docker-content-digest']);
    expect(digestOf(body)).to.equal(served);
    client.close();
  });

  it('has recorded a gapless history that holds each push once', async () => {
    expect((await registry.current().stop()).code).to.equal(0);
    facts = await factsIn(registry.current().dataDir);
    expectGapless(facts);
    const state = statesOf(facts).get(DIFFERENT);
    expect([...(state?.tags ?? [])]).to.have.deep.members(images.map(({ manifest }, number) => [`v${number}`, manifest.digest]));
    const linked = facts.filter(({ type, stream }) => type === 'BlobLinked' && stream.endsWith(`-${DIFFERENT}`));
    expect(linked.length, 'blobs: each shared layer once').to.equal(SHARED.length + 2 * CLIENTS);
  });

  it('serves the manifest of the last move of a tag, and each move knows the one before it', () => {
    const moves = movesOf(facts, SAME);
    expect(moves.map(({ digest }) => digest)).to.have.members(rivals.map(({ manifest }) => manifest.digest));
    expect(moves.at(-1)?.digest).to.equal(served);
    expect(moves.map(({ previous }) => previous?.digest)).to.deep.equal([
      undefined,
      ...moves.slice(0, -1).map((move) => move.digest),
    ]);
  });

  it('has views that agree with the log', () => expectViewsAgree(registry.current().dataDir));
});
