import type { AccessEntry } from '../events/access.ts';

/** The access log, as far as requests need it. Each call gives a promise only where the answer has to wait for its record. */
export type AccessRecords = Readonly<{
  record: (entry: AccessEntry) => Promise<void> | undefined;
  /** A refusal: the same too often is only counted. */
  refused: (entry: AccessEntry) => Promise<void> | undefined;
}>;
