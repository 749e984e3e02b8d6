import { sectionOf } from './lines.ts';
import { type Row, VERSIONS, type Version } from './row.ts';
import type { Outcome } from './runner.ts';

export type Told = Readonly<{ row: Row; outcome: Outcome }>;
export type Counts = Readonly<{ passed: number; failed: number; notApplicable: number }>;

const countsOf = (told: readonly Told[]): Counts => {
  const count = (is: Outcome['is']): number => told.filter(({ outcome }) => outcome.is === is).length;
  return { passed: count('passed'), failed: count('failed'), notApplicable: count('notApplicable') };
};

export const summaryOf = (told: readonly Told[]): Readonly<Record<Version, Counts>> => {
  const of = (version: Version): Counts => countsOf(told.filter(({ row }) => row.asks === version));
  return { '1.1': of('1.1'), dev: of('dev'), clients: of('clients') };
};

const VERSION_NAMES: Readonly<Record<Version, string>> = {
  '1.1': 'OCI distribution 1.1',
  dev: 'its development version',
  clients: 'what clients expect',
};

const inWords = ({ passed, failed, notApplicable }: Counts): string =>
  `${passed} passed, ${failed} failed, ${notApplicable} not applicable`;

const failureLines = ({ row, outcome }: Told): readonly string[] => {
  if (outcome.is !== 'failed') return [];
  const { asked, expected, got, problems } = outcome;
  return [
    `  ✘ ${row.line}: ${row.it}`,
    `      asked     ${asked}`,
    `      expected  ${expected}`,
    `      got       ${got}`,
    ...problems.map((problem) => `      because   ${problem}`),
  ];
};

/** One line for each reason: why, and for how many rows. */
const notApplicableLines = (told: readonly Told[]): readonly string[] => {
  const why = told.flatMap(({ outcome }) => (outcome.is === 'notApplicable' ? [outcome.why] : []));
  return [...Map.groupBy(why, (reason) => reason)].map(([reason, { length }]) => `  – not applicable: ${reason} (${length})`);
};

/** What came of one section, for people. */
export const sectionText = (section: string, told: readonly Told[]): string =>
  [
    section,
    ...told.flatMap(failureLines),
    ...notApplicableLines(told),
    `  ${countsOf(told).failed === 0 ? '✔' : '✘'} ${inWords(countsOf(told))}`,
  ].join('\n');

export const summaryText = (told: readonly Told[]): string => {
  const summary = summaryOf(told);
  const width = Math.max(...Object.values(VERSION_NAMES).map(({ length }) => length));
  return [
    'Summary',
    ...VERSIONS.map((version) => `  ${VERSION_NAMES[version].padEnd(width)}  ${inWords(summary[version])}`),
  ].join('\n');
};

/** Rows by their section, in the order in which sections come first. */
export const sectionsOf = (rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> =>
  Map.groupBy(rows, ({ line }) => sectionOf(line));

/** For machines: everything but the passwords. */
export const jsonOf = (url: string, told: readonly Told[]): string =>
  `${JSON.stringify(
    {
      url,
      summary: summaryOf(told),
      rows: told.map(({ row: { line, it, asks }, outcome }) => ({ line, it, asks, ...outcome })),
    },
    undefined,
    2,
  )}\n`;
