import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { isRefusal, RegistryError } from '../errors.ts';
import { appending } from './appending.ts';
import { endedMeanwhile, type PlacedBlob, type Upload, type UploadOwner, type Uploads } from './blobs.ts';
import type { Buffers } from './buffers.ts';
import { expireIdle } from './expiring.ts';
import { pinning } from './pinning.ts';
import { placedBlob } from './placedBlob.ts';
import { unknownUpload } from './sessionFolder.ts';
import { sessionsIn } from './sessions.ts';
import { blobInfo, type Store } from './store.ts';

/** How often it is looked whether another finish has ended, which may run in another process: sooner at first. In ms. */
const FIRST_LOOK = 10;
const MOST_BETWEEN_LOOKS = 500;

type Limits = Readonly<{ largestBlob: number; buffers: Buffers }>;

const whileWorking = (error: unknown): unknown => (isRefusal(error, 'UPLOAD_UNKNOWN') ? endedMeanwhile(error) : error);

const goneWithItsCopy = (cause: RegistryError): RegistryError =>
  new RegistryError('UNAVAILABLE', 'The bytes were collected before they were used. Push them again.', {}, { cause });

/** The upload sessions of a store on disk. `close` breaks off what is being added and waits for it. */
export const diskUploads = (store: Store, limits: Limits): Uploads & Readonly<{ close: () => Promise<void> }> => {
  const { layout, counters, threads, syncFolder } = store;
  const sessions = sessionsIn(layout, counters);
  const pinned = pinning(threads);
  const appends = appending({ pinned, ...limits });

  const remove = (id: string): Promise<boolean> => pinned.of(id)('remove', { id });

  const finished = ({ id, size }: Upload, digest: PlacedBlob['digest']): PlacedBlob =>
    placedBlob(digest, size, {
      inPlace: () => blobInfo(store, digest)?.size === size,
      putBack: async () => {
        await pinned
          .of(id)('replace', { id, size, digest })
          .catch((error: unknown) => {
            throw isRefusal(error, 'UPLOAD_UNKNOWN') ? goneWithItsCopy(error) : error;
          });
        await syncFolder(layout.blobFolder(digest));
      },
      letGo: () => remove(id),
    });

  /** A session that was there before. */
  const still = (id: string, owner: UploadOwner): Promise<Upload> =>
    sessions.owned(id, owner).catch((error: unknown) => {
      throw whileWorking(error);
    });

  const place = async (id: string, owner: UploadOwner, digest: PlacedBlob['digest'], upTo?: number): Promise<Upload> => {
    let session = await sessions.owned(id, owner);
    for (let wait = FIRST_LOOK; ; wait = Math.min(2 * wait, MOST_BETWEEN_LOOKS)) {
      const size = upTo ?? session.size;
      try {
        await pinned.of(id)('finish', { id, size, digest });
        return { ...session, size };
      } catch (error) {
        if (!isRefusal(error, 'UPLOAD_INVALID')) throw whileWorking(error);
      }
      await pause(wait);
      session = await still(id, owner);
    }
  };

  return {
    begin: async (owner, algorithm) => {
      const id = randomUUID();
      const startedAt = Date.now();
      const file = { owner: { repository: owner.repository, user: owner.user }, algorithm, startedAt };
      await pinned.of(id)('begin', { id, file });
      sessions.began(id, file);
      return { id, ...file, size: 0, chunks: 0, lastActivityAt: startedAt };
    },
    status: sessions.owned,
    append: async (id, owner, source, options = {}) => {
      const session = await sessions.owned(id, owner);
      try {
        const size = await appends.append(session, source, options);
        return { ...(await still(id, owner)), size };
      } catch (error) {
        if (!isRefusal(error, 'RANGE_INVALID')) throw whileWorking(error);
        const { size } = await still(id, owner);
        throw new RegistryError('RANGE_INVALID', error.message, { size }, { cause: error });
      }
    },
    finish: async (id, owner, digest, upTo) => {
      const session = await place(id, owner, digest, upTo);
      await syncFolder(layout.blobFolder(digest));
      return finished(session, digest);
    },
    cancel: async (id, owner) => {
      await sessions.owned(id, owner);
      const removed = await remove(id);
      appends.abort(unknownUpload(id), id);
      if (!removed) throw unknownUpload(id);
    },
    list: sessions.list,
    count: sessions.count,
    expire: (idleMs) => expireIdle({ layout, idleMs, remove, inUse: appends.running }),
    close: async () => {
      appends.abort(new RegistryError('UNAVAILABLE', 'The registry is stopping.'));
      await appends.ended();
    },
  };
};
