import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { canonicalJson } from '../../src/events/canonical.ts';
import type { NewEvent, Recorded } from '../../src/events/event.ts';
import type { EventLog } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { digestOf } from '../../src/oci/digest.ts';

export const PREFIX = 'moved';

export type Append = Readonly<{ stream: string; expected: number; events: readonly NewEvent[] }>;

const uuidOf = (number: number): string => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;

/** A fact that the catalogue knows, of as many bytes as wanted. */
export const factOf = (number: number, note = ''): NewEvent => ({
  id: uuidOf(number),
  type: 'SigningKeyRotated',
  data: { keyId: `key-${number}`, algorithm: 'HS256' },
  metadata: {
    actor: { kind: 'system', id: 'registry' },
    requestId: `request-${note}`.slice(0, 64),
    correlationId: 'ü💙',
    at: new Date(Date.UTC(2026, 0, 1) + number).toISOString(),
    version: 1,
  },
});

const reference = { digest: digestOf('a layer'), size: 1, role: 'layer' } as const;

/** A fact of some 110 bytes for each reference. */
const manifestOf = (number: number, references: number): NewEvent => ({
  ...factOf(number),
  type: 'ManifestPushed',
  data: {
    repositoryId: 'r1',
    repository: 'team/app',
    digest: digestOf(String(number)),
    size: 1,
    mediaType: 'application/json',
    references: Array(references).fill(reference),
  },
});

/** Appends of a few events each to a few streams, with now and then large ones. */
export const histories = (most: { appends: number; events: number }): fc.Arbitrary<readonly Append[]> => {
  const append = fc.record({ stream: fc.nat(3), count: fc.integer({ min: 1, max: most.events }), large: fc.nat(9) });
  return fc.array(append, { maxLength: most.appends }).map((orders) => {
    const revisions = new Map<string, number>();
    let made = 0;
    return orders.map(({ stream: n, count, large }) => {
      const stream = `${PREFIX}.repository-team/app-${n}`;
      const expected = revisions.get(stream) ?? -1;
      revisions.set(stream, expected + count);
      const references = Math.min(3500, Math.floor(6000 / count));
      const events = Array.from({ length: count }, () => {
        made += 1;
        return large === 0 ? manifestOf(made, references) : factOf(made);
      });
      return { stream, expected, events };
    });
  });
};

export const logOf = async (appends: readonly Append[]): Promise<EventLog> => {
  const log = await sqliteEventLog(':memory:');
  for (const { stream, expected, events } of appends) await log.append(stream, expected, events);
  return log;
};

/** One event an append, in the order of their numbers, each to the stream that is named. */
export const oneByOne = (streams: readonly string[]): readonly Append[] => {
  const revisions = new Map<string, number>();
  return streams.map((name, index) => {
    const stream = `${PREFIX}.${name}`;
    const expected = revisions.get(stream) ?? -1;
    revisions.set(stream, expected + 1);
    return { stream, expected, events: [factOf(index)] };
  });
};

export const withoutPositions = (events: readonly Recorded[]): readonly unknown[] =>
  events.map(({ position: _, ...event }) => event);

/** Told here once more, so that the code under test does not judge itself. */
export const sha256Of = (events: readonly Recorded[]): string => {
  const hash = createHash('sha256');
  for (const { id, type, stream, revision, data, metadata } of events)
    hash.update(`${canonicalJson({ id, type, stream, revision, data, metadata })}\n`);
  return hash.digest('hex');
};
