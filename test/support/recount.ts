import type { Recorded } from '../../src/events/event.ts';
import type { RepositoryEvents } from '../../src/events/repository.ts';
import type { Summary } from '../../src/http/summary.ts';

// The counters of a registry as a person would take stock: from sets of what is there, with nothing of views, documents and totals.

type RepositoryEvent = { [T in keyof RepositoryEvents]: Recorded<T, RepositoryEvents[T]> }[keyof RepositoryEvents];

export type Counters = Omit<Summary, 'position'>;

/** Something in one life of a repository. */
const inLife = (repositoryId: string, name: string): string => `${repositoryId} ${name}`;

const added = (numbers: Iterable<number>): number => [...numbers].reduce((sum, number) => sum + number, 0);

/** Takes stock of a log, an event at a time. */
export const stocktaking = () => {
  const names = new Map<string, string>();
  const manifests = new Map<string, Readonly<{ life: string; named: ReadonlySet<string> }>>();
  const tags = new Map<string, string>();
  const links = new Map<string, Readonly<{ digest: string; size: number }>>();
  const released = new Map<string, Readonly<{ tagMoved: boolean; since: string }>>();
  const unlinked = new Map<string, Readonly<{ size: number; missing: boolean }>>();
  let pushes = 0;

  const take = ({ type, data, metadata }: RepositoryEvent): void => {
    switch (type) {
      case 'RepositoryCreated':
        names.set(data.repositoryId, data.repository);
        break;
      case 'RepositoryDeleted':
        names.delete(data.repositoryId);
        break;
      case 'BlobLinked':
        links.set(inLife(data.repositoryId, data.digest), { digest: data.digest, size: data.size });
        break;
      case 'BlobUnlinked':
        links.delete(inLife(data.repositoryId, data.digest));
        unlinked.set(data.digest, { size: data.size, missing: data.cause === 'missing' });
        break;
      case 'ManifestPushed': {
        const named = new Set<string>(data.references.map(({ digest }) => digest));
        manifests.set(inLife(data.repositoryId, data.digest), { life: data.repositoryId, named });
        pushes += 1;
        break;
      }
      case 'ManifestDeleted':
        manifests.delete(inLife(data.repositoryId, data.digest));
        released.delete(inLife(data.repositoryId, data.digest));
        break;
      case 'TagMoved':
        tags.set(inLife(data.repositoryId, data.tag), inLife(data.repositoryId, data.digest));
        break;
      case 'TagDeleted':
        tags.delete(inLife(data.repositoryId, data.tag));
        break;
      case 'ManifestReleased':
        released.set(inLife(data.repositoryId, data.digest), { tagMoved: data.cause === 'tagMoved', since: metadata.at });
        break;
      case 'ManifestHeld':
        released.delete(inLife(data.repositoryId, data.digest));
        break;
      default:
    }
  };

  return {
    take: (event: Recorded): void => take(event as RepositoryEvent),
    /** @param retainedFrom manifests whose tag moved away on this day or later are kept: `yyyy-mm-dd`, of UTC */
    counters: (retainedFrom: string): Counters => {
      const blobs = new Map([...links.values()].map(({ digest, size }) => [digest, size]));
      const named = new Set([...manifests.values()].flatMap((manifest) => [...manifest.named]));
      const unreferenced = [...blobs].filter(([digest]) => !named.has(digest));
      const recoverable = [...unlinked].filter(([digest, { missing }]) => !blobs.has(digest) && !missing);
      const tagged = new Set(tags.values());
      const repositories = [...manifests.values()].flatMap(({ life }) => names.get(life) ?? []);
      return {
        repositories: new Set(repositories).size,
        tags: tags.size,
        manifests: manifests.size,
        totalManifests: tags.size + [...manifests.keys()].filter((manifest) => !tagged.has(manifest)).length,
        blobs: blobs.size,
        uniqueBytes: added(blobs.values()),
        links: links.size,
        logicalBytes: added([...links.values()].map(({ size }) => size)),
        blobReferences: added([...manifests.values()].map((one) => [...one.named].filter((digest) => blobs.has(digest)).length)),
        unreferencedBlobs: unreferenced.length,
        unreferencedBytes: added(unreferenced.map(([, size]) => size)),
        recoverableBlobs: recoverable.length,
        recoverableBytes: added(recoverable.map(([, { size }]) => size)),
        orphanedManifests: [...released.values()].filter(({ tagMoved, since }) => !tagMoved || since < retainedFrom).length,
        pushes,
      };
    },
  };
};
