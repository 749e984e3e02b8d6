import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** One file of a backup. `path` is relative to the backup's folder and has `/` between its parts. */
export type Entry = Readonly<{ sha256: string; size: number; path: string }>;

export const FORMAT = 1;
export const ABOUT = 'backup.json';
export const MANIFEST = 'manifest.tsv';

type Common = Readonly<{
  format: typeof FORMAT;
  /** When the log (or the keys) were taken; everything else is younger. */
  takenAt: string;
  files: number;
  bytes: number;
  /** SHA-256 of the manifest. */
  manifest: string;
}>;
export type AboutRegistry = Common &
  Readonly<{ kind: 'registry'; events: number; signingKey: string | null; linked: number; missing: readonly string[] }>;
export type AboutKeys = Common & Readonly<{ kind: 'keys'; keyIncluded: boolean }>;
export type About = AboutRegistry | AboutKeys;

type Told<A extends About> = Omit<A, 'format' | 'files' | 'bytes' | 'manifest'>;

/** What is wrong with a backup or with what was asked for, in sentences for a person. */
export class Unusable extends Error {
  override readonly name = 'Unusable';
}

/** A pass-through that hashes. */
export const hashing = (algorithm: string): Readonly<{ stream: Transform; digest: () => string; size: () => number }> => {
  const hash = createHash(algorithm);
  let size = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, digest: () => hash.digest('hex'), size: () => size };
};

export const sha256Of = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
};

export const entryOf = async (folder: string, path: string): Promise<Entry> => ({
  sha256: await sha256Of(join(folder, path)),
  size: statSync(join(folder, path)).size,
  path,
});

const textOf = (entries: readonly Entry[]): string =>
  entries.map(({ sha256, size, path }) => `${sha256}\t${size}\t${path}\n`).join('');

const sha256OfText = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Writes both files that make a folder a backup. Called last. */
export const writeManifest = <A extends About>(folder: string, entries: readonly Entry[], told: Told<A>): A => {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
  const text = textOf(sorted);
  writeFileSync(join(folder, MANIFEST), text);
  const bytes = sorted.reduce((sum, { size }) => sum + size, 0);
  const about = { ...told, format: FORMAT, files: sorted.length, bytes, manifest: sha256OfText(text) } as unknown as A;
  writeFileSync(join(folder, ABOUT), `${JSON.stringify(about, undefined, 2)}\n`);
  return about;
};

const readText = (folder: string, name: string): string => {
  try {
    return readFileSync(join(folder, name), 'utf8');
  } catch (cause) {
    throw new Unusable(`${folder} is no finished backup: ${name} cannot be read.`, { cause });
  }
};

const aboutIn = (folder: string): About => {
  const text = readText(folder, ABOUT);
  try {
    const about = JSON.parse(text) as About;
    if (about.format === FORMAT) return about;
  } catch {
    // told below
  }
  throw new Unusable(`${folder} is damaged, or was made by another release: ${ABOUT} cannot be understood.`);
};

const entryFrom = (line: string): Entry => {
  const [sha256 = '', size = '', path = ''] = line.split('\t');
  return { sha256, size: Number(size), path };
};

/** @throws Unusable when it is no backup of this kind, or its manifest was damaged */
export const readManifest = <K extends About['kind']>(
  folder: string,
  kind: K,
): Readonly<{ about: Extract<About, { kind: K }>; entries: readonly Entry[] }> => {
  const about = aboutIn(folder);
  if (about.kind !== kind) throw new Unusable(`${folder} is a backup of ${wordsFor(about.kind)}, not of ${wordsFor(kind)}.`);
  const text = readText(folder, MANIFEST);
  if (sha256OfText(text) !== about.manifest)
    throw new Unusable(`${folder} is damaged: ${MANIFEST} is not the one that was written.`);
  const entries = text
    .split('\n')
    .filter((line) => line !== '')
    .map(entryFrom);
  return { about: about as Extract<About, { kind: K }>, entries };
};

const wordsFor = (kind: About['kind']): string => (kind === 'keys' ? 'keys' : 'log and bytes');

export const kindOf = (folder: string): About['kind'] => aboutIn(folder).kind;

const faultOf = async (folder: string, { path, size, sha256 }: Entry): Promise<string | undefined> => {
  const found = statSync(join(folder, path), { throwIfNoEntry: false });
  if (found === undefined) return `${path} is missing`;
  if (found.size !== size) return `${path} has ${found.size} bytes instead of ${size}`;
  return (await sha256Of(join(folder, path))) === sha256 ? undefined : `${path} has other bytes than those that were taken`;
};

const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));

/** Reads every byte. @returns what is wrong, one sentence a file */
export const faultsIn = async (folder: string, entries: readonly Entry[]): Promise<readonly string[]> => {
  const faults: string[] = [];
  for (const entry of entries) {
    const fault = await faultOf(folder, entry);
    if (fault !== undefined) faults.push(fault);
  }
  const known = new Set([...entries.map(({ path }) => path), ABOUT, MANIFEST]);
  return [
    ...faults,
    ...filesBelow(folder)
      .filter((path) => !known.has(path))
      .map((path) => `${path} does not belong there`),
  ];
};

/** Copies one file of a backup. @throws Unusable when it is not what was taken */
export const copyChecked = async (from: string, to: string, { path, size, sha256 }: Entry): Promise<void> => {
  const hashed = hashing('sha256');
  try {
    await pipeline(createReadStream(join(from, path)), hashed.stream, createWriteStream(to, { flags: 'wx', mode: 0o600 }));
  } catch (cause) {
    throw new Unusable(`${path} could not be copied: ${(cause as Error).message}`, { cause });
  }
  if (hashed.size() !== size || hashed.digest() !== sha256)
    throw new Unusable(`${from} is damaged: ${path} has other bytes than those that were taken.`);
};
