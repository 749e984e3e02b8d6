import { type ErrorCode, type ErrorDetail, RegistryError } from '../errors.ts';
import type { Algorithm, Digest } from '../oci/digest.ts';
import type { UploadOwner } from './blobs.ts';

/** Bytes on their way to a worker and the memory on its way back: transferred, never copied. */
export type Piece = Readonly<{ bytes: ArrayBuffer; length: number }>;

/** A chunk that is being written, named by the main thread. `algorithm` is the one to keep a running hash of. */
export type Part = Readonly<{ part: string; id: string; offset: number; algorithm: Algorithm }>;

export type SessionFile = Readonly<{ owner: UploadOwner; algorithm: Algorithm; startedAt: number }>;

type Finish = Readonly<{ id: string; size: number; digest: Digest }>;

/** What the main thread orders from a worker: everything that changes files. Who may do so has been checked before. */
export type Orders = Readonly<{
  begin: (order: Readonly<{ id: string; file: SessionFile }>) => void;
  /** Adds to a part; the first piece creates its file. Answers with the piece's memory. */
  write: (order: Part & Piece) => Piece;
  /**
   * Adds the last piece, then commits the part as the session's chunk at its offset, if it has `size` bytes and, where a digest is
   * given, the session has that one with it.
   */
  commit: (order: Part & Piece & Readonly<{ size: number; digest?: Digest | undefined }>) => Promise<Piece>;
  discard: (order: Readonly<{ part: string }>) => Promise<void>;
  /** Checks the session's first `size` bytes against `digest` and links them into place. The folder's sync is the caller's. */
  finish: (order: Finish) => Promise<void>;
  /** Puts a finished session's bytes in place again. The folder's sync is the caller's. */
  replace: (order: Finish) => Promise<void>;
  /** Ends a session. False when it was over already. */
  remove: (order: Readonly<{ id: string }>) => boolean;
  /** Writes a small blob whole. The folder's sync is the caller's. */
  put: (order: Readonly<{ digest: Digest; name: string }> & Piece) => Promise<void>;
}>;

export type OrderName = keyof Orders;
export type OrderOf<K extends OrderName> = Parameters<Orders[K]>[0];
export type AnswerTo<K extends OrderName> = Awaited<ReturnType<Orders[K]>>;

/** What a worker is told when it starts. */
export type WorkerSetup = Readonly<{ root: string; counters: SharedArrayBuffer }>;

export type Fault = Readonly<{
  code: string | undefined;
  message: string;
  stack?: string | undefined;
  refusal?: ErrorDetail | undefined;
}>;

export type OrderMessage = Readonly<{ call: number; name: OrderName; order: unknown }>;
export type AnswerMessage = Readonly<{ call: number; answer?: unknown; fault?: Fault }>;

const FULL: Readonly<Record<string, true>> = { ENOSPC: true, EDQUOT: true };

/** An error as it travels between threads (its own fields do not survive by themselves); a full disk gets its name here. */
export const faultOf = (error: unknown): Fault => {
  const { code, message, stack } = error as NodeJS.ErrnoException;
  if (error instanceof RegistryError) return { code, message, stack, refusal: error.detail };
  if (code !== undefined && FULL[code])
    return { code: 'STORAGE_FULL', message: 'The registry has no room left for this.', stack, refusal: {} };
  return { code, message, stack };
};

export const errorOf = ({ code, message, stack, refusal }: Fault): Error => {
  const error =
    refusal === undefined ? Object.assign(new Error(message), { code }) : new RegistryError(code as ErrorCode, message, refusal);
  if (stack !== undefined) error.stack = stack;
  return error;
};
