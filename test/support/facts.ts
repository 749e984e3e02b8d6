import { hash } from 'node:crypto';
import type {
  DeleteManifest,
  DeleteRepository,
  DeleteTag,
  LinkBlob,
  PushManifest,
  SetImmutabilityRules,
  UnlinkBlob,
} from '../../src/commands/repository/commands.ts';
import type { Fact } from '../../src/events/event.ts';
import type { ManifestReference, RepositoryEvents } from '../../src/events/repository.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/mediaTypes.ts';

// One repository in its first life, a few things to push to it, and what is recorded when that happens.

export const NAME = 'team/app';
export const LIFE = 'life-1';
const OF = { repositoryId: LIFE, repository: NAME } as const;

/** In place of the keyed fingerprint that a registry would make of a name. */
export const fingerprintOf = (name: string): string => hash('sha256', name.toLowerCase(), 'hex');

/** When the n-th event of a history happened, counted from 0: as `deciding` and `projecting` tell it. */
export const at = (n: number): string => new Date(Date.UTC(2026, 0, 1) + n).toISOString();

export type Content = Readonly<{ digest: Digest; size: number }>;
export type Pushable = Content & Readonly<{ mediaType: string; references: readonly ManifestReference[] }>;

export const content = (text: string): Content => ({ digest: digestOf(text), size: text.length });
export const as = (role: ManifestReference['role'], { digest, size }: Content): ManifestReference => ({ digest, size, role });

export const imageOf = (text: string, ...references: readonly ManifestReference[]): Pushable => ({
  ...content(text),
  mediaType: OCI_MANIFEST,
  references,
});
export const indexOf = (text: string, ...children: readonly Content[]): Pushable => ({
  ...content(text),
  mediaType: OCI_INDEX,
  references: children.map((child) => as('manifest', child)),
});

export const config = content('a config');
export const layer = content('a layer');
export const otherLayer = content('another layer');
export const image = imageOf('an image', as('config', config), as('layer', layer));
export const otherImage = imageOf('another image', as('config', config), as('layer', otherLayer));
export const index = indexOf('an index', image, otherImage);

const fact = <T extends keyof RepositoryEvents>(type: T, data: RepositoryEvents[T]): Fact<T, RepositoryEvents[T]> => ({
  type,
  data,
});

type Cause<T extends keyof RepositoryEvents> = RepositoryEvents[T] extends { cause: infer C } ? C : never;

export const created = fact('RepositoryCreated', { ...OF, ownerId: 7, visibility: 'private' });
export const linked = ({ digest, size }: Content) => fact('BlobLinked', { ...OF, digest, size });
export const unlinked = ({ digest, size }: Content, cause: Cause<'BlobUnlinked'> = 'deleted') =>
  fact('BlobUnlinked', { ...OF, digest, size, cause });
export const pushed = ({ digest, size, mediaType, references }: Pushable) =>
  fact('ManifestPushed', { ...OF, digest, size, mediaType, references });
export const removed = ({ digest, size, references }: Pushable, cause: Cause<'ManifestDeleted'> = 'deleted') =>
  fact('ManifestDeleted', { ...OF, digest, size, references, cause });
export const tagged = (tag: string, { digest }: Content, previous?: Readonly<{ digest: Digest; since: string }>) =>
  fact('TagMoved', { ...OF, tag, digest, ...(previous !== undefined && { previous }) });
export const untagged = (tag: string, { digest }: Content, since: string, cause: Cause<'TagDeleted'> = 'deleted') =>
  fact('TagDeleted', { ...OF, tag, digest, since, cause });

export const described = (description: string) => fact('RepositoryDescribed', { ...OF, description });
export const shownTo = (visibility: 'private' | 'public') =>
  fact('VisibilityChanged', { ...OF, visibility, previous: visibility === 'public' ? 'private' : 'public' });
export const given = (ownerId: number | null) => fact('OwnerChanged', { ...OF, ownerId, previous: 7 });
export const ruled = (...rules: readonly string[]) => fact('ImmutabilityRulesSet', { ...OF, rules });
export const ended = (manifests: number, tags: number) => fact('RepositoryDeleted', { ...OF, manifests, tags });
export const cleared = fact('RepositoryCleared', OF);
type Subject = Readonly<{ subject?: Digest }>;
const subjectIn = ({ references }: Pushable): Subject => {
  const subject = references.find(({ role }) => role === 'subject')?.digest;
  return subject === undefined ? {} : { subject };
};
export const released = (manifest: Pushable, cause: Cause<'ManifestReleased'>) =>
  fact('ManifestReleased', { ...OF, digest: manifest.digest, cause, ...subjectIn(manifest) });
export const heldAgain = (manifest: Pushable, by: RepositoryEvents['ManifestHeld']['by']) =>
  fact('ManifestHeld', { ...OF, digest: manifest.digest, by, ...subjectIn(manifest) });

/** A repository that holds the image, untagged: four events. */
export const withImage = [created, linked(config), linked(layer), pushed(image)] as const;

const founding = { newRepositoryId: LIFE, ownerId: 7 } as const;

export const link = ({ digest, size }: Content): LinkBlob => ({ type: 'LinkBlob', repository: NAME, digest, size, ...founding });
export const unlink = ({ digest }: Content): UnlinkBlob => ({ type: 'UnlinkBlob', repository: NAME, digest, cause: 'deleted' });
export const push = ({ digest, size, mediaType, references }: Pushable, ...tags: readonly string[]): PushManifest => ({
  type: 'PushManifest',
  repository: NAME,
  digest,
  size,
  mediaType,
  references: references.map((reference) => ({ ...reference, mayBeMissing: reference.role === 'subject' })),
  tags,
  ...founding,
});
export const remove = ({ digest }: Content): DeleteManifest => ({ type: 'DeleteManifest', repository: NAME, digest });
export const untag = (tag: string): DeleteTag => ({ type: 'DeleteTag', repository: NAME, tag });
export const end: DeleteRepository = { type: 'DeleteRepository', repository: NAME };
export const rule = (...rules: readonly string[]): SetImmutabilityRules => ({
  type: 'SetImmutabilityRules',
  repository: NAME,
  rules,
});
