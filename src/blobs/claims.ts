import { linkSync, statSync, utimesSync } from 'node:fs';
import { RegistryError } from '../errors.ts';
import type { Layout } from './layout.ts';
import { hasCode, inSession, removeFile } from './sessionFolder.ts';

/** A claim that nobody has refreshed for this long was left by a process that died. Milliseconds. */
export const CLAIM_STALE_AFTER = 30_000;
const REFRESH_EVERY = 5000;

const busy = (id: string): RegistryError =>
  new RegistryError('UPLOAD_INVALID', 'This upload is being finished by another request.', { id });

/**
 * Lets one finish at a time work on a session: the claim is a second name of its `session.json`, whose time of change is
 * refreshed while the work goes on. It spares double work. Two finishes that both believe to hold it still do no
 * harm: bytes are placed under their digest by `link(2)`, each from a file of its own.
 */
export const claims = (layout: Layout) => {
  const refresh = (id: string): void => {
    const now = new Date();
    utimesSync(layout.sessionFile(id), now, now);
  };

  const take = (id: string): void => {
    const held = statSync(layout.claim(id), { throwIfNoEntry: false });
    if (held !== undefined && Date.now() - held.mtimeMs < CLAIM_STALE_AFTER) throw busy(id);
    if (held !== undefined) removeFile(layout.claim(id));
    refresh(id);
    try {
      linkSync(layout.sessionFile(id), layout.claim(id));
    } catch (error) {
      throw hasCode(error, 'EEXIST') ? busy(id) : error;
    }
  };

  /**
   * Runs `work` while the session is claimed; `work` calls `beat` now and then.
   * @throws RegistryError `UPLOAD_UNKNOWN` | `UPLOAD_INVALID`
   */
  return async <T>(id: string, work: (beat: () => void) => Promise<T>): Promise<T> => {
    inSession(id, () => take(id));
    let refreshed = Date.now();
    try {
      return await work(() => {
        if (Date.now() - refreshed < REFRESH_EVERY) return;
        refreshed = Date.now();
        inSession(id, () => refresh(id));
      });
    } finally {
      removeFile(layout.claim(id));
    }
  };
};
