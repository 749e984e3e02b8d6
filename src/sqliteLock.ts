import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Somebody else uses the data folder. */
export class FolderInUse extends Error {
  override readonly name = 'FolderInUse';
}

const holder = (pidFile: string): string => {
  try {
    return ` (process ${readFileSync(pidFile, 'utf8').trim()})`;
  } catch {
    return '';
  }
};

/**
 * Takes a folder for this process alone, until `release` or the end of the process, however it ends: the lock is the kernel's, on a
 * file that SQLite holds open. Two registries on one folder would write over each other's views.
 * @throws FolderInUse
 */
export const lockFolder = (folder: string): Readonly<{ release: () => void }> => {
  const pidFile = join(folder, 'registry.pid');
  const db = new DatabaseSync(join(folder, 'registry.lock'), { timeout: 0 });
  try {
    db.exec('pragma locking_mode = exclusive; begin exclusive;');
  } catch (cause) {
    db.close();
    throw new FolderInUse(
      `Another registry${holder(pidFile)} uses the folder ${folder}. Stop it first, or set GHOSTDOCK_DATA_DIR to another folder.`,
      {
        cause,
      },
    );
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return { release: () => db.close() };
};
