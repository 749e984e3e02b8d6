import { expect } from 'chai';
import { expectStatus, type HttpClient, pushBlob, pushManifest, tagsOf } from '../support/http.ts';
import { digestOf, type Image } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { blobDigest, repositoriesOf } from './visible.ts';

/** What clients of several nodes do, and what they must see. */

/** Two nodes in turn: what happens at one is looked at from the other at once. */
export const turns = (times: number) =>
  Array.from({ length: times }, (_, turn) => ({ turn, here: turn % 2, there: (turn + 1) % 2 }));

export const manifestStatus = async (client: HttpClient, repository: string, reference: string): Promise<number> =>
  (await client.send('GET', `/v2/${repository}/manifests/${reference}`)).status;

export const remove = async (client: HttpClient, path: string): Promise<void> => {
  expectStatus(`delete ${path}`, await client.send('DELETE', path), 202);
};

/** Everything that a push makes visible: its tag, manifest and blobs, in the lists too. */
export const expectPulled = async (client: HttpClient, repository: string, tag: string, image: Image): Promise<void> => {
  for (const reference of [tag, image.manifest.digest]) {
    const { body } = expectStatus(`pull ${reference}`, await client.send('GET', `/v2/${repository}/manifests/${reference}`), 200);
    expect(digestOf(body), `${repository}:${reference}`).to.equal(image.manifest.digest);
  }
  for (const { digest } of [image.config, ...image.layers]) expect(await blobDigest(client, repository, digest)).to.equal(digest);
  expect(await tagsOf(client, repository)).to.include(tag);
  expect(await repositoriesOf(client)).to.include(repository);
};

/** Pushes until readers see it. While nobody feeds the views a push is acknowledged with a warning that they may not, yet. */
export const pushVisibly = async (client: HttpClient, repository: string, tag: string, image: Image): Promise<void> => {
  await Promise.all([image.config, ...image.layers].map((blob) => pushBlob(client, repository, blob)));
  await waitUntil(`a push of ${repository}:${tag} is visible`, async () => {
    const { headers } = await pushManifest(client, repository, tag, image.manifest);
    return headers.warning === undefined;
  });
};
