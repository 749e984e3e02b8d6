import { readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';

/** The files of the checkout that an operator gets. */

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Every file below a folder, as paths from the root of the checkout. */
export const filesIn = (folder: string): readonly string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length));

/** Anything that YAML can hold, asked for by path. */
export type Yaml = Readonly<Record<string, unknown>>;

/** Duplicate keys and unknown anchors are errors; `<<` merges, as compose reads it. */
export const yamlIn = (path: string): Yaml => parse(textOf(path), { merge: true }) as Yaml;

export const documentsIn = (path: string): readonly Yaml[] =>
  parseAllDocuments(textOf(path)).map((document) => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors[0]}`);
    return document.toJS() as Yaml;
  });

/** What stands at a path such as `spec.template.spec`, or undefined. */
export const at = <T>(value: unknown, path: string): T | undefined =>
  path.split('.').reduce<unknown>((held, name) => (held as Yaml | undefined)?.[name], value) as T | undefined;

/** Like `at`, for what may be missing: then there is none of it. */
export const listAt = <T = Yaml>(value: unknown, path: string): readonly T[] => at<readonly T[]>(value, path) ?? [];

/** The release that this is, and the image that it is built as. */
export const RELEASE = (JSON.parse(textOf('package.json')) as { version: string }).version;
export const IMAGE = `ghostdock-registry:${RELEASE}`;

/** Where `scripts/installOpsTools.sh` puts what is no package of the system. */
const TOOLS = join(ROOT, '.tools', 'ops', 'bin');
process.env.PATH = [process.env.PATH, TOOLS].join(delimiter);
