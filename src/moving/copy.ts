import { setTimeout as wait } from 'node:timers/promises';
import { AppendOutcomeUnknown, type EventLog, WrongExpectedRevision } from '../events/log/log.ts';
import { CannotMove, goOn, refused } from './cannotMove.ts';
import { eventsIn, type Fingerprint, fingerprinting, lineOf, type Moved, mustBeUnder, nameOf } from './moved.ts';
import { type OnProgress, PROGRESS_EVERY } from './progress.ts';
import { newRun } from './runs.ts';
import { verify } from './verify.ts';

export type Copying = Readonly<{
  /** Every event of the source in order, each time it is called. */
  events: () => AsyncIterable<Moved>;
  /** How many those are, where that is known; and what they are, where somebody else has vouched for it. */
  total?: number | undefined;
  expected?: Fingerprint;
  target: EventLog;
  /** What the names of all streams begin with, on both sides. */
  streamPrefix: string;
  onProgress?: OnProgress;
  signal?: AbortSignal | undefined;
  /** Between two attempts at an append whose outcome is unknown. */
  pause?: (ms: number) => Promise<unknown>;
}>;

/** What is on the other side now; `alreadyThere` of the events were before. */
export type Copied = Fingerprint & Readonly<{ alreadyThere: number }>;

const ATTEMPTS = 8;
const FIRST_PAUSE_MS = 100;

/** Again with the same ids and the same expectation, which writes nothing twice. */
const appendRun = async (target: EventLog, run: readonly Moved[], pause: (ms: number) => Promise<unknown>): Promise<void> => {
  const [first] = run;
  if (first === undefined) return;
  const events = run.map(({ id, type, data, metadata }) => ({ id, type, data, metadata }));
  for (let attempt = 1; ; attempt++) {
    try {
      await target.append(first.stream, first.revision - 1, events);
      return;
    } catch (error) {
      if (error instanceof WrongExpectedRevision) throw outOfPlace(first, error);
      if (!(error instanceof AppendOutcomeUnknown) || attempt === ATTEMPTS) throw notTaken(first, error);
      await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
    }
  }
};

const notTaken = (event: Moved, cause: unknown): CannotMove => {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `The other side could not take ${nameOf(event)}: ${why} Run the same command again: it goes on there.`;
  return new CannotMove('stopped', message, { cause });
};

const outOfPlace = (event: Moved, error: WrongExpectedRevision): CannotMove => {
  const place = `${nameOf(event)}: there the stream is at revision ${error.actual}`;
  return new CannotMove(
    'different',
    `The other side did not take ${place}. Either somebody else writes to it, or the source is not in order.`,
    { cause: error },
  );
};

const otherLog = (number: number, event: Moved, there: Moved): CannotMove =>
  refused(
    `The other side holds another log: its event ${number} is ${nameOf(there)}, not ${nameOf(event)}. Nothing was written. Move into an empty log, or into one that an earlier attempt left.`,
  );

const moreThere = (number: number): CannotMove =>
  refused(`The other side has more events than the ${number} of the source, so it is the newer one. Nothing was written.`);

/**
 * Appends to the target what it does not have yet, in the order of the source, and then reads all of it back. A target that begins as
 * the source does is gone on with; any other is refused before anything is written.
 *
 * @throws CannotMove
 */
export const copy = async (copying: Copying): Promise<Copied> => {
  const { events, total, target, onProgress = () => undefined, signal } = copying;
  const found = fingerprinting();
  const alreadyThere = await appendMissing(copying, found);
  onProgress({ doing: 'Copying', done: found.events(), of: total, finished: true });
  const expected = copying.expected ?? found.result();
  await verify({ target, expected, events, onProgress, signal });
  return { ...expected, alreadyThere };
};

const appendMissing = async (copying: Copying, found: ReturnType<typeof fingerprinting>): Promise<number> => {
  const { events, total, target, streamPrefix, onProgress = () => undefined, signal, pause = wait } = copying;
  const held = eventsIn(target);
  const run = newRun();
  let alreadyThere = 0;
  let appended = 0;
  let comparing = true;
  let told = 0;

  const isThere = async (event: Moved): Promise<boolean> => {
    if (!comparing) return false;
    const there = await held.next();
    comparing = there.done !== true;
    if (there.done === true) return false;
    const { id, stream, revision } = there.value;
    if (id !== event.id || stream !== event.stream || revision !== event.revision)
      throw otherLog(alreadyThere + 1, event, there.value);
    alreadyThere += 1;
    return true;
  };

  const append = async (): Promise<void> => {
    const events = run.take();
    await appendRun(target, events, pause);
    appended += events.length;
  };

  const tell = (): void => {
    if (found.events() - told < PROGRESS_EVERY) return;
    told = found.events();
    onProgress({ doing: comparing ? 'Comparing' : 'Copying', done: told, of: total });
  };

  for await (const event of events()) {
    goOn(signal, `the other side has the first ${alreadyThere + appended} events. Run the same command again to go on`);
    mustBeUnder(streamPrefix, event);
    const line = lineOf(event);
    if (!(await isThere(event))) {
      const bytes = Buffer.byteLength(line);
      if (!run.takes(event, bytes)) await append();
      run.add(event, bytes);
    }
    found.add(line);
    tell();
  }
  await append();
  if (comparing && (await held.next()).done !== true) throw moreThere(found.events());
  return alreadyThere;
};
