import { isPrefixGlob } from '../oci/names.ts';

/** Whether a glob of an access token or a grant, an exact name or `prefix/*`, is about this repository. */
export const covers = (glob: string, name: string): boolean =>
  isPrefixGlob(glob) ? name.length >= glob.length && name.startsWith(glob.slice(0, -1)) : glob === name;

/** Prefixes in byte order, without those that stand under another one. */
export const mergedPrefixes = (prefixes: readonly string[]): readonly string[] => {
  const merged: string[] = [];
  for (const prefix of [...prefixes].sort((one, other) => (one < other ? -1 : 1))) {
    const last = merged.at(-1);
    if (last === undefined || !prefix.startsWith(last)) merged.push(prefix);
  }
  return merged;
};
