import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';

/** Source texts by path, e.g. `src/oci/digest.ts`. */
export type Sources = Readonly<Record<string, string>>;

/**
 * One way in which a file names another module. `target` is a path from the root for a relative name, else the bare name of a
 * library (`node:fs`, `@scope/name`). `kind` says whether the module is loaded for the importer (`static`, also of types alone),
 * on demand, or as another thread's entry.
 */
export type Import = Readonly<{ from: string; target: string; kind: 'static' | 'dynamic' | 'worker' }>;

// Anchored to the beginning of a line, so that what stands in a comment or a template is not mistaken for an import: the
// formatter puts every import and re-export there. Whatever the patterns see too much is a loud false alarm, never a silent miss.
const STATIC = /^(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)['"]/gm;
const BARE = /^import\s*['"]([^'"]+)['"]/gm;
const DYNAMIC = /\bimport\s*\(\s*(?:['"`]([^'"`$]+)['"`]\s*[,)])?/g;
const WORKER = /\bnew\s+URL\(\s*['"`]([^'"`]+\.[mc]?[tj]s)['"`]\s*,\s*import\.meta\.url/g;
const COMMENT_LINE = /^\s*(?:\/\/|\/\*|\*).*$/gm;

/** What stands for a dynamic import whose name is computed. */
export const COMPUTED = '(computed)';

/** The text without its comment lines. A comment after code on the same line stays. */
export const withoutComments = (text: string): string => text.replace(COMMENT_LINE, '');

const libraryOf = (name: string): string =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');

const targetOf = (from: string, name: string): string =>
  name.startsWith('.') ? posix.join(posix.dirname(from), name) : libraryOf(name);

const matches = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map(([, name]) => name ?? COMPUTED);

/** Every module that a file names. */
export const importsOf = (from: string, source: string): readonly Import[] => {
  const text = withoutComments(source);
  const found = (kind: Import['kind'], ...patterns: readonly RegExp[]): Import[] =>
    patterns.flatMap((pattern) => matches(text, pattern).map((name) => ({ from, target: targetOf(from, name), kind })));
  return [...found('static', STATIC, BARE), ...found('dynamic', DYNAMIC), ...found('worker', WORKER)];
};

/** The files along one import cycle, the first again at the end, or undefined. */
export const cycleIn = (imports: readonly Import[]): readonly string[] | undefined => {
  const next = Map.groupBy(
    // A worker's entry is loaded by another thread, so naming it closes no cycle.
    imports.filter(({ kind }) => kind !== 'worker'),
    ({ from }) => from,
  );
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const { target } of next.get(file) ?? []) {
      const cycle = visit(target, [...path, file]);
      if (cycle !== undefined) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of next.keys()) {
    const cycle = visit(file, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
};

/** The TypeScript files under `folder` of the project at `root`. */
export const readSources = (root: URL, folder: string): Sources =>
  Object.fromEntries(
    readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => posix.join(folder, file.replaceAll('\\', '/')))
      .map((file) => [file, readFileSync(new URL(file, root), 'utf8')]),
  );
