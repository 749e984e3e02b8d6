import type { Answer } from './row.ts';
import type { Target } from './runner.ts';

type Send = (method: string, target: string) => Promise<number>;

export type Cleaner = Readonly<{
  saw: (method: string, target: string, answer: Answer) => void;
  /** Takes away what the row has left, as far as the registry lets it: manifests first, then blobs and open uploads. */
  clean: (send: Send) => Promise<void>;
}>;

/** Registries that have refused to delete: they are not asked again. */
const keepers = new WeakSet<Target['wire']>();

export const cleaner = ({ wire }: Target): Cleaner => {
  const manifests = new Set<string>();
  const blobs = new Set<string>();
  /** By their path: a registry may carry state in the query of each new `Location`. */
  const uploads = new Map<string, string>();

  const saw = (method: string, target: string, { status, headers }: Answer): void => {
    const asked = new URL(target, wire.base);
    if (method === 'PUT' && status === 201) uploads.delete(asked.pathname);
    const { location } = headers;
    if (location === undefined || !URL.canParse(location, asked.href)) return;
    const place = new URL(location, asked);
    if (status === 202 && place.pathname.includes('/uploads/')) uploads.set(place.pathname, place.href);
    if (status === 201) (place.pathname.includes('/manifests/') ? manifests : blobs).add(place.href);
  };

  // A registry that breaks under this has been told of in the rows.
  const quietly = (send: Send, place: string): Promise<number> => send('DELETE', place).catch(() => 0);

  return {
    saw,
    clean: async (send) => {
      for (const place of uploads.values()) await quietly(send, place);
      // What was pushed last first: an index before what it names.
      for (const place of [...manifests].reverse())
        if (!keepers.has(wire) && (await quietly(send, place)) === 405) keepers.add(wire);
      for (const place of blobs) if (!keepers.has(wire)) await quietly(send, place);
    },
  };
};
