import type { RepositoryEvents } from '../events/repository.ts';
import type { Digest } from '../oci/digest.ts';
import { projection } from './projection.ts';

/** An edge is all key: rebuilding a view of slim edges is half again as fast as one that repeats the key in its documents. */
export type Edge = Readonly<Record<string, never>>;
const EDGE: Edge = Object.freeze({});

/** The prefix of everything in a repository that holds `digest`. */
export const heldBy = (repositoryId: string, digest: Digest): string => `${repositoryId}/${digest}/`;
/** The prefix of the tags that point at `digest`; what follows is the tag. */
export const taggedBy = (repositoryId: string, digest: Digest): string => `${heldBy(repositoryId, digest)}tag/`;

const tagEdge = (repositoryId: string, digest: Digest, tag: string): string => `${taggedBy(repositoryId, digest)}${tag}`;

/**
 * Who holds a blob or manifest in its repository: one document for each manifest that names it and for each tag that points at it.
 * Answers "may this blob go?" and "which tags go with this manifest?" by the prefix of a key.
 */
export const references = projection<Edge, RepositoryEvents>({
  view: 'references',
  version: 1,
  indexes: [],
  keysOf: (event) => {
    const { type, data } = event;
    switch (type) {
      case 'ManifestPushed':
      case 'ManifestDeleted':
        return [...new Set(data.references.map(({ digest }) => `${heldBy(data.repositoryId, digest)}manifest/${data.digest}`))];
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
    TagMoved: (_edge, { data }, key) => (key === tagEdge(data.repositoryId, data.digest, data.tag) ? EDGE : undefined),
    TagDeleted: () => undefined,
  },
});
