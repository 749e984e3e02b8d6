import type { ReleaseCause, RepositoryEvents } from '../events/repository.ts';
import type { Digest } from '../oci/digest.ts';
import { projection, type Totals } from './projection.ts';

/** A blob that a repository links, whatever the repository. */
export type InventoryBlob = Readonly<{
  size: number;
  /** Repositories that link it. */
  links: number;
  /** Manifests that name it: one that two repositories have counts twice. */
  references: number;
  /** Since when some repository links it without a break. */
  createdAt: string;
  /** Always: what the index finds blobs by. */
  linked: true;
}>;

/**
 * A digest that no repository links: another manifest, content that is missing, or with a size a blob whose bytes are still there since
 * its last link went.
 */
type Unlinked = Readonly<{
  /** Manifests that name it. */
  named: number;
  size?: number;
}>;

type InventoryManifest = Readonly<{
  tags: number;
  /** Nothing holds it any more, for another reason than that a tag moved away. */
  released?: true;
  /** Nothing holds it since its last tag moved away, which was then. */
  movedAwayAt?: string;
}>;

/** A life of a repository that has manifests. */
type InventoryRepository = Readonly<{ manifests: number }>;

/** How often a manifest was stored, ever. */
type Pushes = Readonly<{ pushes: number }>;

export type Inventory = InventoryBlob | Unlinked | InventoryManifest | InventoryRepository | Pushes;

export const BLOBS = 'blob/';
const MANIFESTS = 'manifest/';
const REPOSITORIES = 'repository/';
const PUSHES = 'pushes';

export const inventoryBlobKey = (digest: Digest): string => `${BLOBS}${digest}`;
const manifestKey = (repositoryId: string, digest: Digest): string => `${MANIFESTS}${repositoryId}/${digest}`;

const MOVED_AWAY_ON = 'movedAwayOn';
const dayOf = (time: string): string => time.slice(0, 'yyyy-mm-dd'.length);

/**
 * Manifests whose last tag moved away on a day of UTC before that of a time, by the totals: one sum for each day that has such manifests.
 * @param time ISO 8601; without it those of all days
 */
export const movedAwayBefore = (sums: Totals, time?: string): number => {
  const limit = time === undefined ? undefined : `${MOVED_AWAY_ON}${dayOf(time)}`;
  return Object.entries(sums)
    .filter(([name]) => name.startsWith(MOVED_AWAY_ON) && (limit === undefined || name < limit))
    .reduce((all, [, sum]) => all + sum, 0);
};

/**
 * What the view adds up beside the manifests that tags moved away from on each day: everything about the whole registry that does not
 * depend on the time of day.
 */
export const INVENTORY_TOTALS = [
  'repositories',
  'tags',
  'manifests',
  'untagged',
  'released',
  'blobs',
  'uniqueBytes',
  'links',
  'logicalBytes',
  'references',
  'unreferencedBlobs',
  'unreferencedBytes',
  'recoverableBlobs',
  'recoverableBytes',
  'pushes',
] as const;
type Total = (typeof INVENTORY_TOTALS)[number];

type Events = RepositoryEvents;
type ManifestEvent = Events['ManifestPushed'] | Events['ManifestDeleted'];

const keysOfManifest = ({ repositoryId, digest, references }: ManifestEvent): string[] => {
  const keys = [manifestKey(repositoryId, digest), `${REPOSITORIES}${repositoryId}`];
  // What a manifest names twice counts once: a document takes an event once, however often its key stands here.
  for (const reference of references) keys.push(inventoryBlobKey(reference.digest));
  return keys;
};

const isBlob = (document: Inventory | undefined): document is InventoryBlob => document !== undefined && 'links' in document;
const isManifest = (document: Inventory | undefined): document is InventoryManifest =>
  document !== undefined && 'tags' in document;
const numberIn = (document: Inventory | undefined, field: 'named' | 'manifests' | 'pushes'): number =>
  document !== undefined && field in document ? ((document as Readonly<Record<string, number>>)[field] ?? 0) : 0;

/** Nobody names it and its bytes are not there: then nothing is to be known of it. */
const whileOfUse = (document: Unlinked): Unlinked | undefined =>
  document.named > 0 || document.size !== undefined ? document : undefined;

const named = (document: Inventory | undefined, more: 1 | -1): Inventory | undefined => {
  if (isBlob(document)) return { ...document, references: document.references + more };
  return whileOfUse({ ...document, named: numberIn(document, 'named') + more });
};

const linked = (document: Inventory | undefined, size: number, at: string): Inventory =>
  isBlob(document)
    ? { ...document, links: document.links + 1 }
    : { size, links: 1, references: numberIn(document, 'named'), createdAt: at, linked: true };

const unlinked = (document: Inventory | undefined, cause: Events['BlobUnlinked']['cause']): Inventory | undefined => {
  if (!isBlob(document)) return document;
  const { links, references, size } = document;
  if (links > 1) return { ...document, links: links - 1 };
  return whileOfUse({ named: references, ...(cause !== 'missing' && { size }) });
};

const heldInRepository = (document: Inventory | undefined, more: 1 | -1): Inventory | undefined => {
  const manifests = numberIn(document, 'manifests') + more;
  return manifests > 0 ? { manifests } : undefined;
};

const tagged = (document: Inventory | undefined, more: number): Inventory | undefined =>
  isManifest(document) && more !== 0 ? { ...document, tags: document.tags + more } : document;

const releasedBy = (cause: ReleaseCause, at: string): Partial<InventoryManifest> =>
  cause === 'tagMoved' ? { movedAwayAt: at } : { released: true };

type Share = Readonly<Partial<Record<Total, number>>>;
const NOTHING: Share = Object.freeze({});

/** What one document contributes to the totals. */
const shareOf = (document: Inventory | undefined): Share => {
  if (document === undefined) return NOTHING;
  if ('named' in document)
    return document.size === undefined ? NOTHING : { recoverableBlobs: 1, recoverableBytes: document.size };
  if ('links' in document) {
    const { size, links, references } = document;
    const unreferenced = Number(references === 0);
    return {
      blobs: 1,
      uniqueBytes: size,
      links,
      logicalBytes: links * size,
      references,
      unreferencedBlobs: unreferenced,
      unreferencedBytes: unreferenced * size,
    };
  }
  if ('tags' in document) {
    const { tags, released, movedAwayAt } = document;
    const share = { manifests: 1, tags, untagged: Number(tags === 0), released: Number(released === true) };
    return movedAwayAt === undefined ? share : { ...share, [`${MOVED_AWAY_ON}${dayOf(movedAwayAt)}`]: 1 };
  }
  return 'manifests' in document ? { repositories: 1 } : document;
};

const difference = (before: Totals, after: Totals): Totals => {
  const delta: Record<string, number> = { ...after };
  for (const name in before) delta[name] = (delta[name] ?? 0) - (before[name] ?? 0);
  return delta;
};

/**
 * What the whole registry holds, for its counters: one document a distinct blob, one a manifest of a repository, one a life of a
 * repository. All in one view, because the totals of one view are exact as of one position. Its indexes find
 * the blobs that are referenced most, and those that are linked, in the order of their digests: however many there are that nobody links.
 *
 * A repository is none any more with `RepositoryDeleted`. What it held counts until it is recorded as gone, each thing by the id of its
 * life: so nothing of the next life of the name is taken for it.
 */
export const inventory = projection<Inventory, RepositoryEvents>({
  view: 'inventory',
  version: 1,
  indexes: [['references'], ['linked']],
  keysOf: ({ type, data }) => {
    switch (type) {
      case 'BlobLinked':
      case 'BlobUnlinked':
        return [inventoryBlobKey(data.digest)];
      case 'ManifestPushed':
        return [...keysOfManifest(data), PUSHES];
      case 'ManifestDeleted':
        return keysOfManifest(data);
      case 'TagMoved': {
        const now = manifestKey(data.repositoryId, data.digest);
        if (data.previous === undefined || data.previous.digest === data.digest) return [now];
        return [now, manifestKey(data.repositoryId, data.previous.digest)];
      }
      case 'TagDeleted':
      case 'ManifestReleased':
      case 'ManifestHeld':
        return [manifestKey(data.repositoryId, data.digest)];
      case 'RepositoryDeleted':
        return [`${REPOSITORIES}${data.repositoryId}`];
      default:
        return [];
    }
  },
  on: {
    BlobLinked: (document, { data, metadata }) => linked(document, data.size, metadata.at),
    BlobUnlinked: (document, { data }) => unlinked(document, data.cause),
    ManifestPushed: (document, _event, key) => {
      if (key.startsWith(BLOBS)) return named(document, 1);
      if (key.startsWith(MANIFESTS)) return { tags: 0 };
      return key === PUSHES ? { pushes: numberIn(document, 'pushes') + 1 } : heldInRepository(document, 1);
    },
    ManifestDeleted: (document, _event, key) => {
      if (key.startsWith(BLOBS)) return named(document, -1);
      return key.startsWith(MANIFESTS) ? undefined : heldInRepository(document, -1);
    },
    TagMoved: (document, { data }, key) => {
      const isNow = key === manifestKey(data.repositoryId, data.digest);
      const more = Number(isNow && data.previous?.digest !== data.digest);
      return tagged(document, isNow ? more : -1);
    },
    TagDeleted: (document) => tagged(document, -1),
    ManifestReleased: (document, { data, metadata }) =>
      isManifest(document) ? { tags: document.tags, ...releasedBy(data.cause, metadata.at) } : document,
    ManifestHeld: (document) => (isManifest(document) ? { tags: document.tags } : document),
    RepositoryDeleted: () => undefined,
  },
  totals: (before, after) => difference(shareOf(before), shareOf(after)),
});
