import { statSync } from 'node:fs';
import type { Digest } from '../oci/digest.ts';
import type { Counters } from './counters.ts';
import type { Layout } from './layout.ts';
import type { Threads } from './threads.ts';

/** What the parts of the store on disk share, on the main thread. */
export type Store = Readonly<{
  layout: Layout;
  counters: Counters;
  threads: Threads;
  /** Makes the names in a folder durable. */
  syncFolder: (folder: string) => Promise<void>;
}>;

export const blobInfo = ({ layout }: Store, digest: Digest): Readonly<{ size: number; modifiedAt: number }> | undefined => {
  const found = statSync(layout.blob(digest), { throwIfNoEntry: false });
  return found && { size: found.size, modifiedAt: Math.floor(found.mtimeMs) };
};
