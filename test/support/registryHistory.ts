import fc from 'fast-check';
import type { NewEvent } from '../../src/events/event.ts';
import type { KeyEvents } from '../../src/events/keys.ts';
import type { ManifestReference, RepositoryEvents } from '../../src/events/repository.ts';
import type { UserEvents } from '../../src/events/users.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';

type Events = RepositoryEvents & UserEvents & KeyEvents;
type Order = Readonly<{
  kind: 'push' | 'deleteTag' | 'deleteManifest' | 'collect' | 'user' | 'password' | 'key';
  repository: number;
  image: number;
  tag: number;
}>;
export type Entry = Readonly<{ stream: string; event: NewEvent }>;

type Repository = {
  readonly of: Readonly<{ repositoryId: string; repository: string }>;
  readonly blobs: Set<Digest>;
  readonly manifests: Set<Digest>;
  readonly tags: Map<string, Readonly<{ digest: Digest; since: string }>>;
};

const SEALED = 'sealed:0123456789';
const reference = (name: string, role: ManifestReference['role']): ManifestReference => ({
  digest: digestOf(name),
  size: 10 + name.length,
  role,
});

/** Images share their layers with their neighbours; every third is an index of the image before it, or attached to it. */
const referencesOf = (image: number): readonly ManifestReference[] => {
  if (image % 3 === 2) return [reference(`image ${image - 1}`, image % 2 === 0 ? 'manifest' : 'subject')];
  return [reference(`config ${image}`, 'config'), reference(`layer ${image}`, 'layer'), reference(`layer ${image + 1}`, 'layer')];
};
const imageOf = (image: number): Digest => digestOf(`image ${image}`);
const IMAGES = 6;

/** Turns orders into the events that a registry would have recorded for them. */
const recording = () => {
  const entries: Entry[] = [];
  const repositories = new Map<number, Repository>();
  let users = 0;
  const at = (): string => new Date(Date.UTC(2026, 0, 1) + entries.length * 1000).toISOString();

  const record = <T extends keyof Events>(stream: string, type: T, data: Events[T]): void => {
    const id = `00000000-0000-4000-8000-${entries.length.toString(16).padStart(12, '0')}`;
    const actor = { kind: 'user', id: String(users) } as const;
    const metadata = {
      actor,
      requestId: id,
      correlationId: id,
      at: at(),
      version: 1,
      ...(entries.length % 2 === 0 && { ip: SEALED }),
    };
    entries.push({ stream, event: { id, type, data, metadata } });
  };
  const inRepository = <T extends keyof RepositoryEvents>(
    { of }: Repository,
    type: T,
    data: Omit<RepositoryEvents[T], keyof Repository['of']>,
  ): void => record(`test.repository-${of.repository}`, type, { ...of, ...data } as unknown as Events[T]);

  const repositoryOf = (n: number): Repository => {
    const known = repositories.get(n);
    if (known !== undefined) return known;
    const made = {
      of: { repositoryId: `r${n}`, repository: `team/app-${n}` },
      blobs: new Set<Digest>(),
      manifests: new Set<Digest>(),
      tags: new Map(),
    };
    repositories.set(n, made);
    inRepository(made, 'RepositoryCreated', { ownerId: n === 0 ? null : n, visibility: 'private' });
    return made;
  };

  const push = (repository: Repository, image: number, tag: string): void => {
    const references = referencesOf(image);
    for (const { digest, size, role } of references) {
      if (role === 'manifest' || role === 'subject' || repository.blobs.has(digest)) continue;
      repository.blobs.add(digest);
      inRepository(repository, 'BlobLinked', { digest, size, ...(image % 2 === 0 && { mountedFrom: 'team/base' }) });
    }
    const digest = imageOf(image);
    if (!repository.manifests.has(digest)) {
      repository.manifests.add(digest);
      const artifact = image % 3 === 2 && { artifactType: 'application/x' };
      inRepository(repository, 'ManifestPushed', { digest, size: 500, mediaType: 'application/json', references, ...artifact });
    }
    const previous = repository.tags.get(tag);
    if (previous?.digest === digest) return;
    const moved = at();
    inRepository(repository, 'TagMoved', { tag, digest, ...(previous !== undefined && { previous }) });
    repository.tags.set(tag, { digest, since: moved });
  };

  const deleteTag = (repository: Repository, tag: string, cause: 'deleted' | 'manifestDeleted'): void => {
    const held = repository.tags.get(tag);
    if (held === undefined || !repository.tags.delete(tag)) return;
    inRepository(repository, 'TagDeleted', { tag, ...held, cause });
  };

  const deleteManifest = (repository: Repository, image: number): void => {
    const digest = imageOf(image);
    if (!repository.manifests.delete(digest)) return;
    for (const [tag, held] of [...repository.tags]) if (held.digest === digest) deleteTag(repository, tag, 'manifestDeleted');
    inRepository(repository, 'ManifestDeleted', { digest, size: 500, references: referencesOf(image), cause: 'deleted' });
  };

  const collect = (repository: Repository): void => {
    const images = Array.from({ length: IMAGES }, (_, image) => image).filter((image) =>
      repository.manifests.has(imageOf(image)),
    );
    const held = new Set(images.flatMap((image) => referencesOf(image).map(({ digest }) => digest)));
    for (const digest of [...repository.blobs]) {
      if (held.has(digest) || !repository.blobs.delete(digest)) continue;
      inRepository(repository, 'BlobUnlinked', { digest, size: 10, cause: 'collected' });
    }
  };

  const obey = ({ kind, repository: n, image, tag }: Order): void => {
    if (kind === 'key') record('test.keys', 'SigningKeyRotated', { keyId: `key ${entries.length}`, algorithm: 'HS256' });
    else if (kind === 'user') {
      users += 1;
      record('test.users', 'UserRegistered', {
        userId: users,
        username: `sealed:User${users}`,
        email: null,
        role: 'user',
        passwordHash: SEALED,
      });
    } else if (kind === 'password') {
      if (users > 0)
        record('test.users', 'PasswordChanged', { userId: 1 + (image % users), passwordHash: `${SEALED}${entries.length}` });
    } else if (kind === 'push') push(repositoryOf(n), image, `v${tag}`);
    else if (kind === 'deleteTag') deleteTag(repositoryOf(n), `v${tag}`, 'deleted');
    else if (kind === 'deleteManifest') deleteManifest(repositoryOf(n), image);
    else collect(repositoryOf(n));
  };

  return { entries, obey };
};

/** What a registry with a few repositories, images and users may have recorded, in the order of its log. */
export const registryHistory = (maxLength: number): fc.Arbitrary<readonly Entry[]> => {
  const kind = fc.constantFrom<Order['kind']>(
    'push',
    'push',
    'push',
    'push',
    'deleteTag',
    'deleteManifest',
    'collect',
    'user',
    'password',
    'key',
  );
  const order = fc.record({ kind, repository: fc.nat(2), image: fc.nat(IMAGES - 1), tag: fc.nat(3) });
  return fc.array(order, { maxLength }).map((orders) => {
    const { entries, obey } = recording();
    for (const one of orders) obey(one);
    return entries;
  });
};
