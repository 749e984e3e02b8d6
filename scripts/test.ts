import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

// `npm test`: all suites, in four processes at a time, because those that drive real clients, servers and disks mostly wait for them.
// Arguments go to one mocha as they are: `npm test -- test/oci/digest.spec.ts`.

const MOCHA = fileURLToPath(new URL('../node_modules/mocha/bin/mocha.js', import.meta.url));
const ROOT = fileURLToPath(new URL('../', import.meta.url));

const COMBINATIONS = 'test/http/combinations.spec.ts';
/** The suites that compute, and those that wait; each lane takes about as long as the others. */
const LANES = [
  ['test/*.spec.ts', 'test/!(e2e|blobs)/**/*.spec.ts', '--ignore', COMBINATIONS],
  [COMBINATIONS, 'test/blobs/**/*.spec.ts'],
  ['test/e2e/[a-l]*.spec.ts'],
  ['test/e2e/[m-z]*.spec.ts'],
] as const;

/** The last line of our reporter. */
const SUMMARY = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

type Counts = Readonly<{ passed: number; failed: number; skipped: number }>;
type Ended = Readonly<{ code: number; counts: Counts | undefined; failures: readonly string[] }>;
type Lane = Readonly<{ ended: Promise<Ended>; show: () => void }>;

/** Where mocha begins to say what failed; it goes on to the end of its output. */
const FAILING = /^ {2}\d+ failing$/;
/** Most lines about failures that are shown a second time. */
const MOST_REPEATED = 400;

const start = (args: readonly string[]): Lane => {
  const child = spawn(process.execPath, [MOCHA, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  const held: string[] = [];
  const failures: string[] = [];
  let counts: Counts | undefined;
  let print = (line: string): void => void held.push(line);
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const [, passed, failed, skipped] = SUMMARY.exec(line) ?? [];
    if (passed !== undefined) counts = { passed: Number(passed), failed: Number(failed), skipped: Number(skipped) };
    if (failures.length > 0 || FAILING.test(line)) failures.push(line);
    print(line);
  });
  const read = new Promise<void>((resolve) => lines.once('close', () => resolve()));
  const exit = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => child.kill(signal));
  return {
    ended: Promise.all([exit, read]).then(([code]) => ({ code, counts, failures })),
    show: () => {
      print = (line) => console.log(line);
      for (const line of held.splice(0)) console.log(line);
    },
  };
};

/** One after the other on the screen, each as it comes. */
const runAll = async (): Promise<number> => {
  const lanes = LANES.map((args) => start(args));
  const total = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  let worst = 0;
  for (const { show, ended } of lanes) {
    show();
    const { code, counts, failures: ofLane } = await ended;
    worst = Math.max(worst, code);
    failures.push(...ofLane.slice(0, MOST_REPEATED));
    if (counts === undefined) {
      console.log('These suites ended without a result.');
      worst = Math.max(worst, 1);
    }
    for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counts?.[key] ?? 0;
  }
  // Again, because what failed in the first lane stands far above the end, which is what people see.
  for (const line of failures) console.log(line);
  console.log(`\nAll suites:\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return worst;
};

const runSome = async (args: readonly string[]): Promise<number> => {
  const child = spawn(process.execPath, [MOCHA, ...args], { cwd: ROOT, stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
};

const args = process.argv.slice(2);
process.exitCode = await (args.length === 0 ? runAll() : runSome(args));
