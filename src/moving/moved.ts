import { createHash } from 'node:crypto';
import { canonicalJson } from '../events/canonical.ts';
import { ORIGIN, type Position, type Recorded } from '../events/event.ts';
import type { EventLog } from '../events/log/log.ts';
import { CannotMove, refused } from './cannotMove.ts';

/** A recorded event without its position, which belongs to one log: what moves. */
export type Moved = Omit<Recorded, 'position'>;

/** How much there is, and the SHA-256 over the lines of all events in the order of the log. */
export type Fingerprint = Readonly<{ events: number; sha256: string }>;

/** The canonical JSON of an event and a line feed: the same bytes for the same event, wherever it stands. */
export const lineOf = ({ id, type, stream, revision, data, metadata }: Moved): string =>
  `${canonicalJson({ id, type, stream, revision, data, metadata })}\n`;

export const fingerprinting = (): Readonly<{ add: (line: string) => void; events: () => number; result: () => Fingerprint }> => {
  const hash = createHash('sha256');
  let events = 0;
  return {
    add: (line) => {
      hash.update(line);
      events += 1;
    },
    events: () => events,
    result: () => ({ events, sha256: hash.copy().digest('hex') }),
  };
};

// An event may have half a mebibyte: this bounds what is held at once, and a page is long enough that the way to a server costs little.
const PAGE = 200;

/**
 * Every event of a log in order, up to its newest one as of now, or up to `upTo`.
 * @throws CannotMove when the log gives fewer than it has: a read that was cut short must not look like an end
 */
export async function* eventsIn(log: Pick<EventLog, 'readAll' | 'head'>, upTo?: Position): AsyncGenerator<Recorded> {
  const end = upTo ?? (await log.head());
  let at = ORIGIN;
  while (at < end) {
    const page = await log.readAll({ after: at, limit: PAGE });
    const last = page.at(-1);
    if (last === undefined) throw new CannotMove('stopped', 'A log gave fewer events than it has. Run the same command again.');
    for (const event of page) if (event.position <= end) yield event;
    at = last.position;
  }
}

/** Words for a person: which event this is. */
export const nameOf = ({ type, stream, revision, id }: Moved): string => `${type} ${id}, revision ${revision} of ${stream}`;

/** @throws CannotMove for a stream of another registry */
export const mustBeUnder = (prefix: string, { stream }: Moved): void => {
  if (stream.startsWith(`${prefix}.`)) return;
  throw refused(
    `The stream ${stream} does not begin with "${prefix}.". Streams are not renamed: set GHOSTDOCK_STREAM_PREFIX to the same prefix on both sides.`,
  );
};
