import { readdirSync, readFileSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import { RegistryError } from '../errors.ts';
import type { Counters } from './counters.ts';
import type { Layout } from './layout.ts';
import type { SessionFile } from './orders.ts';

export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  codes.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');

export const unknownUpload = (id: string): RegistryError =>
  new RegistryError('UPLOAD_UNKNOWN', 'There is no such upload. It may be finished, cancelled or expired.', {
    id: id.slice(0, 64),
  });

/** Runs `work` on a session's files: that the folder is gone means that the session is over. */
export const inSession = <T>(id: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    throw hasCode(error, 'ENOENT') ? unknownUpload(id) : error;
  }
};

/** Removes a file that may be gone already. */
export const removeFile = (path: string): void => {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
};

/** Removes a folder of files that may be in the course of being removed by somebody else. */
export const removeFolder = (path: string): void => {
  try {
    for (const name of readdirSync(path)) removeFile(`${path}/${name}`);
    rmdirSync(path);
  } catch (error) {
    // ENOTEMPTY: an open(2) that was under way when the folder was renamed. The next expiry takes it.
    if (!hasCode(error, 'ENOENT', 'ENOTEMPTY')) throw error;
  }
};

export const readSessionFile = (layout: Layout, counters: Counters, id: string): SessionFile | undefined => {
  try {
    counters.count('opens');
    return JSON.parse(readFileSync(layout.sessionFile(id), 'utf8')) as SessionFile;
  } catch (error) {
    // SyntaxError: the process died while it wrote the file, before anybody knew the id.
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
};

/**
 * The size of the chunk that begins at `offset`, if there is one. No empty chunk is ever committed: 0 means that a power cut took
 * its bytes. Its place is taken, so that such a session cannot go on.
 */
export const chunkSize = (layout: Layout, id: string, offset: number): number | undefined =>
  statSync(layout.chunk(id, offset), { throwIfNoEntry: false })?.size;
