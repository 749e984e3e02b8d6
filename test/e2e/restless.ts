import type { HttpClient } from '../support/http.ts';
import { type Blob, digestOf, type Image, indexOf, type Manifest, noise, randomImage } from '../support/images.ts';

// Clients that push, move, delete and begin again, in each other's way: all the time, in a few repositories, with a few images.

const REPOSITORIES = ['restless/a', 'restless/b', 'restless/c', 'quiet'] as const;
const TAGS = ['latest', 'v1', 'v2', 'v3'] as const;
const IMAGES: readonly Image[] = Array.from({ length: 8 }, (_, n) => randomImage(`restless ${n}`, { layers: 2, size: 100 + n }));
const INDEX = indexOf(IMAGES.slice(0, 2)).manifest;
const MANIFESTS: readonly Manifest[] = [...IMAGES.map(({ manifest }) => manifest), INDEX];
const STRAYS: readonly Blob[] = Array.from({ length: 2 }, (_, n) => {
  const bytes = noise(50 + n, `stray ${n}`);
  return { digest: digestOf(bytes), bytes, mediaType: 'application/octet-stream' };
});

export type Restless = Readonly<{
  /** Works until told that it is over. */
  work: (isOver: () => boolean) => Promise<void>;
  /** How often each kind of request was answered with 2xx. */
  done: ReadonlyMap<string, number>;
  /** Answers that nobody should get, whatever others do. */
  failures: readonly string[];
}>;

/** @param random numbers from 0 to 1 */
export const restless = (client: HttpClient, random: () => number): Restless => {
  const done = new Map<string, number>();
  const failures: string[] = [];
  const oneOf = <T>(things: readonly T[]): T => things[Math.floor(random() * things.length)] as T;

  const ask = async (kind: string, method: string, path: string, sending?: Parameters<HttpClient['send']>[2]): Promise<void> => {
    const { status, body } = await client.send(method, path, sending);
    if (status >= 200 && status < 300) done.set(kind, (done.get(kind) ?? 0) + 1);
    // What another client has deleted a moment ago is missing, or in use: that is no failure.
    else if (status >= 500 || status === 429) failures.push(`${method} ${path}: ${status} ${body.toString('utf8', 0, 300)}`);
  };
  const upload = (name: string, { digest, bytes }: Blob) =>
    ask('blob', 'POST', `/v2/${name}/blobs/uploads/?digest=${encodeURIComponent(digest)}`, { body: bytes });
  const put = (name: string, reference: string, { bytes, mediaType }: Manifest) =>
    ask('manifest', 'PUT', `/v2/${name}/manifests/${reference}`, { body: bytes, headers: { 'content-type': mediaType } });

  const pushImage = async (name: string): Promise<void> => {
    const { config, layers, manifest } = oneOf(IMAGES);
    await Promise.all([config, ...layers].map((blob) => upload(name, blob)));
    await put(name, random() < 0.2 ? manifest.digest : oneOf(TAGS), manifest);
  };

  const works: readonly (readonly [weight: number, (name: string) => Promise<void>])[] = [
    [8, pushImage],
    [3, (name) => put(name, oneOf(TAGS), oneOf(MANIFESTS))],
    [3, (name) => upload(name, oneOf(STRAYS))],
    [3, (name) => ask('untag', 'DELETE', `/v2/${name}/manifests/${oneOf(TAGS)}`)],
    [2, (name) => ask('remove', 'DELETE', `/v2/${name}/manifests/${oneOf(MANIFESTS).digest}`)],
    [3, (name) => ask('unlink', 'DELETE', `/v2/${name}/blobs/${oneOf([...STRAYS, ...STRAYS, ...oneOf(IMAGES).layers]).digest}`)],
    [1, (name) => ask('end', 'DELETE', random() < 0.5 ? `/v2/${name}` : `/api/v1/repositories/${name}`)],
  ];
  const all = works.flatMap(([weight, work]) => Array.from({ length: weight }, () => work));

  return {
    done,
    failures,
    work: async (isOver) => {
      while (!isOver()) await oneOf(all)(oneOf(REPOSITORIES));
    },
  };
};

/** All that there is to be done, for a check that it was. */
export const KINDS = ['blob', 'manifest', 'untag', 'remove', 'unlink', 'end'] as const;
