import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream, rmSync, writeFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type DiskBlobs, diskBlobs } from '../src/blobs/disk.ts';
import { hexOf } from '../src/oci/digest.ts';
import { type Content, MIB, OWNER, pushed, randomContent, sourceOf } from '../test/blobs/bytes.ts';
import { scratchFolder } from '../test/support/processes.ts';
import { type Figure, median, rounded } from './figures.ts';

const ROUNDS = 4;
const LARGE = 100 * MIB;
const SMALL = 300_000;
const SMALL_ONES = 150;

type Way = () => Promise<void>;
/** `before` is done before each of ours, and not timed. */
type Ways = Readonly<{ ours: Way; plain: Way; before?: () => void }>;

const secondsOf = async (way: Way): Promise<number> => {
  const start = performance.now();
  await way();
  return (performance.now() - start) / 1000;
};

/** Both ways in turn, so that what else the machine does hits both; the first round only warms up. */
const compare = async (ways: Ways): Promise<Readonly<{ ours: number; ratio: number }>> => {
  const times: Readonly<{ ours: number; plain: number }>[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    ways.before?.();
    times.push({ ours: await secondsOf(ways.ours), plain: await secondsOf(ways.plain) });
  }
  const counted = times.slice(1);
  return { ours: median(counted.map(({ ours }) => ours)), ratio: median(counted.map(({ ours, plain }) => plain / ours)) };
};

const hashing = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
  hash.digest('hex');
};

/** What one writes without thinking of it: a temporary file, its sync, its name, and the sync of the folder. */
const writePlainly = async (folder: string, source: Readable): Promise<void> => {
  const path = `${folder}/${randomUUID()}`;
  await pipeline(source, hashing, createWriteStream(path, { flush: true }));
  await rename(path, `${path}.placed`);
  const handle = await open(folder);
  await handle.sync();
  await handle.close();
};

const forget = (folder: string, { digest }: Content): void => {
  rmSync(`${folder}/blobs/sha256/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}`, { force: true });
};

/** From memory, in chunks like those of a request: reading a file would take longer than what is measured. */
const ingestLarge = (blobs: DiskBlobs, folder: string, content: Content): Ways => ({
  ours: async () => {
    const { id } = await blobs.uploads.begin(OWNER, 'sha256');
    await blobs.uploads.append(id, OWNER, sourceOf(content.bytes), { length: LARGE });
    await (await blobs.uploads.finish(id, OWNER, content.digest)).settle();
  },
  plain: () => writePlainly(folder, sourceOf(content.bytes)),
  before: () => forget(folder, content),
});

const ingestSmall = (blobs: DiskBlobs, folder: string, atOnce: number): Ways => {
  const contents = Array.from({ length: SMALL_ONES }, () => randomContent(SMALL));
  const spread = async (one: (content: Content) => Promise<void>): Promise<void> => {
    const waiting = [...contents];
    const worker = async (): Promise<void> => {
      for (let content = waiting.pop(); content !== undefined; content = waiting.pop()) await one(content);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  };
  return {
    ours: () => spread((content) => pushed(blobs, content)),
    plain: () => spread(({ bytes }) => writePlainly(folder, sourceOf(bytes))),
    before: () => {
      for (const content of contents) forget(folder, content);
    },
  };
};

/** Connections of this machine whose other end counts what comes, as cheaply as Node can. */
const receiver = async (): Promise<
  Readonly<{ connection: () => Promise<Readonly<{ socket: Socket; received: Promise<void> }>>; close: () => void }>
> => {
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    connection: async () => {
      let bytes = 0;
      const received = Promise.withResolvers<void>();
      const callback = (length: number): boolean => {
        bytes += length;
        if (bytes === LARGE) received.resolve();
        return true;
      };
      const reader = connect({ host: '127.0.0.1', port, onread: { buffer: Buffer.alloc(MIB), callback } });
      await once(server, 'connection');
      const socket = accepted.pop() as Socket;
      socket.on('close', () => reader.destroy());
      return { socket, received: received.promise };
    },
    close: () => server.close(),
  };
};

const copyOut = async (
  blobs: DiskBlobs,
  file: string,
  { digest }: Content,
): Promise<Readonly<{ ways: Ways; close: () => void }>> => {
  const { connection, close } = await receiver();
  const sent = async (send: (socket: Writable) => Promise<unknown>): Promise<void> => {
    const { socket, received } = await connection();
    await Promise.all([send(socket), received]);
    socket.destroy();
  };
  const ours = (): Promise<void> =>
    sent(async (socket) => {
      const blob = await blobs.open(digest);
      await blob?.copyTo(socket, 0, LARGE - 1);
      await blob?.close();
    });
  return { ways: { ours, plain: () => sent(async (socket) => createReadStream(file).pipe(socket)) }, close };
};

const rate = (ours: number): string => `${rounded(LARGE / 1e6 / ours)} MB/s`;

/** How fast do blobs go in and out, and how does that compare with Node's plain streams? Some 30 s in the temporary folder. */
export const run = async (): Promise<readonly Figure[]> => {
  const { path: folder, remove } = scratchFolder();
  const blobs = await diskBlobs(folder);
  const content = randomContent(LARGE);
  const file = `${folder}/source`;
  writeFileSync(file, content.bytes);
  const figures: Figure[] = [];
  const add = (
    question: string,
    unit: (seconds: number) => string,
    { ours, ratio }: Awaited<ReturnType<typeof compare>>,
  ): void => {
    figures.push({ question, figure: `${rounded(ratio)} × plain streams (${unit(ours)})` });
  };
  try {
    add('blob in, 100 MiB', rate, await compare(ingestLarge(blobs, folder, content)));
    for (const atOnce of [1, 10]) {
      const uploads = (seconds: number): string => `${rounded(SMALL_ONES / seconds)} a second`;
      add(`blobs in, 300 kB, ${atOnce} at a time`, uploads, await compare(ingestSmall(blobs, folder, atOnce)));
    }
    await pushed(blobs, content);
    const { ways, close } = await copyOut(blobs, file, content);
    add('blob out, 100 MiB over loopback', rate, await compare(ways));
    close();
    return figures;
  } finally {
    await blobs.close();
    remove();
  }
};

if (import.meta.main) console.table(await run());
