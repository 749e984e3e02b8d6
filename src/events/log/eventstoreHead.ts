import { BACKWARDS } from '@eventstore/db-client';
import { ORIGIN, type Position } from '../event.ts';
import { placeOf } from './eventstoreEncoding.ts';
import type { Reads } from './eventstoreReads.ts';

const FIRST_PAGE = 8;

export type Head = Readonly<{
  /** Reads what came since the last time. */
  read: () => Promise<Position>;
  /** The newest event of ours that is known of without reading. */
  known: () => Position;
  /** An event of ours is at this position: it was appended or handed out. */
  saw: (position: Position) => void;
}>;

/**
 * The position of the newest event of ours. The log is read backwards until one is found, or until where it was read before: so
 * each call reads what others have written since, and only the first one in a log of other people's may be long.
 */
export const headOf = ({ pages, isOurs }: Reads): Head => {
  let newest = ORIGIN;
  let scanned = ORIGIN;

  const saw = (position: Position): void => {
    if (position > newest) newest = position;
    // Whatever is before it is not newer.
    if (position > scanned) scanned = position;
  };

  /** The newest of ours after what was scanned, and the newest of everybody. */
  const scan = async (): Promise<Readonly<{ ours?: Position; end: Position }>> => {
    let end = ORIGIN;
    for await (const page of pages(BACKWARDS, 'end', FIRST_PAGE)) {
      for (const event of page) {
        const place = placeOf(event) ?? ORIGIN;
        if (place > end) end = place;
        if (place <= scanned) return { end };
        if (isOurs(event) && event.event?.type.startsWith('$') === false) return { ours: place, end };
      }
    }
    return { end };
  };

  return {
    read: async () => {
      const { ours, end } = await scan();
      if (ours !== undefined) saw(ours);
      if (end > scanned) scanned = end;
      return newest;
    },
    known: () => newest,
    saw,
  };
};
