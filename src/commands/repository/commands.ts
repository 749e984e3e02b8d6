import type { Fact } from '../../events/event.ts';
import type { ManifestReference, RepositoryEvents, Visibility } from '../../events/repository.ts';
import type { Digest } from '../../oci/digest.ts';

/** The first push creates the repository: for whom, and under which id, if it comes to that. */
type Founding = Readonly<{ newRepositoryId: string; ownerId: number | null }>;

export type LinkBlob = Readonly<{ type: 'LinkBlob'; repository: string; digest: Digest; size: number; mountedFrom?: string }> &
  Founding;
export type UnlinkBlob = Readonly<{ type: 'UnlinkBlob'; repository: string; digest: Digest; cause: 'deleted' | 'missing' }>;
/** Digests, or any at all. */
export type Etags = readonly string[] | '*';
/** What has to hold of a tag, or without one of the manifest itself, for a push to happen: compare-and-swap (RFC 9110, section 13). */
export type Precondition = Readonly<{ tag?: string; ifMatch?: Etags; ifNoneMatch?: Etags }>;

export type PushManifest = Readonly<{
  type: 'PushManifest';
  repository: string;
  digest: Digest;
  size: number;
  mediaType: string;
  artifactType?: string;
  references: readonly (ManifestReference & Readonly<{ mayBeMissing: boolean }>)[];
  tags: readonly string[];
  precondition?: Precondition;
}> &
  Founding;
export type DeleteManifest = Readonly<{ type: 'DeleteManifest'; repository: string; digest: Digest }>;
export type DeleteTag = Readonly<{ type: 'DeleteTag'; repository: string; tag: string }>;
export type DeleteRepository = Readonly<{ type: 'DeleteRepository'; repository: string }>;
/** Rules as `parseTagRules` takes them. */
export type SetImmutabilityRules = Readonly<{ type: 'SetImmutabilityRules'; repository: string; rules: readonly string[] }>;
/** All that is given, or nothing. What is so already is no change. */
export type DescribeRepository = Readonly<{
  type: 'DescribeRepository';
  repository: string;
  description?: string;
  visibility?: Visibility;
  ownerId?: number;
}>;
/** Records of some things of an ended life that they are gone. `last`: nothing is left besides. */
export type ClearRepository = Readonly<{
  type: 'ClearRepository';
  repository: string;
  repositoryId: string;
  tags: readonly string[];
  manifests: readonly Digest[];
  blobs: readonly Digest[];
  last: boolean;
}>;

export type RepositoryCommand =
  | LinkBlob
  | UnlinkBlob
  | PushManifest
  | DeleteManifest
  | DeleteTag
  | DeleteRepository
  | SetImmutabilityRules
  | DescribeRepository
  | ClearRepository;

export type RepositoryFact = { [T in keyof RepositoryEvents]: Fact<T, RepositoryEvents[T]> }[keyof RepositoryEvents];

/** Which life of which repository a fact is about. */
export type Life = Readonly<{ repositoryId: string; repository: string }>;
