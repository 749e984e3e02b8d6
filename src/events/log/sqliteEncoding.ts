import { ORIGIN, type Position, type Recorded } from '../event.ts';
import type { Outgoing } from './checks.ts';

/** Fixed width, so that the byte order of positions is the order of their numbers. */
const WIDTH = 16;

export const positionOf = (number: number): Position => (number === 0 ? ORIGIN : String(number).padStart(WIDTH, '0'));

/** @throws TypeError when the position is none of this log's */
export const numberOf = (position: Position): number => {
  if (position === ORIGIN) return 0;
  if (!/^\d{16}$/.test(position)) throw new TypeError(`No position of this log: ${JSON.stringify(position)}.`);
  return Number(position);
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
