import { journal } from './journal.ts';

/** An event as it lies in the log. `revision` is that of its stream; the position is a byte offset, so there are gaps. */
export type Stored = Readonly<{
  position: number;
  stream: string;
  revision: number;
  id: string;
  type: string;
  contentType: string;
  /** Base64. */
  data: string;
  metadata: string;
  /** Ticks of 100 ns since 1970. */
  created: string;
}>;

export type Proposed = Pick<Stored, 'id' | 'type' | 'contentType' | 'data' | 'metadata'>;

/** A revision, or NO_STREAM as -1. */
export type Expectation = number | 'any' | 'stream_exists';

export type Outcome =
  | Readonly<{ kind: 'written' | 'repeated'; revision: number; position: number }>
  | Readonly<{ kind: 'wrong'; actual: number }>
  | Readonly<{ kind: 'deleted' }>
  | Readonly<{ kind: 'tooLarge' }>;

type Stream = { events: Stored[]; truncateBefore: number; tombstoned: boolean };

export type Store = Readonly<{
  /** Everything, in the order of the log. */
  all: readonly Stored[];
  append: (stream: string, expected: Expectation, events: readonly Proposed[]) => Outcome;
  softDelete: (stream: string, expected: Expectation) => Outcome;
  tombstone: (stream: string, expected: Expectation) => Outcome;
  /** Readable events of a stream by revision. `missing` also where it was deleted softly. */
  stream: (name: string) => 'missing' | 'tombstoned' | Readonly<{ first: number; events: readonly Stored[] }>;
  /** Index of the event at exactly this position; -1 where none begins. */
  indexOf: (position: number) => number;
  /** Calls back once, after the next append. @returns how to take that back */
  onNews: (wake: () => void) => () => void;
}>;

/** The revision that the real server gives a tombstone: 2^63 - 1. */
export const TOMBSTONE_REVISION = '9223372036854775807';
const SOFT_DELETED = Number(TOMBSTONE_REVISION);
/** The ids that `any` knows again are those of a bounded memory, empty after a restart. */
const MOST_RECENT_IDS = 20_000;

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
const ticks = (): string => `${Date.now()}0000`;
const sizeOf = ({ data, metadata, type }: Proposed): number =>
  Math.floor((data.length * 3) / 4) + Math.floor((metadata.length * 3) / 4) + 2 * type.length;

const proposal = (type: string, data: unknown): Proposed => ({
  id: crypto.randomUUID(),
  type,
  contentType: 'application/json',
  data: base64(data),
  metadata: '',
});

export type StoreOptions = Readonly<{
  /** The append-only file. What was acknowledged is in it. */
  path: string;
  /** Bytes of one append. */
  maxAppendSize: number;
  /** Whether other people's events and the system's own come between. */
  noise: boolean;
}>;

/** The state of the server: one log with one writer, and what follows from it. Appends are synchronous. */
export const openStore = ({ path, maxAppendSize, noise }: StoreOptions): Store => {
  const all: Stored[] = [];
  const streams = new Map<string, Stream>();
  const recentIds = new Map<string, Stored>();
  const waiting = new Set<() => void>();
  const file = journal<readonly Stored[]>(path);
  let nextPosition = 2345;
  let appends = 0;

  const streamOf = (name: string): Stream => {
    let stream = streams.get(name);
    if (stream === undefined) {
      stream = { events: [], truncateBefore: 0, tombstoned: false };
      streams.set(name, stream);
    }
    return stream;
  };

  const index = (event: Stored): void => {
    all.push(event);
    const stream = streamOf(event.stream);
    if (event.type === '$streamDeleted') stream.tombstoned = true;
    else stream.events.push(event);
    if (event.type === '$metadata' && event.stream.startsWith('$$')) {
      const metadata = JSON.parse(Buffer.from(event.data, 'base64').toString()) as { $tb?: number };
      streamOf(event.stream.slice(2)).truncateBefore = metadata.$tb ?? 0;
    }
    nextPosition = event.position + 113 + event.data.length + event.metadata.length + (event.position % 37);
  };

  const place = (frame: Stored[], name: string, revision: number, proposed: Proposed): Stored => {
    const event = { position: nextPosition, stream: name, revision, created: ticks(), ...proposed };
    frame.push(event);
    index(event);
    return event;
  };

  const addNoise = (frame: Stored[]): void => {
    appends += 1;
    const add = (name: string, type: string): void => {
      place(frame, name, streamOf(name).events.length, proposal(type, { noise: appends }));
    };
    if (appends % 3 === 0) add('another-registry.repository-library/alpine', 'TagMoved');
    if (appends % 5 === 0) add('$stats-127.0.0.1:2113', '$statsCollected');
    if (appends % 11 === 0) add('$$$stats-127.0.0.1:2113', '$metadata');
  };

  for (const frame of file.frames()) for (const event of frame) index(event);
  if (all.length === 0) {
    const frame: Stored[] = [];
    place(frame, '$users', 0, proposal('$UserCreated', { loginName: 'admin' }));
    file.add(frame);
  }

  const write = (name: string, events: readonly Proposed[]): Outcome => {
    const frame: Stored[] = [];
    if (noise) addNoise(frame);
    const stream = streamOf(name);
    const first = stream.events.length;
    let last: Stored | undefined;
    for (const event of events) {
      last = place(frame, name, stream.events.length, event);
      remember(last);
    }
    if (stream.truncateBefore >= SOFT_DELETED)
      place(frame, `$$${name}`, streamOf(`$$${name}`).events.length, proposal('$metadata', { $tb: first }));
    file.add(frame);
    wake();
    return { kind: 'written', revision: last?.revision ?? first - 1, position: last?.position ?? 0 };
  };

  const remember = (event: Stored): void => {
    recentIds.set(`${event.stream}\n${event.id}`, event);
    const oldest = recentIds.size > MOST_RECENT_IDS ? recentIds.keys().next().value : undefined;
    if (oldest !== undefined) recentIds.delete(oldest);
  };

  const wake = (): void => {
    const woken = [...waiting];
    waiting.clear();
    for (const goOn of woken) goOn();
  };

  const repeated = (last: Stored | undefined): Outcome | undefined =>
    last && { kind: 'repeated', revision: last.revision, position: last.position };

  /** Whatever the expectation was, an idempotent repetition of something recorded; or what is wrong; or undefined: write. */
  const without = (name: string, expected: Expectation, ids: readonly string[]): Outcome | undefined => {
    const { events, tombstoned, truncateBefore } = streams.get(name) ?? { events: [], tombstoned: false, truncateBefore: 0 };
    if (tombstoned) return { kind: 'deleted' };
    const current = events.length - 1;
    if (typeof expected === 'number') {
      if (expected === current) return undefined;
      const same = expected < current && ids.length > 0 && ids.every((id, at) => events[expected + 1 + at]?.id === id);
      if (same) return repeated(events[expected + ids.length]);
      return expected === -1 && truncateBefore >= SOFT_DELETED ? undefined : { kind: 'wrong', actual: current };
    }
    if (expected === 'stream_exists' && truncateBefore >= SOFT_DELETED) return { kind: 'deleted' };
    if (expected === 'stream_exists' && current === -1) return { kind: 'wrong', actual: -1 };
    const known = ids.map((id) => recentIds.get(`${name}\n${id}`));
    if (known[0] === undefined) return undefined;
    return known.includes(undefined) ? { kind: 'wrong', actual: current } : repeated(known.at(-1));
  };

  const end = (name: string, expected: Expectation, into: string, event: Proposed): Outcome => {
    const refused = without(name, expected, []);
    if (refused !== undefined) return refused;
    if (!streams.has(name)) return { kind: 'wrong', actual: -1 };
    return write(into, [event]);
  };

  return {
    all,
    append: (name, expected, events) => {
      const size = events.reduce((sum, event) => sum + sizeOf(event), 0);
      if (size > maxAppendSize) return { kind: 'tooLarge' };
      const ids = events.map(({ id }) => id);
      return without(name, expected, ids) ?? write(name, events);
    },
    softDelete: (name, expected) => end(name, expected, `$$${name}`, { ...proposal('$metadata', {}), data: base64Tb() }),
    tombstone: (name, expected) => end(name, expected, name, proposal('$streamDeleted', {})),
    stream: (name) => {
      const stream = streams.get(name);
      if (stream?.tombstoned === true) return 'tombstoned';
      if (stream === undefined || stream.events.length === 0 || stream.truncateBefore >= SOFT_DELETED) return 'missing';
      return { first: stream.truncateBefore, events: stream.events };
    },
    indexOf: (position) => {
      let [low, high] = [0, all.length - 1];
      while (low <= high) {
        const middle = (low + high) >>> 1;
        const at = all[middle]?.position ?? 0;
        if (at === position) return middle;
        if (at < position) low = middle + 1;
        else high = middle - 1;
      }
      return -1;
    },
    onNews: (callback) => {
      waiting.add(callback);
      return () => waiting.delete(callback);
    },
  };
};

/** `{"$tb": 2^63 - 1}`: a number that JavaScript would round. */
const base64Tb = (): string => Buffer.from(`{"$tb":${TOMBSTONE_REVISION}}`).toString('base64');
