import { setImmediate as turn } from 'node:timers/promises';
import type { Digest } from '../oci/digest.ts';
import { type Manifest, manifestKey, manifests } from '../projections/manifests.ts';
import type { Views } from '../projections/views/views.ts';

/** Manifests that are held at a time: each may name 4,000 things. */
const AT_ONCE = 25;
/** Manifests of an index that are looked into; of what it lists besides the manifest itself counts. */
const MOST_LISTED = 100;
/**
 * Things named by listed manifests that are looked at for the sizes of one page: a hundred images for ten platforms, of fifty layers each,
 * name half as many. Behind the manifest with which there are as many, an index counts without what its manifests name.
 */
const MOST_NAMED = 100_000;
/** Sizes that are remembered: many tags point at few manifests. */
const MOST_REMEMBERED = 1000;

/** The sizes for a page, in bytes, in the order of the digests; undefined where there is no such manifest. */
export type SizesOf = (digests: readonly Digest[]) => Promise<readonly (number | undefined)[]>;

/** All that it names is content of it but the manifest that it is attached to. */
const contentOf = ({ references }: Manifest): readonly (readonly [Digest, number])[] =>
  references.filter(({ role }) => role !== 'subject').map(({ digest, size }) => [digest, size]);

const listedIn = ({ references }: Manifest): readonly Digest[] =>
  references.filter(({ role }) => role === 'manifest').map(({ digest }) => digest);

/**
 * Finds the sizes of the images of a repository, as every surface tells them: the sum of the sizes that a manifest names, each digest once;
 * of an index also what the first 100 manifests that it lists name, as far as the repository has them and 100,000 such names a page go. An
 * index within an index is not looked into. Others have their turn between two reads.
 */
export const imageSizesIn = (views: Pick<Views, 'getMany'>, repositoryId: string): SizesOf => {
  const remembered = new Map<Digest, number>();
  let begun = false;

  const remember = (digest: Digest, size: number): void => {
    if (remembered.size >= MOST_REMEMBERED) remembered.delete(remembered.keys().next().value as Digest);
    remembered.set(digest, size);
  };

  async function* found(digests: readonly Digest[]): AsyncGenerator<Manifest> {
    for (let next = 0; next < digests.length; next += AT_ONCE) {
      const some = digests.slice(next, next + AT_ONCE).map((digest) => manifestKey(repositoryId, digest));
      // The embedded views answer within the call.
      if (begun) await turn();
      begun = true;
      for (const manifest of await views.getMany(manifests, some)) if (manifest !== undefined) yield manifest;
    }
  }

  const sizeOf = async (manifest: Manifest, page: { named: number }): Promise<number> => {
    const sizes = new Map(contentOf(manifest));
    const listed = page.named >= MOST_NAMED ? [] : listedIn(manifest).slice(0, MOST_LISTED);
    for await (const child of found(listed)) {
      for (const [digest, size] of contentOf(child)) sizes.set(digest, size);
      page.named += child.references.length;
      if (page.named >= MOST_NAMED) break;
    }
    return [...sizes.values()].reduce((sum, size) => sum + size, 0);
  };

  return async (digests) => {
    const sizes = new Map<Digest, number>();
    for (const digest of digests) {
      const size = remembered.get(digest);
      if (size !== undefined) sizes.set(digest, size);
    }
    const wanted = [...new Set(digests)].filter((digest) => !sizes.has(digest));
    const page = { named: 0 };
    for await (const manifest of found(wanted)) {
      const size = await sizeOf(manifest, page);
      sizes.set(manifest.digest, size);
      remember(manifest.digest, size);
    }
    return digests.map((digest) => sizes.get(digest));
  };
};
