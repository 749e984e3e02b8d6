import { type EventData, jsonEvent, type Position as LogPosition, type ResolvedEvent, START } from '@eventstore/db-client';
import { RegistryError } from '../../errors.ts';
import { type Metadata, type NewEvent, ORIGIN, type Position, type Recorded } from '../event.ts';

/** The server's own word for a position that it does not know: 2^64 - 1. Stream reads before release 22.6 give it. */
const UNKNOWN_POSITION = 2n ** 64n - 1n;

const hex = (number: bigint): string => number.toString(16).padStart(16, '0');

/** Commit and prepare position in 16 hexadecimal digits each: byte order is the order of the log. */
export const textOf = ({ commit, prepare }: LogPosition): Position => `${hex(commit)}${hex(prepare)}`;

/** The position of an event. @throws RegistryError `UNAVAILABLE` when the server is so old that it does not say it */
export const positionOf = (position: LogPosition): Position => {
  if (position.commit === UNKNOWN_POSITION)
    throw new RegistryError('UNAVAILABLE', 'The event store does not say where an event is: it is older than 22.6.');
  return textOf(position);
};

/** @throws TypeError when the position is none of this log's */
export const checkPosition = (position: Position): void => {
  if (position !== ORIGIN && !/^[0-9a-f]{32}$/.test(position))
    throw new TypeError(`No position of this log: ${JSON.stringify(position)}.`);
};

/** Where the server starts: a position that it gave us, never one that was computed, or the beginning. */
export const logPositionOf = (position: Position): LogPosition | typeof START => {
  checkPosition(position);
  if (position === ORIGIN) return START;
  return { commit: BigInt(`0x${position.slice(0, 16)}`), prepare: BigInt(`0x${position.slice(16)}`) };
};

/** The position of any event, ours or not; undefined for a link whose event is gone. */
export const placeOf = ({ event }: ResolvedEvent): Position | undefined =>
  event?.position === undefined ? undefined : positionOf(event.position);

/** An event of ours as a reader sees it. The system's events (`$streamDeleted` and its kin) are nobody's facts. */
export const recordedOf = ({ event }: ResolvedEvent): Recorded | undefined => {
  if (event?.position === undefined || event.type.startsWith('$')) return undefined;
  const { id, type, data, metadata, streamId, revision, position } = event;
  return {
    id,
    type,
    data: data as unknown,
    metadata: metadata as Metadata,
    stream: streamId,
    revision: Number(revision),
    position: positionOf(position),
  };
};

export const eventDataOf = (events: readonly NewEvent[]): EventData[] =>
  events.map(({ id, type, data, metadata }) => jsonEvent({ id, type, data: data as never, metadata }));
