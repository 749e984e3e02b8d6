import { type Answer, expectStatus, pushManifest, type Sending, Unexpected } from '../support/http.ts';
import { type Blob, type Image, imageOf, noise, tarOf } from '../support/images.ts';
import type { AnyNode } from './anyNode.ts';
import type { Held, Key } from './notes.ts';
import { looking } from './visible.ts';

/** A client that repeats what was not answered until it is, and so knows of everything what has become of it. */
export type Customer = Readonly<{
  /** What was acknowledged last, of what nobody else changes. */
  told: ReadonlyMap<Key, Held>;
  /** `<repository> <digest>` of every manifest whose push was acknowledged. */
  pushed: ReadonlySet<string>;
  /** What was not as it was told, at once. */
  wrong: readonly string[];
  /** One thing after another until `isOver`. */
  work: (client: AnyNode, isOver: () => boolean) => Promise<void>;
}>;

export type CustomerOptions = Readonly<{
  /** Nobody else uses tags and blobs that are made from it. */
  name: string;
  repositories: readonly string[];
  random: () => number;
}>;

/** The tag and the layer that all customers have in common. */
export const LATEST = 'latest';
const SHARED = tarOf({ base: noise(5000, 'shared by all') });
const TAGS = 4;

const OCTETS = { 'content-type': 'application/octet-stream' };

/** What readers may not see yet says so. */
const isWarned = ({ headers }: Answer): boolean => headers.warning !== undefined;

/** One request of an upload. @returns undefined when an earlier try has changed the session: it is to be begun anew */
const step = async (client: AnyNode, method: string, path: string, sending: Sending): Promise<Answer | undefined> => {
  const answer = await client.send(method, path, { ...sending, headers: { ...OCTETS, ...sending.headers } });
  if (answer.status < 300) return answer;
  // 404: finished. 416: the chunk is there. 400: a finish that died with its node is taken for one that is under way.
  if (answer.tries > 1 && [400, 404, 416].includes(answer.status)) return undefined;
  throw new Unexpected(`${method} ${path}`, answer);
};

const uploadTo = async (client: AnyNode, repository: string, { bytes, digest }: Blob, at: number): Promise<boolean> => {
  const begun = await step(client, 'POST', `/v2/${repository}/blobs/uploads/`, {});
  const headers = { 'content-range': `0-${at - 1}` };
  const chunk = begun && (await step(client, 'PATCH', String(begun.headers.location), { body: bytes.subarray(0, at), headers }));
  const location = `${chunk?.headers.location}?digest=${digest}`;
  return chunk !== undefined && (await step(client, 'PUT', location, { body: bytes.subarray(at) })) !== undefined;
};

export const customer = ({ name, repositories, random }: CustomerOptions): Customer => {
  type Pushed = Readonly<{ repository: string; image: Image; isVisible: boolean }>;
  const told = new Map<Key, Held>();
  const pushed = new Set<string>();
  const wrong: string[] = [];
  const held = new Set<Pushed>();
  let images = 0;

  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(items: readonly T[]): T | undefined => items[below(items.length)];

  const look = async (client: AnyNode, key: Key, expected = told.get(key)): Promise<void> => {
    const found = await looking(client)(key);
    if (found !== expected) wrong.push(`${key}: told ${expected ?? 'gone'}, found ${found ?? 'nothing'}`);
  };

  /** Notes what was acknowledged, and looks at once unless it may not be seen yet. */
  const note = async (client: AnyNode, answer: Answer, changes: ReadonlyMap<Key, Held>): Promise<void> => {
    for (const [key, value] of changes) told.set(key, value);
    if (!isWarned(answer)) for (const key of changes.keys()) await look(client, key);
  };

  const pushBlob = async (client: AnyNode, repository: string, blob: Blob): Promise<void> => {
    while (!(await uploadTo(client, repository, blob, 1 + below(blob.bytes.length - 1))));
    told.set(`blob ${repository} ${blob.digest}`, blob.digest);
  };

  const push = async (client: AnyNode): Promise<void> => {
    images += 1;
    const repository = pick(repositories) ?? '';
    const image = imageOf([SHARED, tarOf({ own: noise(300 + below(3000), `${name}-${images}`) })]);
    for (const blob of [image.config, ...image.layers]) await pushBlob(client, repository, blob);
    const { digest } = image.manifest;
    const tag = `${name}-${below(TAGS)}`;
    const answer = await pushManifest(client, repository, tag, image.manifest);
    pushed.add(`${repository} ${digest}`);
    held.add({ repository, image, isVisible: !isWarned(answer) });
    const keys = [`manifest ${repository} ${digest}`, `tag ${repository} ${tag}`];
    await note(client, answer, new Map(keys.map((key) => [key, digest])));
    if (random() < 0.5) await pushManifest(client, repository, LATEST, image.manifest);
  };

  const remove = async (client: AnyNode, path: string, keys: readonly Key[]): Promise<void> => {
    const answer = expectStatus(`delete ${path}`, await client.send('DELETE', path), 202);
    await note(client, answer, new Map(keys.map((key) => [key, undefined])));
  };

  const tagsThat = (fits: (key: Key, digest: string) => boolean): readonly Key[] =>
    [...told].flatMap(([key, value]) => (key.startsWith('tag ') && value !== undefined && fits(key, value) ? [key] : []));

  const removeTag = async (client: AnyNode): Promise<void> => {
    const key = pick(tagsThat(() => true));
    const [, repository, tag] = key?.split(' ') ?? [];
    if (key !== undefined) await remove(client, `/v2/${repository}/manifests/${tag}`, [key]);
  };

  /** With its tags, and then a blob that no other manifest has. */
  const removeImage = async (client: AnyNode): Promise<void> => {
    const one = pick([...held]);
    if (one === undefined) return;
    held.delete(one);
    const { repository, image } = one;
    const { digest } = image.manifest;
    const tags = tagsThat((key, value) => key.startsWith(`tag ${repository} `) && value === digest);
    await remove(client, `/v2/${repository}/manifests/${digest}`, [`manifest ${repository} ${digest}`, ...tags]);
    const blob = image.config.digest;
    await remove(client, `/v2/${repository}/blobs/${blob}`, [`blob ${repository} ${blob}`]);
  };

  const pull = async (client: AnyNode): Promise<void> => {
    const one = pick([...held].filter(({ isVisible }) => isVisible));
    if (one === undefined) return;
    const { repository, image } = one;
    await look(client, `manifest ${repository} ${image.manifest.digest}`);
    for (const { digest } of [image.config, ...image.layers]) await look(client, `blob ${repository} ${digest}`);
  };

  const actions = [push, push, push, pull, removeTag, removeImage];
  return {
    told,
    pushed,
    wrong,
    work: async (client, isOver) => {
      while (!isOver()) await pick(actions)?.(client);
    },
  };
};
