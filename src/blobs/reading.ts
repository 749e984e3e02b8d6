import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { RegistryError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import type { Blobs, OpenBlob } from './blobs.ts';
import { copyOut, sharedLanes } from './copyOut.ts';
import { hasCode } from './sessionFolder.ts';
import { blobInfo, type Store } from './store.ts';

const closedBlob = (): RegistryError => new RegistryError('UNAVAILABLE', 'This blob was closed while it was read.');

/** Reads blobs. Small things are read synchronously: the way to a thread and back costs more than the read (measured). */
export const reading = (store: Store): Pick<Blobs, 'stat' | 'open' | 'read'> => {
  const lanes = sharedLanes();

  const openFile = (digest: Digest): number | undefined => {
    try {
      const fd = openSync(store.layout.blob(digest), 'r');
      store.counters.count('opens');
      return fd;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  };

  const openBlob = (fd: number): OpenBlob => {
    const { size } = fstatSync(fd);
    const copies = new Set<Promise<void>>();
    let open = true;
    const mayGoOn = (): void => {
      if (!open) throw closedBlob();
    };
    return {
      size,
      copyTo: async (destination, start, end, sent) => {
        mayGoOn();
        const copy = copyOut(lanes, { fd, start, end, mayGoOn }, destination, sent);
        copies.add(copy);
        await copy.finally(() => copies.delete(copy));
      },
      // A read that is under way must not find another file behind the same number.
      close: async () => {
        if (!open) return;
        open = false;
        await Promise.allSettled(copies);
        closeSync(fd);
      },
    };
  };

  const readWhole = (fd: number, digest: Digest, largest: number): Buffer => {
    const { size } = fstatSync(fd);
    if (size > largest)
      throw new RegistryError('SIZE_INVALID', `This has more than ${largest} bytes.`, { digest, size, largest });
    const bytes = Buffer.allocUnsafeSlow(size);
    let at = 0;
    for (let read = -1; at < size && read !== 0; at += read) read = readSync(fd, bytes, at, size - at, at);
    return bytes.subarray(0, at);
  };

  return {
    stat: async (digest) => blobInfo(store, digest),
    open: async (digest) => {
      const fd = openFile(digest);
      return fd === undefined ? undefined : openBlob(fd);
    },
    read: async (digest, largest) => {
      const fd = openFile(digest);
      if (fd === undefined) return undefined;
      try {
        return readWhole(fd, digest, largest);
      } finally {
        closeSync(fd);
      }
    },
  };
};
