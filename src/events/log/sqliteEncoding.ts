import { mustBeJson } from '../canonical.ts';
import { type NewEvent, ORIGIN, type Position, type Recorded } from '../event.ts';
import { AppendTooLarge, LARGEST_APPEND, LARGEST_EVENT } from './log.ts';
import type { Append } from './sqliteCommit.ts';

/** Fixed width, so that the byte order of positions is the order of their numbers. */
const WIDTH = 16;

export const positionOf = (number: number): Position => (number === 0 ? ORIGIN : String(number).padStart(WIDTH, '0'));

/** @throws TypeError when the position is none of this log's */
export const numberOf = (position: Position): number => {
  if (position === ORIGIN) return 0;
  if (!/^\d{16}$/.test(position)) throw new TypeError(`No position of this log: ${JSON.stringify(position)}.`);
  return Number(position);
};

/** An append checked and turned into texts, once. `sizes`: bytes of each event. */
export type Outgoing = Append & Readonly<{ recorded: readonly NewEvent[]; sizes: readonly number[]; bytes: number }>;

// As this log gives them back: 16 bytes, in small letters.
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const check = ({ id, type, data, metadata }: NewEvent): void => {
  if (!UUID.test(id)) throw new TypeError(`An event's id is a UUID in small letters, not ${JSON.stringify(id)}.`);
  mustBeJson(type, `${type}: type`);
  mustBeJson(data, `${type}: data`);
  mustBeJson(metadata, `${type}: metadata`);
};

const checkTarget = (stream: string, expected: number, events: readonly NewEvent[]): void => {
  if (stream === '' || !stream.isWellFormed()) throw new TypeError(`No name of a stream: ${JSON.stringify(stream)}.`);
  if (!Number.isSafeInteger(expected) || expected < -1) throw new TypeError(`No revision to expect: ${expected}.`);
  if (events.length === 0) throw new TypeError(`An append to ${stream} without events.`);
};

/** @throws AppendTooLarge; TypeError or NotJson for what no caller should ever append */
export const outgoing = (stream: string, expected: number, recorded: readonly NewEvent[]): Outgoing => {
  checkTarget(stream, expected, recorded);
  const events: string[] = [];
  const sizes: number[] = [];
  let bytes = 0;
  for (const event of recorded) {
    check(event);
    const data = JSON.stringify(event.data);
    const metadata = JSON.stringify(event.metadata);
    const dataSize = Buffer.byteLength(data);
    if (dataSize > LARGEST_EVENT)
      throw new AppendTooLarge(`${event.type} for ${stream} has ${dataSize} bytes of data, over ${LARGEST_EVENT}.`);
    const size = dataSize + Buffer.byteLength(metadata) + event.id.length + Buffer.byteLength(event.type);
    events.push(event.id, event.type, data, metadata);
    sizes.push(size);
    bytes += size;
  }
  if (bytes > LARGEST_APPEND) throw new AppendTooLarge(`An append to ${stream} has ${bytes} bytes, over ${LARGEST_APPEND}.`);
  return { stream, expected, events, recorded, sizes, bytes };
};

/** The events of a written append as a reader would find them, given its last event's place: no disk, no second parse. */
export const recordedOf = ({ stream, recorded }: Outgoing, revision: number, position: number): readonly Recorded[] => {
  const count = recorded.length;
  return recorded.map(({ id, type, data, metadata }, index) => ({
    id,
    type,
    data,
    metadata,
    stream,
    revision: revision - count + 1 + index,
    position: positionOf(position - count + 1 + index),
  }));
};
