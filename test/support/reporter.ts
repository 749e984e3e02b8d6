import { relative } from 'node:path';
import Mocha from 'mocha';

const REASON = Symbol.for('ghostdock.skipReason');
type Reasoned = { [REASON]?: string };

/**
 * Skips the suite whose `describe` callback calls it, unless `met`: the reporter shows the reason. Call it first, so that the
 * suite's hooks are not run either. The first unmet condition is the reason shown.
 */
export const requires = (suite: Mocha.Suite, met: boolean, reason: string): void => {
  if (met || suite.isPending()) return;
  suite.pending = true;
  (suite as Reasoned)[REASON] = reason;
};

/** Skips the suite whose `describe` callback calls it. */
export const skipSuite = (suite: Mocha.Suite, reason: string): void => requires(suite, false, reason);

/** Skips the running test, or from a `before` hook the whole suite, for what only shows while it runs. */
export const skipTest = (context: Mocha.Context, reason: string): never => {
  const runnable = context.test;
  const skipped = runnable !== undefined && 'type' in runnable && runnable.type === 'hook' ? runnable.parent : runnable;
  if (skipped !== undefined) (skipped as Reasoned)[REASON] = reason;
  context.skip();
  throw new Error('unreachable: skip() throws');
};

type Ancestor = Readonly<{ title: string; parent?: Mocha.Suite | undefined }>;

/** The nearest suite or test upwards that has a reason: what was skipped as one, and why. */
const reasonOf = (test: Mocha.Test): Readonly<{ what: string; reason: string }> => {
  for (let at: (Ancestor & Reasoned) | undefined = test; at !== undefined; at = at.parent) {
    const reason = at[REASON];
    if (reason !== undefined) return { what: 'fullTitle' in at ? (at as Mocha.Suite).fullTitle() : at.title, reason };
  }
  return { what: test.fullTitle(), reason: 'no reason was given' };
};

/** What was skipped, why, and how many tests that were. */
const skippedIn = (tests: readonly Mocha.Test[]): readonly string[] =>
  [...Map.groupBy(tests.map(reasonOf), ({ what, reason }) => `${what}: ${reason}`)].map(
    ([line, { length }]) => `${line} (${length} ${length === 1 ? 'test' : 'tests'})`,
  );

/** Most files that are named as the longest, and how long a run takes, in ms, of which that is worth knowing. */
const LONGEST = 15;
const LONG_RUN_MS = 60_000;

/** How long each file took, hooks and all. */
const timesOf = (runner: Mocha.Runner): (() => readonly string[]) => {
  const startedAt = performance.now();
  const began = new Map<Mocha.Suite, number>();
  const times = new Map<string, number>();
  const isOutermost = ({ parent }: Mocha.Suite): boolean => parent?.root === true;
  runner.on('suite', (suite) => {
    if (isOutermost(suite)) began.set(suite, performance.now());
  });
  runner.on('suite end', (suite) => {
    if (!isOutermost(suite)) return;
    const file = relative('.', suite.file ?? '');
    times.set(file, (times.get(file) ?? 0) + performance.now() - (began.get(suite) ?? 0));
  });
  return () => {
    if (performance.now() - startedAt < LONG_RUN_MS) return [];
    const longest = [...times].sort(([, one], [, other]) => other - one).slice(0, LONGEST);
    return longest.map(([file, ms]) => `${Math.round(ms / 1000)} s: ${file}`);
  };
};

/** How long the process may go on after its last test, in ms. */
const GRACE_MS = 60_000;

/** What a test has left running would hold up the whole run: it ends as failed instead, and says what is still open. */
const endInTime = (): void => {
  const overdue = (): void => {
    const open = [...new Set(process.getActiveResourcesInfo())].join(', ');
    process.stderr.write(`A minute after its last test the process still has something open: ${open}.\n`);
    process.exit(1);
  };
  setTimeout(overdue, GRACE_MS).unref();
};

/**
 * Mocha's `spec`, then of a long run what took longest, everything that was skipped with its reason, and as the very last line the numbers, in the plain form that
 * machines read: `12 passed, 0 failed, 3 skipped`.
 */
export default class Reporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const skipped: Mocha.Test[] = [];
    const longest = timesOf(runner);
    runner.on('pending', (test) => skipped.push(test));
    // Registered after the parent's own, and so printed after its summary.
    runner.once('end', () => {
      const { passes = 0, failures = 0 } = runner.stats ?? {};
      const files = longest().map((line) => `    - ${line}\n`);
      if (files.length > 0) process.stdout.write(`  What took longest:\n${files.join('')}\n`);
      const lines = skippedIn(skipped).map((line) => `    - ${line}\n`);
      if (lines.length > 0) process.stdout.write(`  Skipped, and why:\n${lines.join('')}\n`);
      process.stdout.write(`${passes} passed, ${failures} failed, ${skipped.length} skipped\n`);
      endInTime();
    });
  }
}
