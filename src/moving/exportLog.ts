import type { EventLog } from '../events/log/log.ts';
import { goOn } from './cannotMove.ts';
import { footerLine, headerLine } from './format.ts';
import { eventsIn, type Fingerprint, fingerprinting, lineOf, mustBeUnder } from './moved.ts';
import { type OnProgress, PROGRESS_EVERY } from './progress.ts';

export type Exporting = Readonly<{
  log: Pick<EventLog, 'readAll' | 'head'>;
  /** How many events the log has, where that is known. */
  total?: number | undefined;
  release: string;
  streamPrefix: string;
  onProgress?: OnProgress | undefined;
  signal?: AbortSignal | undefined;
}>;

/** Every line of the export of a log as it is now, in order. The same log gives the same lines. */
export async function* linesIn(exporting: Exporting): AsyncGenerator<string, Fingerprint> {
  const { log, total, release, streamPrefix, onProgress = () => undefined, signal } = exporting;
  const found = fingerprinting();
  yield headerLine(release, streamPrefix);
  for await (const event of eventsIn(log)) {
    goOn(signal, `${found.events()} events are written`);
    mustBeUnder(streamPrefix, event);
    const line = lineOf(event);
    found.add(line);
    yield line;
    if (found.events() % PROGRESS_EVERY === 0) onProgress({ doing: 'Exporting', done: found.events(), of: total });
  }
  onProgress({ doing: 'Exporting', done: found.events(), of: total, finished: true });
  yield footerLine(found.result());
  return found.result();
}
