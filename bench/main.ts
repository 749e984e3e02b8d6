import { readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { installed, run as runProgram } from '../test/support/processes.ts';
import { type Figure, type Verdict, verdictOn } from './figures.ts';

/**
 * `npm run bench`: every question, or those that are named (`npm run bench -- http`). `--save` writes what came out to RESULTS.md,
 * where all were asked.
 */

type Bench = Readonly<{ run: () => Promise<readonly Figure[]> }>;
type Row = Figure & Verdict;

const SUFFIX = '.bench.ts';
/** Characters of a failure: a registry that does not start tells all that it logged. */
const MOST_SHOWN = 2000;
const FOLDER = new URL('./', import.meta.url);

const allNames = (): readonly string[] =>
  readdirSync(FOLDER)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();

const NOTES: readonly (readonly [program: string, note: string])[] = [
  ['docker-registry', 'docker-registry is not installed: there is nothing to compare with, figures over HTTP are absolute.'],
  ['wrk', 'wrk is not installed: manifest GETs are left out.'],
];

const missing = (): readonly string[] => NOTES.filter(([program]) => !installed(program)).map(([, note]) => note);

const machine = async (): Promise<string> => {
  const peer = installed('docker-registry')
    ? `, docker-registry ${(await runProgram('docker-registry', ['--version'])).split(' ').at(-1)}`
    : '';
  return `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}${peer}`;
};

const show = (rows: readonly Row[]): void => {
  const width = (of: (row: Row) => string): number => Math.max(0, ...rows.map((row) => of(row).length)) + 2;
  const widths = { question: width(({ question }) => question), figure: width(({ figure }) => figure) };
  for (const { question, figure, target, met } of rows) {
    const verdict = target === '' ? '' : `${target.padEnd(20)}${met}`;
    console.log(`  ${question.padEnd(widths.question)}${figure.padEnd(widths.figure)}${verdict}`.trimEnd());
  }
  console.log();
};

/** A bench that fails is told, and the others go on. */
const ask = async (name: string): Promise<readonly Row[]> => {
  console.log(`${name} …`);
  try {
    const { run } = (await import(new URL(`${name}${SUFFIX}`, FOLDER).href)) as Bench;
    const rows = (await run()).map((figure) => ({ ...figure, ...verdictOn(figure) }));
    show(rows);
    return rows;
  } catch (error) {
    console.error(
      `  failed: ${(error instanceof Error ? (error.stack ?? error.message) : String(error)).slice(0, MOST_SHOWN)}\n`,
    );
    process.exitCode = 1;
    return [];
  }
};

const save = async (rows: readonly Row[]): Promise<void> => {
  const lines = rows.map(({ question, figure, target, met }) => `| ${question} | ${figure} | ${target} | ${met} |`);
  const text = [
    '# Results of the benches',
    '',
    `${new Date().toISOString().slice(0, 10)}, ${await machine()}. Written by \`npm run bench -- --save\`.`,
    '',
    'Manifests, pulls and pushes are multiples of docker-registry (= 1), measured in turns in the same run; in brackets this registry : docker-registry.',
    'This registry runs with authentication on and its default log level, docker-registry without authentication and access log.',
    ...missing(),
    '',
    '| question | figure | target | met |',
    '| --- | --- | --- | --- |',
    ...lines,
    '',
  ];
  writeFileSync(new URL('RESULTS.md', FOLDER), text.join('\n'));
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { save: { type: 'boolean', default: false } } });
const names = positionals.length > 0 ? positionals : allNames();
const unknown = names.filter((name) => !allNames().includes(name));
if (unknown.length > 0 || (values.save && positionals.length > 0)) {
  console.error(`Usage: npm run bench [-- NAME…] | npm run bench -- --save\nNames: ${allNames().join(', ')}`);
  process.exit(64);
}

console.log(`${await machine()}\n`);
for (const note of missing()) console.log(`${note}\n`);
const rows: Row[] = [];
for (const name of names) rows.push(...(await ask(name)));
if (values.save && process.exitCode === undefined) await save(rows);
