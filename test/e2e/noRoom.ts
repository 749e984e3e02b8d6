import { expect } from 'chai';
import { type Answer, basic, expectStatus, type HttpClient, httpClient } from '../support/http.ts';
import { digestOf, type Image } from '../support/images.ts';
import { ADMIN, PASSWORD, type RegistryProcess } from '../support/registryProcess.ts';
import { blobDigest } from './visible.ts';

/** What the suites about full disks have in common. */

export const OCTETS = { 'content-type': 'application/octet-stream' };
export const NAME = 'full/disk';

/** A refusal in OCI's form, in words for a person. */
export const expectNoRoom = ({ status, headers, body }: Answer): void => {
  const text = body.toString();
  expect(status, text).to.equal(507);
  expect(headers['content-type']).to.match(/^application\/json/);
  const { errors } = JSON.parse(text) as { errors: readonly { code: string; message: string }[] };
  expect(errors[0]?.code).to.equal('UNAVAILABLE');
  expect(errors[0]?.message).to.match(/no room/);
  expect(text, 'nothing of the inside').to.not.match(/ENOSPC|SQLITE|node:/);
};

export const adminOf = ({ url }: RegistryProcess): HttpClient =>
  httpClient(url, { authorization: basic(ADMIN, PASSWORD), connections: 8 });

export const expectPulls = async (client: HttpClient, tag: string, { manifest, config, layers }: Image): Promise<void> => {
  const { body } = expectStatus('pull', await client.send('GET', `/v2/${NAME}/manifests/${tag}`), 200);
  expect(digestOf(body)).to.equal(manifest.digest);
  for (const { digest } of [config, ...layers]) expect(await blobDigest(client, NAME, digest)).to.equal(digest);
};

/** What was logged as an error, but for the one that a full log is: records of accesses have to wait. */
export const unexpectedIn = (registry: RegistryProcess): readonly unknown[] =>
  registry
    .logs()
    .filter(({ level = 0 }) => level >= 50)
    .filter(({ err }) => (err as Error | undefined)?.name !== 'LogFull');
