import type { AccessEvents } from '../events/access.ts';
import type { EventLog } from '../events/log/log.ts';
import type { AccessSeal } from '../projections/accessSeals.ts';
import { type Reads, sealOf } from './dayRecords.ts';
import type { Day } from './days.ts';

/**
 * How the records of a day are to their seal. `dropped`: the retention is over, and they are gone as they should be. `missing`: they are
 * gone, and should not be. `different`: they are not what was sealed.
 */
export type Finding = 'asSealed' | 'dropped' | 'missing' | 'different';
export type Verified = Readonly<{ seal: AccessSeal; finding: Finding; found: AccessSeal }>;

export type VerifyOptions = Reads &
  Readonly<{
    facts: Pick<EventLog, 'readStream'>;
    /** The facts' stream of the seals. */
    seals: string;
    /** That day alone; absent: all that are sealed. */
    day?: Day;
  }>;

const PAGE = 500;

async function* sealsIn({ facts, seals }: Pick<VerifyOptions, 'facts' | 'seals'>): AsyncGenerator<AccessSeal> {
  for (let from = 0; ; from += PAGE) {
    const page = await facts.readStream(seals, { from, limit: PAGE });
    for (const { data } of page) yield data as AccessSeal;
    if (page.length < PAGE) return;
  }
}

const findingOf = (seal: AccessSeal, found: AccessSeal, droppedUpTo: Day): Finding => {
  if (found.root === seal.root && found.events === seal.events && found.entries === seal.entries) return 'asSealed';
  if (found.events > 0) return 'different';
  return seal.day <= droppedUpTo ? 'dropped' : 'missing';
};

/** Computes the seals of days anew from what is recorded, one after the other, and compares. */
export async function* verifyDays(options: VerifyOptions): AsyncGenerator<Verified> {
  const { log, streams, day } = options;
  const [last] = await log.readStream(streams.sums, { direction: 'backwards', limit: 1 });
  const droppedUpTo = (last?.data as AccessEvents['AccessDaySummed'] | undefined)?.day ?? '';
  for await (const seal of sealsIn(options)) {
    if (day !== undefined && seal.day !== day) continue;
    const found = await sealOf({ log, streams }, seal.day);
    yield { seal, found, finding: findingOf(seal, found, droppedUpTo) };
  }
}
