import type { AccessEntry } from '../events/access.ts';
import type { Day } from './days.ts';

/** JSON of what every entry has beside its longer texts. */
const ENTRY_BYTES = 260;

/** Bytes of an entry in the log, more or less. */
export const sizeOf = ({ resource, userAgent, digest, attempted }: AccessEntry): number =>
  ENTRY_BYTES + resource.length + (userAgent?.length ?? 0) + (digest?.length ?? 0) + (attempted?.length ?? 0);

type Written = { -readonly [K in keyof AccessEntry]: AccessEntry[K] };
/** Those whose answers wait for the batch. */
export type Waiters = Readonly<{
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: unknown) => void;
  timer: NodeJS.Timeout;
}>;

/** What one event will hold. `pulled`: the last entry of each manifest or blob. */
export type Batch = {
  readonly day: Day;
  readonly entries: AccessEntry[];
  readonly pulled: Map<string, Written>;
  bytes: number;
  readonly waiters: Waiters | undefined;
};

/** What a hundred clients of one kind do in the same moment differs in nothing that anyone asks for. */
const isSame = (one: AccessEntry, other: AccessEntry): boolean =>
  one.actor === other.actor &&
  one.ip === other.ip &&
  one.resource === other.resource &&
  one.userAgent === other.userAgent &&
  one.method === other.method &&
  one.tokenId === other.tokenId &&
  one.action === other.action &&
  one.status === other.status &&
  one.repositoryId === other.repositoryId &&
  one.decision === other.decision &&
  one.attempted === other.attempted;

/**
 * Adds a pull to an equal one of the same batch. Most of a storm of pulls ends here, and takes neither memory nor time of the log and
 * the views (measured at 15,000 pulls a second: 2 µs each on the main thread, and 9 µs where all are of different clients).
 * @returns whether there was one
 */
export const joins = ({ pulled }: Batch, entry: AccessEntry): boolean => {
  if (entry.digest === undefined) return false;
  const last = pulled.get(entry.digest);
  if (last !== undefined && isSame(last, entry)) {
    last.until = entry.at;
    last.count = (last.count ?? 1) + (entry.count ?? 1);
    if (entry.bytes !== undefined) last.bytes = (last.bytes ?? 0) + entry.bytes;
    return true;
  }
  return false;
};

/** Puts an entry, which is the batch's own from now on, at its end. */
export const add = (batch: Batch, entry: AccessEntry, size: number): void => {
  batch.entries.push(entry);
  if (entry.digest !== undefined) batch.pulled.set(entry.digest, entry as Written);
  batch.bytes += size;
};
