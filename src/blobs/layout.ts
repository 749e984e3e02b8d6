import { join } from 'node:path';
import { ALGORITHMS, algorithmOf, type Digest, hexOf } from '../oci/digest.ts';

/** Where everything lies below the store's folder. All of it is one volume: files move between these places by `link(2)` and `rename(2)`. */
export type Layout = Readonly<{
  root: string;
  blobs: string;
  uploads: string;
  blobFolder: (digest: Digest) => string;
  blob: (digest: Digest) => string;
  session: (id: string) => string;
  /** What says whose the session is. A folder without it is no session. */
  sessionFile: (id: string) => string;
  /** The chunk that begins at `offset`. */
  chunk: (id: string, offset: number) => string;
  claim: (id: string) => string;
  /** A file that is still being written, in the session's folder. */
  part: (id: string, name: string) => string;
  /** Where a session goes in one step when it is over, before its files are removed. */
  removed: (id: string) => string;
  /** A small blob that is still being written. */
  loose: (name: string) => string;
}>;

const SESSION_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const REMOVED = 'removed-';
const LOOSE = 'loose-';
const PART = 'part-';
const CLAIM = 'finishing';

// 16 digits: names sort as their offsets do, and every safe integer fits.
const OFFSET_DIGITS = 16;

/** Upload ids are UUIDs. Anything else never becomes part of a path. */
export const isSessionId = (text: string): boolean => SESSION_ID.test(text);

/** Whether a name in `uploads/` is a session that is over, or the unfinished file of a small blob. */
export const isLeftover = (name: string): boolean => name.startsWith(REMOVED) || name.startsWith(LOOSE);

/** Whether a name in a session's folder belongs to a write or a finish in progress. */
export const isInProgress = (name: string): boolean => name.startsWith(PART) || name === CLAIM;

/** The 256 folders of each algorithm, relative to `blobs/`. */
export const blobFolders = (): readonly string[] =>
  ALGORITHMS.flatMap((algorithm) =>
    Array.from({ length: 256 }, (_, index) => join(algorithm, index.toString(16).padStart(2, '0'))),
  );

export const layoutOf = (root: string): Layout => {
  const blobs = join(root, 'blobs');
  const uploads = join(root, 'uploads');
  const blobFolder = (digest: Digest): string => `${blobs}/${algorithmOf(digest)}/${hexOf(digest).slice(0, 2)}`;
  const session = (id: string): string => `${uploads}/${id}`;
  return {
    root,
    blobs,
    uploads,
    blobFolder,
    blob: (digest) => `${blobFolder(digest)}/${hexOf(digest)}`,
    session,
    sessionFile: (id) => `${session(id)}/session.json`,
    chunk: (id, offset) => `${session(id)}/${String(offset).padStart(OFFSET_DIGITS, '0')}`,
    claim: (id) => `${session(id)}/${CLAIM}`,
    part: (id, name) => `${session(id)}/${PART}${name}`,
    removed: (id) => `${uploads}/${REMOVED}${id}`,
    loose: (name) => `${uploads}/${LOOSE}${name}`,
  };
};
