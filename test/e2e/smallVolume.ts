import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { cleanAtExit, isRoot, scratchFolder } from '../support/processes.ts';

/** A folder on a volume of its own, of a few MiB. */
export type SmallVolume = Readonly<{
  path: string;
  /** Bytes. */
  free: () => number;
  /** Takes every byte that is left. @returns how to give them back */
  fill: () => () => void;
  remove: () => void;
}>;

/** Why no volume can be mounted here, or undefined. */
export const mountMissing = (): string | undefined => {
  if (!isRoot()) return 'mounting a small volume needs root';
  const { path, remove } = scratchFolder();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path]).status === 0;
  if (mounted) spawnSync('umount', [path]);
  remove();
  return mounted ? undefined : 'this machine does not let us mount a tmpfs';
};

const MIB = 1024 * 1024;
const PAGE = 4096;

/** Only a write that fails tells that a tmpfs is full: what it says of its room is rounded. */
const append = (descriptor: number, size: number): boolean => {
  try {
    return writeSync(descriptor, Buffer.alloc(size)) === size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
};

/** Mounts `mebibytes` of memory on `path`, or on a folder of its own. */
export const smallVolume = (mebibytes: number, at?: string): SmallVolume => {
  const scratch = at === undefined ? scratchFolder() : undefined;
  const path = scratch?.path ?? at ?? '';
  mkdirSync(path, { recursive: true });
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path]);
  if (status !== 0) throw new Error(`mount: ${stderr}`);
  const unmount = (): void => void spawnSync('umount', ['--lazy', path]);
  const forget = cleanAtExit(unmount);
  const free = (): number => {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  };
  return {
    path,
    free,
    fill: () => {
      const filler = join(path, 'filler');
      const descriptor = openSync(filler, 'w');
      for (const size of [MIB, PAGE]) while (append(descriptor, size));
      closeSync(descriptor);
      return () => rmSync(filler);
    },
    remove: () => {
      forget();
      unmount();
      scratch?.remove();
    },
  };
};
