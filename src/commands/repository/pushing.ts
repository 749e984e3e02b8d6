import { RegistryError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { linkKey, links } from '../../projections/links.ts';
import { manifestKey, manifests } from '../../projections/manifests.ts';
import { references, releasedFrom } from '../../projections/references.ts';
import { repositories } from '../../projections/repositories.ts';
import { tagKey, tags } from '../../projections/tags.ts';
import { type Documents, document, type Keys, setUnder } from '../decider.ts';
import type { Etags, Life, Precondition, PushManifest, RepositoryFact } from './commands.ts';
import { held, listedIn, released, releaseKeys, together } from './holds.ts';
import { refuseIfImmutable } from './immutability.ts';
import { founded } from './lives.ts';

/** Bytes of the references in one event: what 512 KiB leave for the rest of it. */
const LARGEST_REFERENCES = 480 * 1024;
/** Manifests that are held again in one append: together with the push, and in an append of their own. */
const HELD_WITH_PUSH = 50;
const HELD_PER_APPEND = 150;

const refuseMissing = (command: PushManifest, repositoryId: string, documents: Documents): void => {
  const isLinked = (digest: Digest): boolean => documents.get(links, linkKey(repositoryId, digest)) !== undefined;
  const isManifest = (digest: Digest): boolean => documents.get(manifests, manifestKey(repositoryId, digest)) !== undefined;
  // Caches that build tools export as an index list plain blobs there.
  const missing = command.references.filter(
    ({ digest, role, mayBeMissing }) => !mayBeMissing && !isLinked(digest) && !(role === 'manifest' && isManifest(digest)),
  );
  if (missing.length === 0) return;
  throw new RegistryError('MANIFEST_BLOB_UNKNOWN', 'The manifest names content that the repository does not have.', {
    missing: missing.map(({ digest, role }) => ({ digest, role })),
  });
};

type Move = Readonly<{ tag: string; from: Readonly<{ digest: Digest; since: string }> | undefined }>;

/** The tags that a push moves or makes. */
const movesOf = (command: PushManifest, repositoryId: string, documents: Documents): readonly Move[] =>
  [...new Set(command.tags)].flatMap((tag): readonly Move[] => {
    const current = documents.get(tags, tagKey(repositoryId, tag));
    if (current?.digest === command.digest) return [];
    return [{ tag, from: current && { digest: current.digest, since: current.movedAt } }];
  });

/** The tags that other manifests lose to a push, by the manifest. */
const lostBy = (moves: readonly Move[]): ReadonlyMap<Digest, readonly string[]> => {
  const lost = new Map<Digest, string[]>();
  for (const { tag, from } of moves) if (from !== undefined) lost.set(from.digest, [...(lost.get(from.digest) ?? []), tag]);
  return lost;
};

const refuseUnless = (
  { tag, ifMatch, ifNoneMatch }: Precondition,
  { digest }: PushManifest,
  repositoryId: string,
  documents: Documents,
): void => {
  const manifest = documents.get(manifests, manifestKey(repositoryId, digest));
  const current = tag === undefined ? manifest?.digest : documents.get(tags, tagKey(repositoryId, tag))?.digest;
  const isIn = (etags: Etags): boolean => current !== undefined && (etags === '*' || etags.includes(current));
  if ((ifMatch === undefined || isIn(ifMatch)) && (ifNoneMatch === undefined || !isIn(ifNoneMatch))) return;
  throw new RegistryError('PRECONDITION_FAILED', 'The tag is not where the request expects it.', {
    tag: tag ?? null,
    digest: current ?? null,
  });
};

const manifestPushed = (command: PushManifest, life: Life): RepositoryFact => {
  const { digest, size, mediaType, artifactType } = command;
  const named = command.references.map((reference) => ({ digest: reference.digest, size: reference.size, role: reference.role }));
  if (JSON.stringify(named).length > LARGEST_REFERENCES) {
    throw new RegistryError('MANIFEST_INVALID', 'The manifest names too much content.', { references: named.length });
  }
  const data = { ...life, digest, size, mediaType, ...(artifactType !== undefined && { artifactType }), references: named };
  return { type: 'ManifestPushed', data };
};

/** What a push holds again: the manifest itself by a tag, or what a new one lists or is the subject of. */
const heldAgain = (command: PushManifest, life: Life, isTagged: boolean, documents: Documents): readonly RepositoryFact[] => {
  const { repositoryId, repository } = life;
  const get = (digest: Digest) => documents.get(manifests, manifestKey(repositoryId, digest));
  const own = get(command.digest);
  if (own !== undefined) return isTagged ? held(life, own, 'tag') : [];
  const listed = listedIn(command).flatMap((digest) => held(life, get(digest), 'parent'));
  if (documents.get(repositories, repository)?.hasReleasedAttachments !== true) return listed;
  const attached = documents
    .keysUnder(references, releasedFrom(repositoryId, command.digest))
    .map((digest) => ({ ...life, digest: digest as Digest, by: 'subject' as const, subject: command.digest }));
  return [...listed, ...attached.map((data): RepositoryFact => ({ type: 'ManifestHeld', data }))];
};

/** What loses its last hold to the tags that move away. What the pushed manifest lists, or is attached to it, it holds from now on. */
const releasedByMoves = (
  command: PushManifest,
  life: Life,
  moves: readonly Move[],
  documents: Documents,
): readonly RepositoryFact[] => {
  const listed = listedIn(command);
  return [...lostBy(moves)].flatMap(([digest, lost]) => {
    if (listed.includes(digest)) return [];
    const loss = { cause: 'tagMoved', lost: lost.map((tag) => `tag/${tag}`), comes: command.digest } as const;
    return released(life, digest, loss, documents);
  });
};

/**
 * The manifest, then its tags, then what that holds again or lets go. Where it holds more again than goes into one append, only
 * `ManifestHeld`: ask again until there is something else, or nothing.
 */
export const pushManifest = (command: PushManifest, documents: Documents): readonly RepositoryFact[] => {
  const { repository, digest, precondition } = command;
  const { repositoryId, facts, immutableTags } = founded(command, documents);
  const life = { repositoryId, repository };
  if (precondition !== undefined) refuseUnless(precondition, command, repositoryId, documents);
  const moves = movesOf(command, repositoryId, documents);
  for (const { tag, from } of moves) if (from !== undefined) refuseIfImmutable(immutableTags, tag);
  const isNew = documents.get(manifests, manifestKey(repositoryId, digest)) === undefined;
  if (isNew) refuseMissing(command, repositoryId, documents);
  const pushed = isNew ? [...facts, manifestPushed(command, life)] : [];
  const again = heldAgain(command, life, moves.length > 0, documents);
  if (again.length > HELD_WITH_PUSH) return again.slice(0, HELD_PER_APPEND);
  const moved = moves.map(({ tag, from }): RepositoryFact => {
    return { type: 'TagMoved', data: { ...life, tag, digest, ...(from !== undefined && { previous: from }) } };
  });
  return [...pushed, ...moved, ...again, ...releasedByMoves(command, life, moves, documents)];
};

/** Only a tag that moves away from another manifest costs more than one look at each view. */
export const pushKeys = (command: PushManifest, repositoryId: string, known: Documents): Keys => {
  const { repository, digest } = command;
  const manifest = (of: Digest) => document(manifests, manifestKey(repositoryId, of));
  const named = {
    documents: [
      manifest(digest),
      ...command.tags.map((tag) => document(tags, tagKey(repositoryId, tag))),
      ...command.references
        .filter(({ mayBeMissing }) => !mayBeMissing)
        .map((one) => document(links, linkKey(repositoryId, one.digest))),
      ...listedIn(command).map(manifest),
    ],
    sets:
      known.get(repositories, repository)?.hasReleasedAttachments === true
        ? [setUnder(references, releasedFrom(repositoryId, digest), HELD_PER_APPEND)]
        : [],
  };
  const losses = [...lostBy(movesOf(command, repositoryId, known))];
  return together([named, ...losses.map(([of, lost]) => releaseKeys(repositoryId, of, lost.length, known))]);
};
