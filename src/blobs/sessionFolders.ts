import { closeSync, mkdirSync, openSync, readdirSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs';
import type { Counters } from './counters.ts';
import type { Layout } from './layout.ts';
import type { SessionFile } from './orders.ts';
import { hasCode, removeFile, removeFolder } from './sessionFolder.ts';

/** Length of a session file, so that one can be written over another without cutting it. */
const FILE_SIZE = 1024;

/** Emptied folders that a thread keeps for the next sessions. */
const MOST_SPARE = 32;

export type SessionFolders = Readonly<{
  begin: (id: string, file: SessionFile) => void;
  /**
   * Ends a session for everybody in one step, so that no chunk can be committed to a session half removed.
   * Its files go after the answer. @returns false when the session was over
   */
  remove: (id: string) => boolean;
  /** Removes what is kept for next sessions. */
  close: () => void;
}>;

/**
 * Makes and removes the folders of sessions. A folder that is given up is used again, with its session file: making and
 * removing folders and files is what a small upload would spend most of its time on, beside its syncs (ext4, measured).
 */
export const sessionFolders = (layout: Layout, counters: Counters): SessionFolders => {
  const spare: string[] = [];

  const contentOf = (file: SessionFile): string => JSON.stringify(file).padEnd(FILE_SIZE);

  // Nobody knows the id before `begin` is answered, so the file need not be whole before the folder has its name.
  const begin = (id: string, content: string): void => {
    mkdirSync(layout.session(id));
    counters.count('opens');
    try {
      writeFileSync(layout.sessionFile(id), content, { flag: 'wx' });
    } catch (error) {
      removeFolder(layout.session(id));
      throw error;
    }
  };

  const writeOver = (path: string, content: string): void => {
    const fd = openSync(path, 'r+');
    counters.count('opens');
    try {
      writeSync(fd, content);
    } finally {
      closeSync(fd);
    }
  };

  /** @returns whether there was one to use; an expiry may have taken it, or its file, at any moment until it has its new name */
  const beginInSpare = (id: string, content: string): boolean => {
    const folder = spare.pop();
    if (folder === undefined || content.length > FILE_SIZE) return false;
    try {
      writeOver(`${folder}/session.json`, content);
      renameSync(folder, layout.session(id));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
    if (statSync(layout.sessionFile(id), { throwIfNoEntry: false }) === undefined) writeFileSync(layout.sessionFile(id), content);
    return true;
  };

  const empty = (folder: string): void => {
    for (const name of readdirSync(folder)) if (name !== 'session.json') removeFile(`${folder}/${name}`);
    const reusable = statSync(`${folder}/session.json`, { throwIfNoEntry: false })?.size === FILE_SIZE;
    if (reusable && spare.length < MOST_SPARE) spare.push(folder);
    else removeFolder(folder);
  };

  // What cannot be removed now is left to the next expiry.
  const emptyQuietly = (folder: string): void => {
    try {
      empty(folder);
    } catch {}
  };

  return {
    begin: (id, file) => {
      const content = contentOf(file);
      if (!beginInSpare(id, content)) begin(id, content);
    },
    remove: (id) => {
      try {
        renameSync(layout.session(id), layout.removed(id));
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return false;
        throw error;
      }
      setImmediate(emptyQuietly, layout.removed(id));
      return true;
    },
    close: () => {
      for (const folder of spare.splice(0)) removeFolder(folder);
    },
  };
};
