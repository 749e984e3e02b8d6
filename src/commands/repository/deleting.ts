import { RegistryError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { type Manifest, manifestKey, manifests } from '../../projections/manifests.ts';
import { attachedTo, references, taggedBy } from '../../projections/references.ts';
import { repositories } from '../../projections/repositories.ts';
import { tagKey, tags } from '../../projections/tags.ts';
import { type Documents, document, type Keys, setUnder } from '../decider.ts';
import type { DeleteManifest, DeleteTag, Life, RepositoryFact } from './commands.ts';
import { listedIn, released, releaseKeys, together } from './holds.ts';
import { protectionKeys, refuseIfImmutable, refuseIfProtected } from './immutability.ts';
import { existing } from './lives.ts';

/** What goes with a manifest in one append, tags and what it held. A manifest with more is deleted in several. */
export const TAGS_PER_APPEND = 199;
/**
 * Manifests attached to one that goes that are looked at in one step. Those that are released are not looked at again; of so many that
 * tags or indexes hold besides, the rest is never released, which keeps it for ever.
 */
const MOST_ATTACHED = 500;

const untag = (life: Life, tag: string, documents: Documents, cause: 'deleted' | 'manifestDeleted') => {
  const current = documents.get(tags, tagKey(life.repositoryId, tag));
  if (current === undefined) throw new RegistryError('TAG_UNKNOWN', `There is no tag ${tag}.`, { tag });
  const { digest, movedAt: since } = current;
  return { type: 'TagDeleted', data: { ...life, tag, digest, since, cause } } as const;
};

export const deleteTag = (command: DeleteTag, documents: Documents): readonly RepositoryFact[] => {
  const { repository, tag } = command;
  const { repositoryId, immutableTags } = existing(command, documents);
  const life = { repositoryId, repository };
  const untagged = untag(life, tag, documents, 'deleted');
  refuseIfImmutable(immutableTags, tag);
  const loss = { cause: 'tagDeleted', lost: [`tag/${tag}`] } as const;
  return [untagged, ...released(life, untagged.data.digest, loss, documents)];
};

export const deleteTagKeys = ({ tag }: DeleteTag, repositoryId: string, known: Documents): Keys => {
  const key = tagKey(repositoryId, tag);
  const current = known.get(tags, key);
  const named = { documents: [document(tags, key)] };
  return current === undefined ? named : together([named, releaseKeys(repositoryId, current.digest, 1, known)]);
};

/** What loses its last hold with a manifest: what it lists, and what is attached to it. */
const releasedWith = (life: Life, manifest: Manifest, documents: Documents): readonly RepositoryFact[] => {
  const { digest } = manifest;
  const parent = { cause: 'parentDeleted', lost: [`index/${digest}`], goes: digest } as const;
  const subject = { cause: 'subjectDeleted', lost: [], goes: digest } as const;
  const attached = documents.keysUnder(references, attachedTo(life.repositoryId, digest)) as readonly Digest[];
  return [
    ...listedIn(manifest).flatMap((one) => released(life, one, parent, documents)),
    ...attached.flatMap((one) => released(life, one, subject, documents)),
  ];
};

/**
 * The tags first, then what it held, the manifest last; with more than one append takes, as much as it takes: ask again until
 * `ManifestDeleted` is among the facts.
 */
export const deleteManifest = (command: DeleteManifest, documents: Documents): readonly RepositoryFact[] => {
  const { repository, digest } = command;
  const found = existing(command, documents);
  const { repositoryId } = found;
  const life = { repositoryId, repository };
  const manifest = documents.get(manifests, manifestKey(repositoryId, digest));
  if (manifest === undefined)
    throw new RegistryError('MANIFEST_UNKNOWN', 'The repository does not have this manifest.', { digest });
  refuseIfProtected(found, digest, documents);
  const tagged = documents.keysUnder(references, taggedBy(repositoryId, digest)).slice(0, TAGS_PER_APPEND + 1);
  const gone = tagged.slice(0, TAGS_PER_APPEND).map((tag): RepositoryFact => untag(life, tag, documents, 'manifestDeleted'));
  if (tagged.length > TAGS_PER_APPEND) return gone;
  const all = [...gone, ...releasedWith(life, manifest, documents)];
  if (all.length > TAGS_PER_APPEND) return all.slice(0, TAGS_PER_APPEND);
  const data = { ...life, digest, size: manifest.size, references: manifest.references, cause: 'deleted' as const };
  return [...all, { type: 'ManifestDeleted', data }];
};

export const deleteManifestKeys = (command: DeleteManifest, repositoryId: string, known: Documents): Keys => {
  const { repository, digest } = command;
  const tagPrefix = taggedBy(repositoryId, digest);
  const attachedPrefix = attachedTo(repositoryId, digest);
  const manifest = known.get(manifests, manifestKey(repositoryId, digest));
  const named = {
    documents: [
      document(manifests, manifestKey(repositoryId, digest)),
      ...known.keysUnder(references, tagPrefix).map((tag) => document(tags, tagKey(repositoryId, tag))),
    ],
    sets: [setUnder(references, tagPrefix, TAGS_PER_APPEND + 1), setUnder(references, attachedPrefix, MOST_ATTACHED)],
  };
  const rules = known.get(repositories, repository);
  const listed = manifest === undefined ? [] : listedIn(manifest);
  const attached = known.keysUnder(references, attachedPrefix) as readonly Digest[];
  return together([
    named,
    rules === undefined ? {} : protectionKeys(rules, digest, known),
    ...listed.map((one) => releaseKeys(repositoryId, one, 1, known)),
    ...attached.map((one) => releaseKeys(repositoryId, one, 0, known)),
  ]);
};
