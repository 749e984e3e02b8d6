import { createReadStream, createWriteStream, linkSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Entry, hashing, readManifest } from './manifest.ts';

const ALGORITHMS = ['sha256', 'sha512'] as const;
type Algorithm = (typeof ALGORITHMS)[number];

/** How many files are copied at once: enough to keep a disk busy while another file is hashed. */
const AT_ONCE = 4;

type Taking = Readonly<{
  /** The data folder. */
  from: string;
  to: string;
  /** The last backup in the same place, whose files are linked rather than copied again. */
  previous: string | undefined;
  /** Digests that the log of this backup links: all of them have to be there in the end. */
  linked: ReadonlySet<string>;
}>;

export type Taken = Readonly<{ entries: readonly Entry[]; copied: number; reused: number; missing: readonly string[] }>;

const pathOf = (digest: string): string => {
  const [algorithm, hex = ''] = digest.split(':');
  return `blobs/${algorithm}/${hex.slice(0, 2)}/${hex}`;
};

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

const namesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
};

const isHex = (name: string, algorithm: Algorithm): boolean =>
  (algorithm === 'sha256' ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{128}$/).test(name);

/** Every digest whose bytes are in place, folder by folder. */
function* digestsIn(root: string): Generator<string> {
  for (const algorithm of ALGORITHMS) {
    for (const folder of namesIn(join(root, 'blobs', algorithm))) {
      for (const name of namesIn(join(root, 'blobs', algorithm, folder)))
        if (isHex(name, algorithm)) yield `${algorithm}:${name}`;
    }
  }
}

/** A collector takes bytes out of their place for a moment, to `trash/<digest>.<run>`, and puts them back when they are linked after all. */
const inTrash = (root: string, digest: string): readonly string[] => {
  const hex = digest.slice(digest.indexOf(':') + 1);
  const trash = join(root, 'trash');
  return namesIn(trash)
    .filter((name) => name.includes(hex))
    .map((name) => join(trash, name));
};

/** Copies a blob and hashes it meanwhile. @returns undefined when it is not there, or is not what its name says */
const copyBlob = async (source: string, digest: string, to: string): Promise<Entry | undefined> => {
  const path = pathOf(digest);
  const target = join(to, path);
  const partial = `${target}.partial`;
  const [algorithm = '', hex = ''] = digest.split(':');
  const own = hashing(algorithm);
  const sha256 = algorithm === 'sha256' ? undefined : hashing('sha256');
  try {
    const streams = sha256 === undefined ? [own.stream] : [own.stream, sha256.stream];
    await pipeline([
      createReadStream(source, { highWaterMark: 1024 * 1024 }),
      ...streams,
      createWriteStream(partial, { flags: 'w' }),
    ]);
  } catch (error) {
    rmSync(partial, { force: true });
    if (isMissing(error)) return undefined;
    throw error;
  }
  if (own.digest() !== hex) {
    rmSync(partial);
    return undefined;
  }
  renameSync(partial, target);
  return { sha256: sha256?.digest() ?? hex, size: own.size(), path };
};

/** In place, in the trash, in place again: whatever moves meanwhile is in one of them when it is looked at. */
const copyWherever = async (from: string, digest: string, to: string): Promise<Entry | undefined> => {
  const place = join(from, pathOf(digest));
  for (const source of [place, ...inTrash(from, digest), place]) {
    const entry = await copyBlob(source, digest, to);
    if (entry !== undefined) return entry;
  }
  return undefined;
};

const earlierEntries = (previous: string | undefined): ReadonlyMap<string, Entry> =>
  new Map(previous === undefined ? [] : readManifest(previous, 'registry').entries.map((entry) => [entry.path, entry]));

/** `work` for all of `items`, a few at a time. */
const forEach = async <T>(items: Iterator<T>, work: (item: T) => Promise<void>): Promise<void> => {
  const one = async (): Promise<void> => {
    for (let next = items.next(); next.done !== true; next = items.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
};

/**
 * Takes all bytes that are in place. Called after the log was taken: bytes are put in place before an event names them, and what the
 * log links is not collected, so that everything that the log names is found here.
 */
export const takeBytes = async ({ from, to, previous, linked }: Taking): Promise<Taken> => {
  const earlier = earlierEntries(previous);
  const entries = new Map<string, Entry>();
  let copied = 0;

  const link = (digest: string): Entry | undefined => {
    const entry = earlier.get(pathOf(digest));
    if (entry === undefined || previous === undefined) return undefined;
    const found = statSync(join(previous, entry.path), { throwIfNoEntry: false });
    if (found?.size !== entry.size) return undefined;
    linkSync(join(previous, entry.path), join(to, entry.path));
    return entry;
  };

  const take = async (digest: string): Promise<void> => {
    mkdirSync(join(to, pathOf(digest), '..'), { recursive: true });
    const again = link(digest);
    const entry = again ?? (await copyWherever(from, digest, to));
    if (entry === undefined) return;
    if (again === undefined) copied += 1;
    entries.set(digest, entry);
  };

  await forEach(digestsIn(from), take);
  const overlooked = [...linked].filter((digest) => !entries.has(digest));
  await forEach(overlooked.values(), take);
  const missing = overlooked.filter((digest) => !entries.has(digest));
  return { entries: [...entries.values()], copied, reused: entries.size - copied, missing };
};

/** Whether two folders are one, or one is in the other. */
export const overlap = (one: string, other: string): boolean =>
  `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`);
