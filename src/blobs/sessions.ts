import { statSync } from 'node:fs';
import { opendir, readdir } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Upload, UploadOwner } from './blobs.ts';
import type { Counters } from './counters.ts';
import { isSessionId, type Layout } from './layout.ts';
import type { SessionFile } from './orders.ts';
import { chunkSize, readSessionFile, unknownUpload } from './sessionFolder.ts';

/** Sessions of which it is remembered how far they were; of others the chunks are counted from the first. */
const REMEMBERED = 10_000;
const CHUNKS_A_TURN = 256;

type Known = Readonly<{ file: SessionFile; size: number; chunks: number }>;

export type Sessions = Readonly<{
  /** What the session's folder says now. */
  read: (id: string) => Promise<Upload | undefined>;
  /** @throws RegistryError `UPLOAD_UNKNOWN` */
  owned: (id: string, owner: UploadOwner) => Promise<Upload>;
  list: () => AsyncIterable<Upload>;
  count: () => Promise<number>;
  /** Tells of a session that has just been made, which spares reading it. */
  began: (id: string, file: SessionFile) => void;
}>;

/**
 * Reads sessions. The folders are the truth, other processes may write to them too; what is remembered is only where to
 * go on looking, as chunks are only ever added at the end. Synchronous: a few stats cost less than the way to a thread and back.
 */
export const sessionsIn = (layout: Layout, counters: Counters): Sessions => {
  const remembered = new LRUCache<string, Known>({ max: REMEMBERED });

  const goOn = async (id: string, { file, ...known }: Known): Promise<Known | undefined> => {
    let { size, chunks } = known;
    for (let next = chunkSize(layout, id, size); next !== undefined; next = chunkSize(layout, id, size)) {
      if (next === 0) return undefined;
      size += next;
      chunks += 1;
      if (chunks % CHUNKS_A_TURN === 0) await turn();
    }
    return { file, size, chunks };
  };

  const first = (id: string): Known | undefined => {
    const file = readSessionFile(layout, counters, id);
    return file === undefined ? undefined : { file, size: 0, chunks: 0 };
  };

  const read = async (id: string): Promise<Upload | undefined> => {
    if (!isSessionId(id)) return undefined;
    const info = statSync(layout.sessionFile(id), { throwIfNoEntry: false });
    const folder = statSync(layout.session(id), { throwIfNoEntry: false });
    if (info === undefined || folder === undefined) {
      remembered.delete(id);
      return undefined;
    }
    const before = remembered.get(id) ?? first(id);
    const now = before && (await goOn(id, before));
    if (now === undefined) return undefined;
    remembered.set(id, now);
    return {
      id,
      ...now.file,
      size: now.size,
      chunks: now.chunks,
      lastActivityAt: Math.floor(Math.max(info.mtimeMs, folder.mtimeMs)),
    };
  };

  return {
    read,
    owned: async (id, { repository, user }) => {
      const session = await read(id);
      if (session === undefined || session.owner.repository !== repository || session.owner.user !== user)
        throw unknownUpload(id);
      return session;
    },
    began: (id, file) => {
      remembered.set(id, { file, size: 0, chunks: 0 });
    },
    list: async function* () {
      for await (const { name } of await opendir(layout.uploads)) {
        const session = await read(name);
        if (session !== undefined) yield session;
      }
    },
    // By their names alone: a look into each would cost a thousand times as much.
    count: async () => (await readdir(layout.uploads)).filter(isSessionId).length,
  };
};
