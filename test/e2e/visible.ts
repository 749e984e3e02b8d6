import { createHash } from 'node:crypto';
import { expectStatus, type HttpClient, tagsOf } from '../support/http.ts';
import { digestOf } from '../support/images.ts';
import type { Held, Key } from './notes.ts';

/** What a registry shows to clients, and whether it is whole. */

type Named = Readonly<{ digest: string; size: number }>;
type ManifestBody = Readonly<{ config: Named; layers: readonly Named[] }>;

/** Reads a blob to its end. @returns the digest of what came, or undefined where there is none */
export const blobDigest = async (client: HttpClient, repository: string, digest: string): Promise<Held> => {
  const message = await client.open('GET', `/v2/${repository}/blobs/${digest}`);
  const hash = createHash(digest.startsWith('sha512') ? 'sha512' : 'sha256');
  for await (const chunk of message) hash.update(chunk as Buffer);
  if (message.statusCode === 404) return undefined;
  return message.statusCode === 200 ? `${digest.split(':')[0]}:${hash.digest('hex')}` : `status ${message.statusCode}`;
};

const manifestDigest = async (client: HttpClient, repository: string, reference: string): Promise<Held> => {
  const { status, headers, body } = await client.send('GET', `/v2/${repository}/manifests/${reference}`);
  if (status === 404) return undefined;
  const digest = digestOf(body);
  return status === 200 && headers['docker-content-digest'] === digest ? digest : `status ${status}, ${digest}`;
};

/** What is there under a key, by its bytes. */
export const looking =
  (client: HttpClient) =>
  (key: Key): Promise<Held> => {
    const [kind, repository = '', name = ''] = key.split(' ');
    return (kind === 'blob' ? blobDigest : manifestDigest)(client, repository, name);
  };

const faultsOfManifest = async (client: HttpClient, repository: string, tag: string): Promise<readonly string[]> => {
  const { status, headers, body } = await client.send('GET', `/v2/${repository}/manifests/${tag}`);
  if (status !== 200) return [`${repository}:${tag} is listed and answers ${status}`];
  const faults = headers['docker-content-digest'] === digestOf(body) ? [] : [`${repository}:${tag} is not what its digest says`];
  const { config, layers } = JSON.parse(body.toString()) as ManifestBody;
  const digests = await Promise.all([config, ...layers].map(({ digest }) => blobDigest(client, repository, digest)));
  const broken = [config, ...layers].filter(({ digest }, index) => digests[index] !== digest);
  return [...faults, ...broken.map(({ digest }) => `${repository}:${tag} needs ${digest}, which is not whole`)];
};

export const repositoriesOf = async (client: HttpClient): Promise<readonly string[]> => {
  const { body } = expectStatus('catalog', await client.send('GET', '/v2/_catalog?n=1000'), 200);
  return (JSON.parse(body.toString()) as { repositories: readonly string[] }).repositories;
};

/** Everything that is listed but not whole: tags without manifest, manifests without their blobs. */
export const halfVisible = async (client: HttpClient): Promise<readonly string[]> => {
  const faults: string[] = [];
  for (const repository of await repositoriesOf(client)) {
    const tags = await tagsOf(client, repository, 100);
    const found = await Promise.all(tags.map((tag) => faultsOfManifest(client, repository, tag)));
    faults.push(...found.flat());
  }
  return faults;
};
