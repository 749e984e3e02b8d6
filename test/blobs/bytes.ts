import { randomBytes } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Blobs, PlacedBlob, UploadOwner } from '../../src/blobs/blobs.ts';
import { type Algorithm, algorithmOf, type Digest, digestOf } from '../../src/oci/digest.ts';

export const OWNER: UploadOwner = { repository: 'library/app', user: 'user:1' };
export const KIB = 1024;
export const MIB = 1024 * KIB;

export type Content = Readonly<{ bytes: Buffer; digest: Digest }>;

export const contentOf = (bytes: Buffer | string, algorithm: Algorithm = 'sha256'): Content => ({
  bytes: Buffer.from(bytes as Buffer),
  digest: digestOf(bytes, algorithm),
});

export const randomContent = (size: number, algorithm?: Algorithm): Content => contentOf(randomBytes(size), algorithm);

function* slices(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A source of these bytes, in pieces like those of a request. */
export const sourceOf = (bytes: Buffer | string, piece = 64 * KIB): Readable =>
  Readable.from(slices(Buffer.from(bytes as Buffer), piece), { objectMode: false });

/** A source that fails after these bytes, as a request does whose connection breaks. */
export const brokenSource = (bytes: Buffer | string, error: Error, piece = 64 * KIB): Readable => {
  async function* breaking(): AsyncGenerator<Buffer> {
    yield* slices(Buffer.from(bytes as Buffer), piece);
    await turn(); // what was yielded arrives before the error does
    throw error;
  }
  return Readable.from(breaking(), { objectMode: false });
};

/** A source that has yielded these bytes and then neither goes on nor ends. Whoever makes it destroys it. */
export const stalledSource = (bytes: Buffer | string): Readable => {
  const source = new Readable({ read: () => undefined });
  source.push(bytes);
  return source;
};

export type Sink = Readonly<{ stream: Writable; bytes: () => Buffer }>;

/** A destination that copies what it gets: the memory behind it is used again. */
export const sink = (): Sink => {
  const received: Buffer[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      received.push(Buffer.from(chunk));
      setImmediate(done);
    },
  });
  return { stream, bytes: () => Buffer.concat(received) };
};

/** Uploads as a client does that sends everything at once. */
export const uploaded = async (blobs: Blobs, { bytes, digest }: Content, piece?: number): Promise<PlacedBlob> => {
  const { id } = await blobs.uploads.begin(OWNER, algorithmOf(digest));
  await blobs.uploads.append(id, OWNER, sourceOf(bytes, piece));
  return blobs.uploads.finish(id, OWNER, digest);
};

/** Uploads and settles. */
export const pushed = async (blobs: Blobs, content: Content, piece?: number): Promise<void> => {
  await (await uploaded(blobs, content, piece)).settle();
};

/** All of a blob by `open` and `copyTo`; undefined where there is none. */
export const pulled = async (blobs: Blobs, digest: Digest): Promise<Buffer | undefined> => {
  const blob = await blobs.open(digest);
  if (blob === undefined) return undefined;
  const { stream, bytes } = sink();
  try {
    await blob.copyTo(stream, 0, blob.size - 1);
  } finally {
    await blob.close();
  }
  return bytes();
};

/** What of this folder this process has open (its threads included). Linux only. */
export const openIn = (folder: string): readonly string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(`${folder}/`) ? [path] : [];
    } catch {
      return []; // The descriptor of this very reading.
    }
  });

/** Every file below a folder, relative to it. */
export const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length + 1))
    .sort();
