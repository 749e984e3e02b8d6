import { mustBeJson } from '../canonical.ts';
import type { NewEvent } from '../event.ts';
import { AppendTooLarge, LARGEST_APPEND, LARGEST_EVENT, LARGEST_READ } from './log.ts';

/** @throws RangeError */
export const checkLimit = (limit: number): void => {
  if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_READ)
    throw new RangeError(`A read's limit is a whole number from 1 to ${LARGEST_READ}, not ${limit}.`);
};

/** An append checked and turned into texts, once: id, type, data and metadata of each event. `sizes`: bytes of each event. */
export type Outgoing = Readonly<{
  stream: string;
  expected: number;
  events: readonly string[];
  recorded: readonly NewEvent[];
  sizes: readonly number[];
  bytes: number;
}>;

// As every log gives them back: 16 bytes, in small letters.
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
