import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { type Metadata, ORIGIN, type Recorded } from '../event.ts';
import { checkLimit } from './checks.ts';
import type { EventLog } from './log.ts';
import { numberOf, positionOf } from './sqliteEncoding.ts';
import { LAST_POSITION } from './sqliteSchema.ts';

export type Reads = Pick<EventLog, 'readStream' | 'readAll'> &
  Readonly<{
    /** Events after a position's number, in order. */
    page: (after: number, limit: number) => readonly Recorded[];
    /** The number of the newest position, also of an event that was dropped; 0 where there is none. */
    head: () => number;
    counts: () => Readonly<{ reads: number; eventsRead: number }>;
  }>;

const statementsOn = (db: DatabaseSync) => {
  const prepare = (rest: string): StatementSync => {
    const statement = db.prepare(`
      select position, name, revision, lower(hex(events.id)), type, data, metadata
      from events join streams on streams.id = events.stream ${rest}
    `);
    statement.setReturnArrays(true);
    return statement;
  };
  return {
    after: prepare('where position > ? order by position limit ?'),
    before: prepare('where position < ? order by position desc limit ?'),
    streamFrom: prepare('where name = ? and revision >= ? order by revision limit ?'),
    streamUpTo: prepare('where name = ? and revision <= ? order by revision desc limit ?'),
    head: db.prepare(LAST_POSITION),
  };
};

type Row = [position: number, stream: string, revision: number, id: string, type: string, data: string, metadata: string];

const uuidOf = (hex: string): string =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;

// Parsed at once: 2 of the 5 µs that an event takes to read, and nearly every reader looks at data and metadata.
const recordedOf = ([position, stream, revision, id, type, data, metadata]: Row): Recorded => ({
  id: uuidOf(id),
  type,
  data: JSON.parse(data) as unknown,
  metadata: JSON.parse(metadata) as Metadata,
  stream,
  revision,
  position: positionOf(position),
});

/** From this many events on, a page has held the event loop for so long that others get a turn before the next one. */
const LONG_PAGE = 100;

const inTurn = async (events: readonly Recorded[]): Promise<readonly Recorded[]> => {
  if (events.length >= LONG_PAGE) await turn();
  return events;
};

/** Reads on the calling thread, with statements prepared once. */
export const readsOn = (db: DatabaseSync): Reads => {
  const statements = statementsOn(db);
  let reads = 0;
  let eventsRead = 0;

  const query = (statement: StatementSync, ...values: readonly (string | number)[]): readonly Recorded[] => {
    const events = (statement.all(...values) as unknown as readonly Row[]).map(recordedOf);
    reads += 1;
    eventsRead += events.length;
    return events;
  };

  return {
    page: (after, limit) => query(statements.after, after, limit),

    readAll: async ({ direction = 'forwards', limit, after = ORIGIN, before }) => {
      checkLimit(limit);
      if (direction === 'forwards') return inTurn(query(statements.after, numberOf(after), limit));
      return inTurn(query(statements.before, before === undefined ? Number.MAX_SAFE_INTEGER : numberOf(before), limit));
    },

    readStream: async (stream, { direction = 'forwards', limit, from }) => {
      checkLimit(limit);
      if (direction === 'forwards') return inTurn(query(statements.streamFrom, stream, from ?? 0, limit));
      return inTurn(query(statements.streamUpTo, stream, from ?? Number.MAX_SAFE_INTEGER, limit));
    },

    head: () => Number(statements.head.get()?.position),
    counts: () => ({ reads, eventsRead }),
  };
};
