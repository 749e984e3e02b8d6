import { expectStatus, type HttpClient, pushManifest } from '../support/http.ts';
import { digestOf, type Manifest, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST } from '../support/images.ts';
import { type Change, type Held, type Key, type Notes, notes } from './notes.ts';
import { blobKey, type Content, contentOf, one, uploading } from './uploading.ts';

type Made = Readonly<{ manifest: Manifest; blobs: readonly string[] }>;

export type Pusher = Readonly<{
  notes: Notes;
  /** One thing after another, at random, until a request fails. */
  work: (client: HttpClient) => Promise<never>;
  /** Goes on with most unfinished uploads where the registry says that they stand. @returns what it says wrongly */
  resume: (client: HttpClient) => Promise<readonly string[]>;
}>;

type Setting = Readonly<{
  /** Nobody else uses tags and blobs that are made from it. */
  name: string;
  repositories: readonly string[];
  random: () => number;
}>;

const TAGS = 5;
/** Blobs that every pusher pushes, over and over, and nobody deletes. */
const COMMON = 10;

const manifestKey = (repository: string, digest: string): Key => `manifest ${repository} ${digest}`;
const tagKey = (repository: string, tag: string): Key => `tag ${repository} ${tag}`;

const imageOf = (contents: readonly Content[]): Made => {
  const [config, ...layers] = contents.map(({ digest, size }, index) => ({
    mediaType: index === 0 ? OCI_CONFIG : OCI_LAYER,
    digest,
    size,
  }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers }));
  return { manifest: { digest: digestOf(bytes), bytes, mediaType: OCI_MANIFEST }, blobs: contents.map(({ digest }) => digest) };
};

/**
 * A client that pushes, tags and deletes as many do at once, and notes what it was told. It waits for each answer before its next
 * request, so that at most one is without an answer when the registry dies.
 */
export const pusher = ({ name, repositories, random }: Setting): Pusher => {
  const told = notes();
  const uploads = uploading(told, random);
  const contents = new Map<string, Content>();
  const images = new Map<string, Made>();

  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(items: readonly T[]): T | undefined => items[below(items.length)];
  const aRepository = (): string => pick(repositories) ?? '';
  const aTag = (): string => `${name}-${below(TAGS)}`;
  const aSize = (): number => (random() < 0.1 ? 1_000_000 + below(3_000_000) : 200 + below(20_000));

  const ownContent = (): Content => {
    const earlier = random() < 0.2 ? pick([...contents.values()]) : undefined;
    const content = earlier ?? contentOf(`${name}-${contents.size}`, aSize());
    contents.set(content.digest, content);
    return content;
  };

  /** Mostly new, sometimes one that was pushed before and perhaps deleted, sometimes one that all push. */
  const aContent = (): Content => (random() < 0.15 ? contentOf(`common-${below(COMMON)}`, 5000) : ownContent());

  const heldManifests = (repository: string): readonly Made[] =>
    [...images.values()].filter(({ manifest }) => told.held(manifestKey(repository, manifest.digest)) !== undefined);

  /** Under one tag or two, the manifest and its tags in one request. */
  const pushTagged = async (client: HttpClient, repository: string, { manifest }: Made): Promise<void> => {
    const tags = [...new Set([aTag(), aTag()])];
    const tagged = tags.map((tag): [Key, Held] => [tagKey(repository, tag), manifest.digest]);
    const change = new Map([[manifestKey(repository, manifest.digest), manifest.digest], ...tagged]);
    const query = tags.map((tag) => `tag=${tag}`).join('&');
    const reference = tags.length === 1 ? (tags[0] ?? '') : `${manifest.digest}?${query}`;
    await told.during(change, () => pushManifest(client, repository, reference, manifest));
  };

  const pushImage = async (client: HttpClient): Promise<void> => {
    const repository = aRepository();
    // One of its own makes the image its own: what others also push, they may also delete.
    const parts = [ownContent(), ...Array.from({ length: 1 + below(2) }, aContent)];
    for (const content of parts) await uploads.push(client, repository, content);
    const image = imageOf(parts);
    images.set(image.manifest.digest, image);
    await pushTagged(client, repository, image);
  };

  const retag = async (client: HttpClient): Promise<void> => {
    const repository = aRepository();
    const image = pick(heldManifests(repository));
    if (image !== undefined) await pushTagged(client, repository, image);
  };

  const remove = async (client: HttpClient, change: Change, path: string): Promise<void> => {
    await told.during(change, async () => expectStatus(`delete ${path}`, await client.send('DELETE', path), 202));
  };

  const deleteTag = async (client: HttpClient): Promise<void> => {
    const repository = aRepository();
    const tag = aTag();
    const key = tagKey(repository, tag);
    if (told.held(key) !== undefined) await remove(client, one(key, undefined), `/v2/${repository}/manifests/${tag}`);
  };

  /** Its tags go with it. */
  const deleteManifest = async (client: HttpClient): Promise<void> => {
    const repository = aRepository();
    const digest = pick(heldManifests(repository))?.manifest.digest;
    if (digest === undefined) return;
    const tagged = told.keys().filter((key) => key.startsWith(`tag ${repository} `) && told.held(key) === digest);
    const gone = [manifestKey(repository, digest), ...tagged].map((key): [Key, Held] => [key, undefined]);
    await remove(client, new Map(gone), `/v2/${repository}/manifests/${digest}`);
  };

  const deleteBlob = async (client: HttpClient): Promise<void> => {
    const repository = aRepository();
    const needed = new Set(heldManifests(repository).flatMap(({ blobs }) => blobs));
    const free = [...contents.keys()].filter((digest) => told.held(blobKey(repository, digest)) && !needed.has(digest));
    const digest = pick(free);
    if (digest === undefined) return;
    await remove(client, one(blobKey(repository, digest), undefined), `/v2/${repository}/blobs/${digest}`);
  };

  const actions: readonly ((client: HttpClient) => Promise<void>)[] = [
    pushImage,
    pushImage,
    pushImage,
    (client) => uploads.push(client, aRepository(), aContent()),
    (client) => uploads.abandon(client, aRepository(), aContent()),
    retag,
    deleteTag,
    deleteManifest,
    deleteBlob,
  ];

  return {
    notes: told,
    work: async (client) => {
      for (;;) await pick(actions)?.(client);
    },
    resume: uploads.resume,
  };
};
