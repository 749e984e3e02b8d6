import type { Readable, Writable } from 'node:stream';
import { RegistryError } from '../errors.ts';
import type { Algorithm, Digest } from '../oci/digest.ts';

/** A blob put in place, while its writer still holds a copy: see *append, then look* in the architecture. */
export type PlacedBlob = Readonly<{
  digest: Digest;
  size: number;
  /**
   * Looks that the bytes are still in place and puts them back if a collector took them; then lets the writer's own copy go.
   * Called after the append that relies on the bytes. Calling it again does nothing.
   */
  settle: () => Promise<void>;
  /** Gives up: nothing relies on the bytes after all. An upload session is open again as it was before the finish. After `settle` it does nothing. */
  release: () => Promise<void>;
}>;

/** An open blob. Whoever opens it closes it. */
export type OpenBlob = Readonly<{
  size: number;
  /**
   * Writes bytes `start` to `end` (inclusive) to `destination`, waiting for it to drain. Does not end it.
   * @param sent told how many bytes `destination` has taken, a piece at a time
   */
  copyTo: (destination: Writable, start: number, end: number, sent?: (bytes: number) => void) => Promise<void>;
  close: () => Promise<void>;
}>;

/** Content-addressed bytes. They grant nothing: what a repository may serve is in its stream. */
export type Blobs = Readonly<{
  stat: (digest: Digest) => Promise<Readonly<{ size: number; modifiedAt: number }> | undefined>;
  open: (digest: Digest) => Promise<OpenBlob | undefined>;
  /** A small blob, whole. @throws RegistryError `SIZE_INVALID` when it is larger than `largest` bytes */
  read: (digest: Digest, largest: number) => Promise<Buffer | undefined>;
  /** Stores bytes that are in memory anyway (a manifest) under `digest`, which the caller has computed from them. Durable when it resolves. */
  put: (digest: Digest, bytes: Uint8Array) => Promise<PlacedBlob>;
  uploads: Uploads;
  close: () => Promise<void>;
}>;

/** Whom a session belongs to. Another repository's or user's session is unknown. */
export type UploadOwner = Readonly<{ repository: string; user: string }>;

export type Upload = Readonly<{
  id: string;
  owner: UploadOwner;
  algorithm: Algorithm;
  /** Bytes that are kept, without a gap. */
  size: number;
  chunks: number;
  /** Epoch milliseconds. */
  startedAt: number;
  lastActivityAt: number;
}>;

export type AppendOptions = Readonly<{
  /** Where the client says that this chunk begins. Absent: at the session's end. @throws RegistryError `RANGE_INVALID` when it is not the end */
  from?: number;
  /** How many bytes the client says will come. @throws RegistryError `SIZE_INVALID` when another number comes; nothing is kept then */
  length?: number;
  /** What the session must be with this chunk, which is its last. @throws RegistryError `DIGEST_INVALID` when it is not; nothing is kept then */
  digest?: Digest;
  /** Told how many bytes have come, a piece at a time, whatever becomes of them. */
  came?: (bytes: number) => void;
}>;

/** The refusal of a session that was there when the request came, and says so in its detail: `meanwhile`. */
export const endedMeanwhile = ({ detail, message }: RegistryError): RegistryError =>
  new RegistryError('UPLOAD_UNKNOWN', message, { ...detail, meanwhile: true });

/**
 * Upload sessions: operational state that survives a restart, not events. One that ends while it is worked on is refused by
 * `endedMeanwhile`.
 */
export type Uploads = Readonly<{
  begin: (owner: UploadOwner, algorithm: Algorithm) => Promise<Upload>;
  /** @throws RegistryError `UPLOAD_UNKNOWN` */
  status: (id: string, owner: UploadOwner) => Promise<Upload>;
  /**
   * Adds what `source` yields. When the source breaks off, the bytes that came are kept and the error is thrown on.
   * @returns the session, its size as of the end of this chunk
   * @throws RegistryError `UPLOAD_UNKNOWN` | `RANGE_INVALID` | `SIZE_INVALID` | `DIGEST_INVALID` | `STORAGE_FULL` | `REQUEST_TOO_LARGE` (over the largest blob)
   */
  append: (id: string, owner: UploadOwner, source: Readable, options?: AppendOptions) => Promise<Upload>;
  /**
   * Checks the session's bytes against `digest` and puts them in place, durably. The session is over when `settle` is called. Waits
   * while another finish of the same session is under way, and succeeds as that one did unless the session is over by then.
   * @param upTo where the last chunk ends that counts: a request that was given up may still add to the session behind it
   * @throws RegistryError `UPLOAD_UNKNOWN` | `DIGEST_INVALID` (the session stays as it was) | `STORAGE_FULL`
   */
  finish: (id: string, owner: UploadOwner, digest: Digest, upTo?: number) => Promise<PlacedBlob>;
  /** @throws RegistryError `UPLOAD_UNKNOWN` */
  cancel: (id: string, owner: UploadOwner) => Promise<void>;
  list: () => AsyncIterable<Upload>;
  /** How many `list` has, as far as none begins or ends meanwhile: without a look into any. */
  count: () => Promise<number>;
  /** Removes sessions that were idle for longer and that nothing is being added to. @returns how many */
  expire: (idleMs: number) => Promise<number>;
}>;
