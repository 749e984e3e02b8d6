import { closeSync, fsync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Counters } from './counters.ts';

const fsyncing = promisify(fsync);

type Busy = { readonly running: Promise<void>; next: Promise<void> | undefined };

/**
 * Makes the names in a folder durable. Whoever asks while a sync of that folder runs shares the one after it with all
 * others who ask meanwhile: the running one may have begun before their name was there.
 */
export const folderSyncs = (counters: Counters): ((folder: string) => Promise<void>) => {
  const busy = new Map<string, Busy>();

  const syncOnce = async (folder: string): Promise<void> => {
    const fd = openSync(folder, 'r');
    counters.count('opens');
    counters.count('folderSyncs');
    try {
      await fsyncing(fd);
    } finally {
      closeSync(fd);
    }
  };

  const start = async (folder: string): Promise<void> => {
    const entry: Busy = { running: syncOnce(folder), next: undefined };
    busy.set(folder, entry);
    try {
      await entry.running;
    } finally {
      if (entry.next === undefined) busy.delete(folder);
    }
  };

  return async (folder) => {
    const entry = busy.get(folder);
    if (entry === undefined) return start(folder);
    entry.next ??= entry.running.then(
      () => start(folder),
      () => start(folder),
    );
    return entry.next;
  };
};
