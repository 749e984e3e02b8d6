import fc from 'fast-check';
import type { AccessTokenEvents } from '../../src/events/accessTokens.ts';
import type { NewEvent } from '../../src/events/event.ts';
import type { GrantEvents } from '../../src/events/grants.ts';
import type { KeyEvents } from '../../src/events/keys.ts';
import type { ManifestReference, RepositoryEvents } from '../../src/events/repository.ts';
import type { TeamEvents } from '../../src/events/teams.ts';
import type { UserEvents } from '../../src/events/users.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { fingerprintOf } from './facts.ts';

type Events = RepositoryEvents & UserEvents & AccessTokenEvents & GrantEvents & TeamEvents & KeyEvents;
type Order = Readonly<{
  kind:
    | 'push'
    | 'deleteTag'
    | 'deleteManifest'
    | 'collect'
    | 'end'
    | 'clear'
    | 'release'
    | 'user'
    | 'password'
    | 'account'
    | 'token'
    | 'describe'
    | 'access'
    | 'team'
    | 'key';
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
  const ended: Repository[] = [];
  const cleared = new Set<Repository>();
  let users = 0;
  let tokens = 0;
  let granted = 0;
  const grants: Omit<GrantEvents['AccessRevoked'], 'cause'>[] = [];
  let teams = 0;
  let team: Readonly<{ teamId: number; members: Set<number> }> | undefined;
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
      of: { repositoryId: `r${n}-${ended.length}`, repository: `team/app-${n}` },
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

  const end = (n: number, repository: Repository): void => {
    inRepository(repository, 'RepositoryDeleted', { manifests: repository.manifests.size, tags: repository.tags.size });
    ended.push(repository);
    repositories.delete(n);
  };

  /** The last life that has ended, unless that was done before. */
  const clear = (): void => {
    const repository = ended.at(-1);
    if (repository === undefined || cleared.has(repository)) return;
    cleared.add(repository);
    const cause = 'repositoryDeleted' as const;
    for (const [tag, held] of repository.tags) inRepository(repository, 'TagDeleted', { tag, ...held, cause });
    for (const digest of repository.manifests) {
      const image = Array.from({ length: IMAGES }, (_, n) => n).find((n) => imageOf(n) === digest) ?? 0;
      inRepository(repository, 'ManifestDeleted', { digest, size: 500, references: referencesOf(image), cause });
    }
    for (const digest of repository.blobs) inRepository(repository, 'BlobUnlinked', { digest, size: 10, cause });
    inRepository(repository, 'RepositoryCleared', {});
  };

  const release = (repository: Repository, image: number, again: boolean): void => {
    const digest = imageOf(image);
    if (!repository.manifests.has(digest)) return;
    const subject = referencesOf(image).find(({ role }) => role === 'subject')?.digest;
    const attached = subject !== undefined && { subject };
    if (again) inRepository(repository, 'ManifestHeld', { digest, by: 'tag', ...attached });
    else inRepository(repository, 'ManifestReleased', { digest, cause: 'tagMoved', ...attached });
    if (!again) inRepository(repository, 'ImmutabilityRulesSet', { rules: [`v${image}*`] });
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

  /** What happens to an account, one thing after the other. */
  const changeAccount = (userId: number, step: number): void => {
    const expiresAt = new Date(Date.UTC(2026, 1, 1) + step).toISOString();
    const changes = [
      () => record('test.users', 'EmailChanged', { userId, email: step % 2 === 0 ? SEALED : null }),
      () => record('test.users', 'RoleChanged', { userId, role: step % 2 === 0 ? 'admin' : 'auditor', previous: 'user' }),
      () => record('test.users', 'SessionEnded', { userId, sessionId: `session-${entries.length}`, expiresAt }),
      () => record('test.users', 'UserSuspended', { userId }),
      () => record('test.users', 'UserReinstated', { userId, role: 'admin' }),
      () => record('test.users', 'UserDeleted', { userId }),
      () => record('test.users', 'PersonErased', { userId, identities: [fingerprintOf(`identity ${userId}`)] }),
    ];
    changes[step % changes.length]?.();
  };

  const changeTokens = (userId: number, step: number): void => {
    if (step % 3 === 2 && tokens > 0) {
      record('test.tokens', 'AccessTokenRevoked', { tokenId: tokens, userId });
      return;
    }
    tokens += 1;
    const token = { tokenId: tokens, userId, name: SEALED, hash: `${SEALED}${tokens}`, prefix: 'ghd_abcd', expiresAt: null };
    record('test.tokens', 'AccessTokenIssued', { ...token, permissions: ['pull'], repositories: ['team/*'] });
  };

  const describe = (repository: Repository, step: number): void => {
    if (step % 3 === 0) inRepository(repository, 'RepositoryDescribed', { description: `text ${step}` });
    else if (step % 3 === 1)
      inRepository(repository, 'VisibilityChanged', { visibility: step % 2 === 0 ? 'public' : 'private', previous: 'private' });
    else inRepository(repository, 'OwnerChanged', { ownerId: step, previous: null });
  };

  const changeAccess = ({ of }: Repository, step: number): void => {
    const last = grants.at(-1);
    if (step % 3 === 2 && last !== undefined) {
      record('test.grants', 'AccessRevoked', { ...last, cause: 'revoked' });
      grants.pop();
      return;
    }
    granted += 1;
    const place = step % 2 === 0 ? { scope: 'team/*' } : { scope: of.repository, repositoryId: of.repositoryId };
    const grant = { grantId: granted, subject: step % 4 === 0 ? { team: 1 } : { user: 1 + (step % 3) }, ...place };
    grants.push(grant);
    record('test.grants', 'AccessGranted', { ...grant, level: step % 2 === 0 ? 'read' : 'admin' });
  };

  const changeTeams = (userId: number, step: number): void => {
    if (team === undefined) {
      teams += 1;
      team = { teamId: teams, members: new Set() };
      record('test.teams', 'TeamCreated', { teamId: teams, name: 'devs' });
    } else if (step % 7 === 6) {
      record('test.teams', 'TeamDeleted', { teamId: team.teamId, name: 'devs', members: [...team.members] });
      team = undefined;
    } else if (team.members.delete(userId)) record('test.teams', 'TeamMemberRemoved', { teamId: team.teamId, userId });
    else {
      team.members.add(userId);
      record('test.teams', 'TeamMemberAdded', { teamId: team.teamId, userId });
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
      record('test.users', 'UsernameReserved', { userId: users, fingerprint: fingerprintOf(`name ${users}`) });
      record('test.users', 'IdentityLinked', {
        userId: users,
        issuer: 'i',
        subject: SEALED,
        fingerprint: fingerprintOf(`identity ${users}`),
      });
    } else if (kind === 'password') {
      if (users > 0)
        record('test.users', 'PasswordChanged', { userId: 1 + (image % users), passwordHash: `${SEALED}${entries.length}` });
    } else if (kind === 'account' || kind === 'token') {
      const change = kind === 'account' ? changeAccount : changeTokens;
      if (users > 0) change(1 + (image % users), image + tag);
    } else if (kind === 'describe') describe(repositoryOf(n), image + tag);
    else if (kind === 'access') changeAccess(repositoryOf(n), image + tag);
    else if (kind === 'team') changeTeams(1 + n, image + tag);
    else if (kind === 'push') push(repositoryOf(n), image, `v${tag}`);
    else if (kind === 'end') end(n, repositoryOf(n));
    else if (kind === 'clear') clear();
    else if (kind === 'release') release(repositoryOf(n), image, tag % 3 === 0);
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
    'end',
    'clear',
    'release',
    'release',
    'user',
    'password',
    'account',
    'account',
    'token',
    'token',
    'describe',
    'describe',
    'access',
    'access',
    'team',
    'team',
    'key',
  );
  const order = fc.record({ kind, repository: fc.nat(2), image: fc.nat(IMAGES - 1), tag: fc.nat(3) });
  return fc.array(order, { maxLength }).map((orders) => {
    const { entries, obey } = recording();
    for (const one of orders) obey(one);
    return entries;
  });
};
