import { setImmediate as turn } from 'node:timers/promises';
import type { AccessEvents } from '../events/access.ts';
import { leafOf } from '../events/canonical.ts';
import type { Recorded } from '../events/event.ts';
import type { EventLog } from '../events/log/log.ts';
import type { AccessStreams } from '../events/streams.ts';
import type { AccessSeal } from '../projections/accessSeals.ts';
import type { Day } from './days.ts';
import { merkleTree } from './merkle.ts';

export type DayRecord = Recorded<'AccessRecorded', AccessEvents['AccessRecorded']>;
export type Reads = Readonly<{
  log: Pick<EventLog, 'readStream'>;
  streams: AccessStreams;
  /** Ends a long read: it throws the reason then. */
  signal?: AbortSignal;
}>;

/** Events of a page: up to 48 KiB each. */
const PAGE = 32;

/** What was recorded on a day, in the order of its stream. */
export async function* recordsOf({ log, streams, signal }: Reads, day: Day): AsyncGenerator<DayRecord> {
  let from = 0;
  for (;;) {
    signal?.throwIfAborted();
    const page = await log.readStream(streams.ofDay(day), { from, limit: PAGE });
    for (const event of page) if (event.type === 'AccessRecorded') yield event as DayRecord;
    from = (page.at(-1)?.revision ?? from) + 1;
    if (page.length < PAGE) return;
  }
}

/** What the seal of a day says of its records, computed from them one by one. */
export const sealOf = async (reads: Reads, day: Day): Promise<AccessSeal> => {
  const tree = merkleTree();
  let [events, entries, dropped] = [0, 0, 0];
  for await (const event of recordsOf(reads, day)) {
    tree.add(leafOf(event));
    // The canonical JSON of 48 KiB takes a millisecond or two, and a busy day has many: requests are answered in between.
    await turn();
    events += 1;
    entries += event.data.entries.length;
    dropped += event.data.dropped ?? 0;
  }
  return { day, events, entries, dropped, root: tree.root() };
};
