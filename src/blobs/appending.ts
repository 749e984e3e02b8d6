import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { RegistryError } from '../errors.ts';
import { algorithmOf } from '../oci/digest.ts';
import type { AppendOptions, Upload } from './blobs.ts';
import { type Body, bodyOf } from './body.ts';
import type { Buffers } from './buffers.ts';
import { gather } from './gather.ts';
import type { Part } from './orders.ts';
import type { Pinning } from './pinning.ts';

export type Appending = Readonly<{
  /**
   * Adds what `source` yields at the session's end. The bytes before a source broke off are kept, and its error is thrown.
   * @returns the session's size with it
   */
  append: (session: Upload, source: Readable, options: AppendOptions) => Promise<number>;
  /** Breaks off what is being added to this session, or to any. */
  abort: (error: Error, id?: string) => void;
  /** The sessions that something is being added to. */
  running: () => ReadonlySet<string>;
  /** Resolves when nothing is being added any more. */
  ended: () => Promise<void>;
}>;

type Means = Readonly<{
  pinned: Pinning;
  buffers: Buffers;
  /** Most bytes of a blob; 0: any number. */
  largestBlob: number;
}>;

type Running = Readonly<{ id: string; body: Body; done: Promise<number> }>;

const outOfRange = (size: number): RegistryError =>
  new RegistryError('RANGE_INVALID', 'A chunk must begin where the upload ends.', { size });

const tooLarge = (largest: number): RegistryError =>
  new RegistryError('REQUEST_TOO_LARGE', `A blob has at most ${largest} bytes here.`, { largest });

const wrongLength = (length: number): RegistryError =>
  new RegistryError('SIZE_INVALID', 'Another number of bytes came than was announced.', { length });

/** Appends to sessions: reads bodies, and has the sessions' threads hash and write them. */
export const appending = ({ pinned, buffers, largestBlob }: Means): Appending => {
  const running = new Set<Running>();

  const refuseTooMany = (size: number): void => {
    if (largestBlob > 0 && size > largestBlob) throw tooLarge(largestBlob);
  };

  const refuseUnread = ({ size }: Upload, { from, length }: AppendOptions): void => {
    if (from !== undefined && from !== size) throw outOfRange(size);
    refuseTooMany(size + (length ?? 0));
  };

  const add = (session: Upload, body: Body, { length, digest, came }: AppendOptions): Promise<number> =>
    pinned.busy(session.id, async (order) => {
      // What is hashed from the first byte is hashed as its end will ask for it, whatever was announced at the beginning.
      const algorithm = digest !== undefined && session.size === 0 ? algorithmOf(digest) : session.algorithm;
      const part: Part = { part: randomUUID(), id: session.id, offset: session.size, algorithm };
      // Bytes that break off are kept: the digest is that of all of them.
      const asked = () => (body.broken() === undefined ? digest : undefined);
      let before = 0;
      const check = (size: number, ended: boolean): void => {
        came?.(size - before);
        before = size;
        refuseTooMany(session.size + size);
        const short = ended && body.broken() === undefined && size < (length ?? 0);
        if (length !== undefined && (short || size > length)) throw wrongLength(length);
      };
      try {
        const added = await gather({
          body,
          buffers,
          check,
          write: (piece) => order('write', { ...part, ...piece }, [piece.bytes]),
          commit: (piece, size) => order('commit', { ...part, ...piece, size, digest: asked() }, [piece.bytes]),
        });
        return session.size + added;
      } catch (error) {
        await order('discard', part).catch(() => undefined);
        throw error;
      }
    });

  const addAll = async (session: Upload, body: Body, options: AppendOptions): Promise<number> => {
    try {
      const size = await add(session, body, options);
      if (body.broken() === undefined) return size;
    } catch (error) {
      throw body.broken() ?? error;
    } finally {
      body.release();
    }
    throw body.broken();
  };

  return {
    append: async (session, source, options) => {
      refuseUnread(session, options);
      const body = bodyOf(source);
      const done = addAll(session, body, options);
      const entry: Running = { id: session.id, body, done };
      running.add(entry);
      return done.finally(() => running.delete(entry));
    },
    abort: (error, id) => {
      for (const entry of running) if (id === undefined || entry.id === id) entry.body.abort(error);
    },
    running: () => new Set([...running].map(({ id }) => id)),
    ended: async () => {
      await Promise.allSettled([...running].map(({ done }) => done));
    },
  };
};
