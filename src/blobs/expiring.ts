import { readdirSync, statSync, utimesSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { isInProgress, isLeftover, isSessionId, type Layout } from './layout.ts';
import { hasCode, removeFile, removeFolder } from './sessionFolder.ts';

/** Writing a small blob takes moments. One that has not moved for this long was left by a process that died. Milliseconds. */
const LOOSE_FOR = 3_600_000;

const changedAt = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

const filesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Gone meanwhile.
  }
};

const removeLeftover = (path: string): void => {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) removeFolder(path);
  else if (found !== undefined) removeFile(path);
};

// A single append can last for hours: only its part's time moves on meanwhile.
const isIdle = (layout: Layout, id: string, since: number): boolean => {
  if (changedAt(layout.session(id)) >= since || changedAt(layout.sessionFile(id)) >= since) return false;
  const inProgress = filesIn(layout.session(id)).filter(isInProgress);
  return inProgress.every((name) => changedAt(`${layout.session(id)}/${name}`) < since);
};

// A slow client's bytes may wait in memory for hours, where no other process sees them.
const keepAlive = (layout: Layout, id: string): void => {
  const now = new Date();
  try {
    utimesSync(layout.sessionFile(id), now, now);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error; // cancelled a moment ago
  }
};

type Expiry = Readonly<{
  layout: Layout;
  idleMs: number;
  remove: (id: string) => Promise<boolean>;
  /** The sessions that this process is adding to at this moment. */
  inUse: () => ReadonlySet<string>;
}>;

/** Removes what is idle for longer than `idleMs`, a session by `remove`. @returns how many sessions it removed */
export const expireIdle = async ({ layout, idleMs, remove, inUse }: Expiry): Promise<number> => {
  const since = Date.now() - idleMs;
  for (const id of inUse()) keepAlive(layout, id);
  let removed = 0;
  for await (const entry of await opendir(layout.uploads)) {
    const path = `${layout.uploads}/${entry.name}`;
    if (isSessionId(entry.name)) {
      if (isIdle(layout, entry.name, since) && !inUse().has(entry.name) && (await remove(entry.name))) removed += 1;
    } else if (isLeftover(entry.name) && (entry.isDirectory() || changedAt(path) < since - LOOSE_FOR)) removeLeftover(path);
  }
  return removed;
};

/** Removes what a process left that died while it wrote: nobody else may be using the store. Sessions stay, with their chunks. */
export const sweepLeftovers = async (layout: Layout): Promise<void> => {
  for await (const { name } of await opendir(layout.uploads)) {
    const path = `${layout.uploads}/${name}`;
    if (isLeftover(name)) removeLeftover(path);
    if (isSessionId(name)) for (const file of filesIn(path).filter(isInProgress)) removeFile(`${path}/${file}`);
  }
};
