import { read } from 'node:fs';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { type Receiver, receiving } from './receiving.ts';

const reading = promisify(read);

/** One read and one write (measured: with the 64 KiB of a plain read stream half to three quarters of the throughput are lost). */
const STEP = 512 * 1024;
/** Buffers that all copies share, two each: one is read into while the other is sent. 64 MiB. */
const MOST_SHARED = 128;
/** What a copy works with when others, however slow they are, hold all the shared buffers. */
const SMALL_STEP = 64 * 1024;

type Lane = { readonly buffer: Buffer; sent: Promise<void> };

/** The buffers of all copies. */
export type Lanes = Readonly<{ take: (length: number) => Lane; giveBack: (lane: Lane) => void; lose: (lane: Lane) => void }>;

export const sharedLanes = (size = STEP, most = MOST_SHARED): Lanes => {
  const free: Buffer[] = [];
  let made = 0;
  const shared = (): Buffer | undefined => {
    if (free.length > 0 || made >= most) return free.pop();
    made += 1;
    return Buffer.allocUnsafeSlow(size);
  };
  return {
    take: (length) => {
      const buffer = length <= SMALL_STEP ? undefined : shared();
      return { buffer: buffer ?? Buffer.allocUnsafeSlow(Math.min(length, SMALL_STEP)), sent: Promise.resolve() };
    },
    giveBack: ({ buffer }) => {
      if (buffer.length === size) free.push(buffer);
    },
    lose: ({ buffer }) => {
      if (buffer.length === size) made -= 1;
    },
  };
};

type Source = Readonly<{
  fd: number;
  start: number;
  end: number;
  /** Throws when the copy must not go on. */
  mayGoOn: () => void;
}>;

const pump = async (lanes: readonly Lane[], { fd, start, end, mayGoOn }: Source, receiver: Receiver): Promise<void> => {
  for (let position = start, turn = 0; position <= end; turn += 1) {
    const lane = lanes[turn % lanes.length] as Lane;
    await lane.sent;
    receiver.mustBeOpen();
    mayGoOn();
    const { bytesRead } = await reading(fd, lane.buffer, 0, Math.min(lane.buffer.length, end - position + 1), position);
    if (bytesRead === 0) throw new Error(`The file ends at ${position}, before byte ${end}.`);
    position += bytesRead;
    lane.sent = receiver.send(lane.buffer.subarray(0, bytesRead));
  }
  await Promise.all(lanes.map(({ sent }) => sent));
};

/**
 * Copies bytes `start` to `end` (inclusive) of a file to `destination`, without ending it. A buffer is used again only when
 * the destination has said that it has sent it. Stops when the destination fails or closes; its buffers are never
 * used again then: who knows what still reads from them.
 * @param sent told how many bytes the destination has taken, a buffer at a time
 */
export const copyOut = async (
  lanes: Lanes,
  source: Source,
  destination: Writable,
  sent?: (bytes: number) => void,
): Promise<void> => {
  const length = source.end - source.start + 1;
  if (length <= 0) return;
  const first = lanes.take(length);
  const taken = length > first.buffer.length ? [first, lanes.take(length - first.buffer.length)] : [first];
  const receiver = receiving(destination, sent);
  try {
    await pump(taken, source, receiver);
    taken.forEach(lanes.giveBack);
  } catch (error) {
    taken.forEach(lanes.lose);
    throw error;
  } finally {
    receiver.release();
  }
};
