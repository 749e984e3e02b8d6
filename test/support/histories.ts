import type { NewEvent } from '../../src/events/event.ts';
import type { ManifestReference, RepositoryEvents } from '../../src/events/repository.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';

/** One append: all events of one push to one repository. */
export type Push = Readonly<{ stream: string; expected: number; events: readonly NewEvent[] }>;

type Repository = {
  name: string;
  id: string;
  revision: number;
  pushes: number;
  tags: Map<string, Readonly<{ digest: Digest; since: string }>>;
};

const uuidOf = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

const SEALED = `sealed:${'x'.repeat(70)}`;
const START = Date.UTC(2026, 0, 1);

/**
 * The history of a busy registry, the same at every call: each push links four blobs, stores a manifest and moves a tag; the
 * pushes go round the repositories, and each repository uses ten tags over and over beside one of its own for each push.
 */
export function* pushes(events: number, repositories: number): Generator<Push> {
  const all: Repository[] = Array.from({ length: repositories }, (_, n) => ({
    name: `team-${n % 50}/app-${n}`,
    id: `r${String(n).padStart(20, '0')}`,
    revision: -1,
    pushes: 0,
    tags: new Map(),
  }));
  let made = 0;
  for (let turn = 0; made < events; turn++) {
    const repository = all[turn % repositories] as Repository;
    const push = pushTo(repository, made);
    made += push.events.length;
    yield push;
  }
}

const pushTo = (repository: Repository, made: number): Push => {
  const at = new Date(START + made * 10).toISOString();
  const of = { repositoryId: repository.id, repository: repository.name };
  const expected = repository.revision;
  const events: NewEvent[] = [];
  const record = <T extends keyof RepositoryEvents>(type: T, data: RepositoryEvents[T]): void => {
    const id = uuidOf(made + events.length);
    const metadata = {
      actor: { kind: 'user', id: '7' },
      ip: SEALED,
      userAgent: SEALED,
      requestId: id,
      correlationId: id,
      at,
      version: 1,
    } as const;
    events.push({ id, type, data, metadata });
  };
  if (expected === -1) record('RepositoryCreated', { ...of, ownerId: 7, visibility: 'private' });
  const references = [0, 1, 2, 3].map(
    (n): ManifestReference => ({
      digest: digestOf(`${repository.id} ${repository.pushes} ${n}`),
      size: 1000 + n,
      role: n === 0 ? 'config' : 'layer',
    }),
  );
  for (const { digest, size } of references) record('BlobLinked', { ...of, digest, size });
  const digest = digestOf(`${repository.id} ${repository.pushes}`);
  record('ManifestPushed', { ...of, digest, size: 1234, mediaType: 'application/vnd.oci.image.manifest.v1+json', references });
  const tag = repository.pushes % 2 === 0 ? `v1.0.${repository.pushes}` : `branch-${repository.pushes % 10}`;
  const previous = repository.tags.get(tag);
  record('TagMoved', { ...of, tag, digest, ...(previous !== undefined && { previous }) });
  repository.tags.set(tag, { digest, since: at });
  repository.revision += events.length;
  repository.pushes += 1;
  return { stream: `registry.repository-${repository.name}`, expected, events };
};
