import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeFile } from './sqliteFile.ts';

/** The files of one group: `<group>-<n>.db`, a higher number for each build. */
export type Folder = Readonly<{
  /** Newest first. */
  files: () => readonly string[];
  /** The name of the next build. */
  next: () => string;
  /** Removes every build but this one, and of the damaged ones all but the newest. */
  keepOnly: (file: string) => void;
}>;

const MEMORY: Folder = { files: () => [], next: () => ':memory:', keepOnly: () => undefined };

/** @param path of the folder, which is made where there is none, or `:memory:` */
export const folderOf = (path: string, group: string): Folder => {
  if (path === ':memory:') return MEMORY;
  mkdirSync(path, { recursive: true });

  const numbered = (suffix: string): readonly number[] => {
    const name = new RegExp(`^${group}-(\\d+)\\.db${suffix}$`);
    const numbers = readdirSync(path).flatMap((file) => name.exec(file)?.[1] ?? []);
    return numbers.map(Number).sort((a, b) => b - a);
  };
  const fileOf = (n: number): string => join(path, `${group}-${n}.db`);

  return {
    files: () => numbered('').map(fileOf),
    next: () => fileOf(Math.max(0, ...numbered(''), ...numbered('\\.damaged')) + 1),
    keepOnly: (file) => {
      for (const other of numbered('').map(fileOf)) if (other !== file) removeFile(other);
      for (const old of numbered('\\.damaged').slice(1)) removeFile(`${fileOf(old)}.damaged`);
    },
  };
};
