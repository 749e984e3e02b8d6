import { type Answer, expectStatus, type HttpClient, pushBlob, pushManifest, tagsOf } from '../support/http.ts';
import { digestOf, randomImage } from '../support/images.ts';
import { repositoriesOf } from './visible.ts';

/** Clients that look at once whether what they were told is so. */
export type Witness = Readonly<{
  /** One thing after another until `client` ends it. */
  work: (client: HttpClient) => Promise<never>;
  /** What was not as it was told. */
  wrong: readonly string[];
}>;

/** `told`: whether each manifest that it pushed is still there, by what it was told. */
export type Rival = Witness & Readonly<{ told: ReadonlyMap<string, boolean> }>;

/** In how many cases a rival deletes what it has just pushed. */
const DELETES = 0.3;

/** What readers may not see yet says so. */
const isWarned = ({ headers }: Answer): boolean => headers.warning !== undefined;

/** Pushes images that nobody else has, all under one tag that others move too, and deletes some. */
export const rival = (name: string, repository: string, random: () => number): Rival => {
  const told = new Map<string, boolean>();
  const wrong: string[] = [];
  let images = 0;

  const expectThere = async (client: HttpClient, digest: string, status: 200 | 404): Promise<void> => {
    const answer = await client.send('GET', `/v2/${repository}/manifests/${digest}`);
    if (answer.status !== status) wrong.push(`${repository}@${digest} answers ${answer.status} where ${status} is the truth`);
  };

  const push = async (client: HttpClient): Promise<string> => {
    images += 1;
    const { config, layers, manifest } = randomImage(`${name}-${images}`, { layers: 1, size: 500 });
    for (const blob of [config, ...layers]) await pushBlob(client, repository, blob);
    const answer = await pushManifest(client, repository, 'latest', manifest);
    told.set(manifest.digest, true);
    if (!isWarned(answer)) await expectThere(client, manifest.digest, 200);
    return manifest.digest;
  };

  const remove = async (client: HttpClient, digest: string): Promise<void> => {
    const path = `/v2/${repository}/manifests/${digest}`;
    const answer = expectStatus(`delete ${digest}`, await client.send('DELETE', path), 202);
    told.set(digest, false);
    if (!isWarned(answer)) await expectThere(client, digest, 404);
  };

  return {
    told,
    wrong,
    work: async (client) => {
      for (;;) {
        const digest = await push(client);
        if (random() < DELETES) await remove(client, digest);
      }
    },
  };
};

type Named = Readonly<{ digest: string }>;

/** Pulls images by their tags, with their blobs. What others delete meanwhile is gone; what comes is whole. */
export const puller = (random: () => number): Witness => {
  const wrong: string[] = [];
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];

  const pull = async (client: HttpClient, path: string): Promise<Buffer | undefined> => {
    const { status, headers, body } = expectStatus(path, await client.send('GET', path), 200, 404);
    if (status === 404) return undefined;
    const digest = String(headers['docker-content-digest']);
    if (digestOf(body) !== digest) wrong.push(`${path} is not what its digest ${digest} says`);
    return body;
  };

  const pullOne = async (client: HttpClient): Promise<void> => {
    const repository = pick(await repositoriesOf(client));
    if (repository === undefined) return;
    const tag = pick(await tagsOf(client, repository));
    const manifest = tag === undefined ? undefined : await pull(client, `/v2/${repository}/manifests/${tag}`);
    if (manifest === undefined) return;
    const { config, layers } = JSON.parse(manifest.toString()) as { config: Named; layers: readonly Named[] };
    for (const { digest } of [config, ...layers]) await pull(client, `/v2/${repository}/blobs/${digest}`);
  };

  return {
    wrong,
    work: async (client) => {
      for (;;) await pullOne(client);
    },
  };
};
