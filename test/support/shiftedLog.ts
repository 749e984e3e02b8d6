import { ORIGIN, type Position, type Recorded } from '../../src/events/event.ts';
import type { EventLog } from '../../src/events/log/log.ts';

const shifted = (position: Position): Position =>
  position === ORIGIN ? ORIGIN : `byte-${String(Number(position) * 777 + 4096).padStart(20, '0')}`;

const back = (position: Position): Position => {
  if (position === ORIGIN) return ORIGIN;
  if (!position.startsWith('byte-')) throw new TypeError(`No position of this log: ${position}.`);
  return String((Number(position.slice(5)) - 4096) / 777).padStart(16, '0');
};

const moved = (events: readonly Recorded[]): readonly Recorded[] =>
  events.map((event) => ({ ...event, position: shifted(event.position) }));

/** An embedded log whose positions are others, with gaps: as those of a log on a server are. */
export const shiftedLog = (log: EventLog): EventLog => ({
  ...log,
  append: async (...args) => {
    const { revision, position } = await log.append(...args);
    return { revision, position: shifted(position) };
  },
  readStream: async (...args) => moved(await log.readStream(...args)),
  readAll: async ({ after, before, ...rest }) =>
    moved(
      await log.readAll({
        ...rest,
        ...(after !== undefined && { after: back(after) }),
        ...(before !== undefined && { before: back(before) }),
      }),
    ),
  follow: async function* (after, options) {
    for await (const batch of log.follow(back(after), options)) yield moved(batch);
  },
  head: async () => shifted(await log.head()),
});
