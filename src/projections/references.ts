import type { RepositoryEvents } from '../events/repository.ts';
import type { Digest } from '../oci/digest.ts';
import type { Role } from '../oci/manifest.ts';
import { projection } from './projection.ts';

/** An edge is all key: rebuilding a view of slim edges is half again as fast as one that repeats the key in its documents. */
export type Edge = Readonly<Record<string, never>>;
const EDGE: Edge = Object.freeze({});

/** The prefix of everything in a repository that names `digest`. */
export const heldBy = (repositoryId: string, digest: Digest): string => `${repositoryId}/${digest}/`;
/** The prefix of the tags and indexes that keep the manifest `digest`: `tag/<tag>` and `index/<digest>` follow. */
export const keptBy = (repositoryId: string, digest: Digest): string => `${heldBy(repositoryId, digest)}kept/`;
/** The prefix of the tags that point at `digest`; what follows is the tag. */
export const taggedBy = (repositoryId: string, digest: Digest): string => `${keptBy(repositoryId, digest)}tag/`;
/** The prefix of the indexes that list `digest`; what follows is the index's digest. */
export const listedBy = (repositoryId: string, digest: Digest): string => `${keptBy(repositoryId, digest)}index/`;
/** The prefix of the manifests whose subject is `digest`, but for those that were released. */
export const attachedTo = (repositoryId: string, digest: Digest): string => `${heldBy(repositoryId, digest)}subject/`;
/** The prefix of the manifests whose subject is `digest` and that were released. */
export const releasedFrom = (repositoryId: string, digest: Digest): string => `${heldBy(repositoryId, digest)}released/`;

const tagEdge = (repositoryId: string, digest: Digest, tag: string): string => `${taggedBy(repositoryId, digest)}${tag}`;

const PREFIX_OF: Readonly<Record<Role, (repositoryId: string, digest: Digest) => string>> = {
  config: (repositoryId, digest) => `${heldBy(repositoryId, digest)}manifest/`,
  layer: (repositoryId, digest) => `${heldBy(repositoryId, digest)}manifest/`,
  manifest: listedBy,
  subject: attachedTo,
};

type Named = RepositoryEvents['ManifestPushed'] | RepositoryEvents['ManifestDeleted'];

const edgesOf = ({ repositoryId, digest, references: named }: Named): readonly string[] => [
  ...new Set(named.map((one) => `${PREFIX_OF[one.role](repositoryId, one.digest)}${digest}`)),
];

/** Where a manifest stands among those of its subject: before and after it was released. */
const attachmentEdges = (repositoryId: string, digest: Digest, subject: Digest): readonly string[] => [
  `${attachedTo(repositoryId, subject)}${digest}`,
  `${releasedFrom(repositoryId, subject)}${digest}`,
];

/**
 * Who holds a blob or manifest in its repository: one document for each manifest that names it and for each tag that points at it.
 * Answers "may this blob go?", "which tags go with this manifest?" and "what still holds it?" by the prefix of a key.
 */
export const references = projection<Edge, RepositoryEvents>({
  view: 'references',
  version: 2,
  indexes: [],
  keysOf: (event) => {
    const { type, data } = event;
    switch (type) {
      case 'ManifestPushed':
        return edgesOf(data);
      case 'ManifestDeleted': {
        const subject = data.references.find(({ role }) => role === 'subject')?.digest;
        const released = subject === undefined ? [] : [`${releasedFrom(data.repositoryId, subject)}${data.digest}`];
        return [...edgesOf(data), ...released];
      }
      case 'ManifestReleased':
      case 'ManifestHeld':
        return data.subject === undefined ? [] : attachmentEdges(data.repositoryId, data.digest, data.subject);
      case 'TagMoved': {
        const now = tagEdge(data.repositoryId, data.digest, data.tag);
        return data.previous === undefined ? [now] : [tagEdge(data.repositoryId, data.previous.digest, data.tag), now];
      }
      case 'TagDeleted':
        return [tagEdge(data.repositoryId, data.digest, data.tag)];
      default:
        return [];
    }
  },
  on: {
    ManifestPushed: () => EDGE,
    ManifestDeleted: () => undefined,
    ManifestReleased: (_edge, { data }, key) =>
      data.subject !== undefined && key.startsWith(releasedFrom(data.repositoryId, data.subject)) ? EDGE : undefined,
    ManifestHeld: (_edge, { data }, key) =>
      data.subject !== undefined && key.startsWith(attachedTo(data.repositoryId, data.subject)) ? EDGE : undefined,
    TagMoved: (_edge, { data }, key) => (key === tagEdge(data.repositoryId, data.digest, data.tag) ? EDGE : undefined),
    TagDeleted: () => undefined,
  },
});
