import { chmodSync, closeSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Any permission for anybody but the owner. */
const OTHERS = 0o077;

const withFile = <T>(path: string, flags: string, mode: number, use: (descriptor: number) => T): T => {
  const descriptor = openSync(path, flags, mode);
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
};

const isExisting = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EEXIST';

/** Makes a new name in a folder durable. */
export const syncFolder = (folder: string): void => withFile(folder, 'r', 0, fsyncSync);

/** The folder of secrets, for the owner's eyes alone where it is new. */
export const makePrivateFolder = (folder: string): void => {
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = resolve(folder); made.length >= first.length; made = dirname(made)) syncFolder(dirname(made));
};

export const permissionsForOthers = (path: string): number => statSync(path).mode & OTHERS;

/** An empty file where there is none, and nobody else's to read in either case. */
export const makePrivateFile = (path: string): void => {
  withFile(path, 'a', 0o600, fsyncSync);
  if (permissionsForOthers(path) !== 0) chmodSync(path, 0o600);
  syncFolder(dirname(path));
};

/**
 * Writes `text` to a private file that must not exist yet, durably and all at once: `link(2)` lets one of several
 * processes win, and no reader ever sees a file half written.
 * @returns false when there was one already
 */
export const writePrivateFileOnce = (path: string, text: string, temporary: string): boolean => {
  withFile(temporary, 'wx', 0o600, (descriptor) => {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  });
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (isExisting(error)) return false;
    throw error;
  } finally {
    rmSync(temporary);
    syncFolder(dirname(path));
  }
};
