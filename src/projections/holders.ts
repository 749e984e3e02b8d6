import type { RepositoryEvents } from '../events/repository.ts';
import type { Digest } from '../oci/digest.ts';
import { projection } from './projection.ts';

/** All key, as the references are. */
export type Holder = Readonly<Record<string, never>>;
const HOLDER: Holder = Object.freeze({});

/** The prefix of the repositories that hold a blob; what follows is a repository's name. */
export const holdersOf = (digest: Digest): string => `${digest}/`;

/** Which repositories hold a blob: what a mount without a source looks through. */
export const holders = projection<Holder, RepositoryEvents>({
  view: 'holders',
  version: 1,
  indexes: [],
  keysOf: ({ type, data }) =>
    type === 'BlobLinked' || type === 'BlobUnlinked' ? [`${holdersOf(data.digest)}${data.repository}`] : [],
  on: { BlobLinked: () => HOLDER, BlobUnlinked: () => undefined },
});
