import { writeFile } from 'node:fs/promises';
import { UsageError } from '../../src/usageError.ts';
import { challengeOf } from './login.ts';
import { type Options, optionsFrom, USAGE } from './options.ts';
import { jsonOf, sectionsOf, sectionText, summaryOf, summaryText, type Told } from './report.ts';
import type { Row } from './row.ts';
import { ROWS } from './rows/all.ts';
import { runRow, type Target } from './runner.ts';
import { type Wire, wireTo } from './wire.ts';

/** Exit codes: 64 is sysexits' EX_USAGE. */
const PASSED = 0;
const FAILED = 1;
const EX_USAGE = 64;

/** Rows have nothing to do with each other, and registries mostly wait for their disks. */
const ROWS_AT_ONCE = 4;

type Print = (text: string) => void;

const runSection = async (target: Target, rows: readonly Row[]): Promise<readonly Told[]> => {
  const told: Told[] = [];
  const left = rows.entries();
  const lane = async (): Promise<void> => {
    for (const [number, row] of left) told[number] = { row, outcome: await runRow(target, row) };
  };
  await Promise.all(Array.from({ length: ROWS_AT_ONCE }, lane));
  return told;
};

/** The registry, if it can be asked at all. @throws Error in words for people */
const targetFor = async ({ url, account, stranger, prefix, keep }: Options, wire: Wire): Promise<Target> => {
  const challenge = await challengeOf(wire).catch((error: Error) => {
    throw new Error(`There is no answer from ${url}: ${error.message || String((error as NodeJS.ErrnoException).code)}`);
  });
  if (challenge.kind !== 'none' && account === undefined)
    throw new UsageError(`${url} asks for a login: --username NAME, and its password in GHOSTDOCK_CONFORMANCE_PASSWORD.`);
  return {
    wire,
    challenge,
    prefix,
    keep,
    ...(account !== undefined && { account }),
    ...(stranger !== undefined && { stranger }),
  };
};

const runAll = async (options: Options, print: Print): Promise<number> => {
  const { url, only = '', prefix, account, json } = options;
  const rows = ROWS.filter(({ line, it }) => `${line}: ${it}`.toLowerCase().includes(only.toLowerCase()));
  if (rows.length === 0) throw new UsageError(`No row has ${only} in its name.`);
  const wire = wireTo(url);
  try {
    const target = await targetFor(options, wire);
    print(`${rows.length} rows against ${url} as ${account?.username ?? 'nobody'}, in repositories below ${prefix}\n`);
    const told: Told[] = [];
    for (const [section, ofSection] of sectionsOf(rows)) {
      const ofThis = await runSection(target, ofSection);
      told.push(...ofThis);
      print(`${sectionText(section, ofThis)}\n`);
    }
    print(summaryText(told));
    if (json !== undefined) await writeFile(json, jsonOf(url, told));
    return Object.values(summaryOf(told)).some(({ failed }) => failed > 0) ? FAILED : PASSED;
  } finally {
    wire.close();
  }
};

const isUsage = (error: Error): boolean =>
  error instanceof UsageError || String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');

/** `npm run conformance`: every row of the fact sheet against any registry. @returns the exit code */
export const conformance = async (
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  print: Print,
  complain: Print,
): Promise<number> => {
  try {
    const options = optionsFrom(args, env);
    if (options !== undefined) return await runAll(options, print);
    print(USAGE);
    return PASSED;
  } catch (error) {
    complain((error as Error).message);
    return isUsage(error as Error) ? EX_USAGE : FAILED;
  }
};
