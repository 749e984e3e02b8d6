import type { ReleaseCause, RepositoryEvents } from '../events/repository.ts';
import type { Digest } from '../oci/digest.ts';
import { projection, type Totals } from './projection.ts';
import type { Where } from './views/views.ts';

/** A blob that a repository links, whatever the repository. */
export type InventoryBlob = Readonly<{
  size: number;
  /** Repositories that link it. */
  links: number;
  /** Manifests that name it: one that two repositories have counts twice. */
  references: number;
  /** Since when some repository links it without a break. */
  createdAt: string;
}>;

/** A digest that manifests name and no repository links: another manifest, or content that may be missing. */
type Named = Readonly<{ named: number }>;

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

export type Inventory = InventoryBlob | Named | InventoryManifest | InventoryRepository | Pushes;

export const BLOBS = 'blob/';
const MANIFESTS = 'manifest/';
const REPOSITORIES = 'repository/';
const PUSHES = 'pushes';

export const inventoryBlobKey = (digest: Digest): string => `${BLOBS}${digest}`;
const manifestKey = (repositoryId: string, digest: Digest): string => `${MANIFESTS}${repositoryId}/${digest}`;

const MOVED_AWAY_IN = 'movedAwayIn';
const monthOf = (time: string): string => time.slice(0, 'yyyy-mm'.length);

/** Manifests whose last tag moved away in the month of this time, and not after it, as they are found by the index. */
export const movedAwayInMonthUntil = (time: string): Where => ({
  references: null,
  movedAwayAt: { $gte: monthOf(time), $lte: time },
});

/** Manifests whose last tag moved away, by the totals: in the months before that of a time, and in that month. */
export const movedAwayByMonth = (totals: Totals, time: string): Readonly<{ before: number; within: number }> => {
  const month = `${MOVED_AWAY_IN}${monthOf(time)}`;
  const before = Object.keys(totals).filter((name) => name.startsWith(MOVED_AWAY_IN) && name < month);
  return { before: before.reduce((sum, name) => sum + (totals[name] ?? 0), 0), within: totals[month] ?? 0 };
};

/**
 * What the view adds up beside the manifests that tags moved away from in each month: everything about the whole registry that does not
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

const named = (document: Inventory | undefined, more: 1 | -1): Inventory | undefined => {
  if (isBlob(document)) return { ...document, references: document.references + more };
  const sum = numberIn(document, 'named') + more;
  return sum > 0 ? { named: sum } : undefined;
};

const linked = (document: Inventory | undefined, size: number, at: string): Inventory =>
  isBlob(document)
    ? { ...document, links: document.links + 1 }
    : { size, links: 1, references: numberIn(document, 'named'), createdAt: at };

const unlinked = (document: Inventory | undefined): Inventory | undefined => {
  if (!isBlob(document)) return document;
  if (document.links > 1) return { ...document, links: document.links - 1 };
  return document.references > 0 ? { named: document.references } : undefined;
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
  if (document === undefined || 'named' in document) return NOTHING;
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
    return movedAwayAt === undefined ? share : { ...share, [`${MOVED_AWAY_IN}${monthOf(movedAwayAt)}`]: 1 };
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
 * repository. All in one view, because the totals of one view are exact as of one position. Its one index finds
 * the blobs that are referenced most and the manifests whose tags moved away long ago: two indexes would each have every document in them.
 *
 * A repository is none any more with `RepositoryDeleted`. What it held counts until it is recorded as gone, each thing by the id of its
 * life: so nothing of the next life of the name is taken for it.
 */
export const inventory = projection<Inventory, RepositoryEvents>({
  view: 'inventory',
  version: 1,
  indexes: [['references', 'movedAwayAt']],
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
    BlobUnlinked: unlinked,
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
