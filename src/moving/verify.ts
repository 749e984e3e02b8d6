import type { EventLog } from '../events/log/log.ts';
import { CannotMove, goOn } from './cannotMove.ts';
import { eventsIn, type Fingerprint, fingerprinting, lineOf, type Moved, nameOf } from './moved.ts';
import { type OnProgress, PROGRESS_EVERY } from './progress.ts';

type Verifying = Readonly<{
  target: Pick<EventLog, 'readAll' | 'head'>;
  /** What the target has to hold; and the same events, to say which one differs. */
  expected: Fingerprint;
  events: () => AsyncIterable<Moved>;
  onProgress: OnProgress;
  signal?: AbortSignal | undefined;
}>;

const differs = (sentence: string): CannotMove =>
  new CannotMove('different', `${sentence} The other side must not be used as it is.`);

/** Reads both side by side up to the first difference. Only ever called where there is one. */
const firstDifference = async ({ target, events }: Verifying): Promise<CannotMove> => {
  const held = eventsIn(target);
  let number = 0;
  for await (const event of events()) {
    number += 1;
    const there = await held.next();
    if (there.done === true) return differs(`Event ${number} (${nameOf(event)}) is missing on the other side.`);
    if (lineOf(event) !== lineOf(there.value))
      return differs(`Event ${number} differs: here ${nameOf(event)}; on the other side ${nameOf(there.value)}.`);
  }
  if ((await held.next()).done !== true) return differs(`The other side has more events than the ${number} of this one.`);
  return differs('Now both sides are the same, but the source gave something else when it was copied.');
};

/** Reads everything back from the target. @throws CannotMove which names the first event that differs */
export const verify = async (verifying: Verifying): Promise<void> => {
  const { target, expected, onProgress, signal } = verifying;
  const found = fingerprinting();
  for await (const event of eventsIn(target)) {
    goOn(signal, `${found.events()} of ${expected.events} events are verified`);
    found.add(lineOf(event));
    if (found.events() % PROGRESS_EVERY === 0) onProgress({ doing: 'Verifying', done: found.events(), of: expected.events });
  }
  onProgress({ doing: 'Verifying', done: found.events(), of: expected.events, finished: true });
  if (found.result().sha256 !== expected.sha256) throw await firstDifference(verifying);
};
