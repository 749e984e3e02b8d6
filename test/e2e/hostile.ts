import { readdirSync, readlinkSync } from 'node:fs';
import { expect } from 'chai';
import { connection } from '../http/raw.ts';
import { type Answer, basic, expectStatus, type HttpClient } from '../support/http.ts';
import { type Blob, digestOf, noise } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';

export const AUTHORIZATION = `Authorization: ${basic(ADMIN, PASSWORD)}`;

export const REPOSITORY = 'hostile/app';
export const SEED = Number(process.env.GHOSTDOCK_TEST_SEED ?? Date.now() % 1_000_000);
export const CHUNKED = 'Transfer-Encoding: chunked';
export const MIB = 1024 * 1024;

/** Another one for each seed. */
export const blobOf = (seed: string, size: number): Blob => {
  const bytes = noise(size, seed);
  return { bytes, digest: digestOf(bytes), mediaType: '' };
};

/** How a client goes away: with everything sent before (FIN), or at once, whatever is still on its way (RST). */
export type Going = 'end' | 'reset';

/** Sends these bytes on a connection of their own, and goes away without reading an answer. */
export const sendAndGo = async (port: number, bytes: Uint8Array, going: Going): Promise<void> => {
  const socket = await connection(port);
  const closed = new Promise((resolve) => socket.on('error', () => undefined).once('close', resolve));
  if (bytes.length > 0) await new Promise((resolve) => socket.write(bytes, resolve));
  if (going === 'end') socket.end().resume();
  else socket.resetAndDestroy();
  await closed;
};

/** Where a session stands by a `Range`: `0-0` is none, or one byte, which is found out by trying. */
const sizesIn = ({ headers }: Answer): readonly number[] => {
  const last = Number(String(headers.range).slice(2));
  return last === 0 ? [0, 1] : [last + 1];
};

/** Most times that a session may have moved on between two answers, as an earlier request of it ends meanwhile. */
const MOST_TRIES = 10;

/**
 * Goes on as a client does that knows nothing but the session's location and its own bytes: from where the registry says that it stands.
 * @returns how many bytes had been kept, or 'over' where the session was finished after all
 */
export const resume = async (client: HttpClient, location: string, { bytes, digest }: Blob): Promise<number | 'over'> => {
  let answer = await client.send('GET', location);
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    if (answer.status === 404) return 'over';
    for (const from of sizesIn(expectStatus('status', answer, 204, 416))) {
      const rest = bytes.subarray(from);
      const headers = { 'content-range': `${from}-${bytes.length - 1}` };
      const sending = rest.length === 0 ? {} : { body: rest, headers };
      answer = await client.send('PUT', `${location}?digest=${digest}`, sending);
      if (answer.status === 201) return from;
      if (answer.status === 404) return 'over';
      expectStatus('going on', answer, 416);
    }
  }
  throw new Error(`${location} is never where it says that it stands.`);
};

type Kept = Readonly<{ dataDir: string; pid: number }>;

/** What is left of uploads: files of sessions, and what the process has open below its folder of uploads. Linux only. */
export const leftIn = ({ dataDir, pid }: Kept): readonly string[] => {
  const uploads = `${dataDir}/uploads`;
  const sessions = readdirSync(uploads, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(uploads.length + 1))
    // Folders of sessions that are over are kept for the next, with nothing else in them.
    .filter((name) => !/^removed-[^/]+\/session\.json$/.test(name));
  const open = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/${pid}/fd/${fd}`);
      return path.startsWith(`${dataDir}/uploads/`) || path.startsWith(`${dataDir}/blobs/`) ? [path] : [];
    } catch {
      return []; // closed meanwhile
    }
  });
  return [...sessions, ...open];
};

export const nothingIsLeft = async (...kept: readonly Kept[]): Promise<void> => {
  let left: readonly string[] = [];
  await waitUntil('nothing is left of uploads', () => {
    left = kept.flatMap(leftIn);
    return left.length === 0;
  }).catch(() => {
    throw new Error(`Left of uploads: ${left.join(', ')}`);
  });
};

/** Runs `work` for all, so many at a time. */
export const eachOf = async <T>(all: readonly T[], atOnce: number, work: (one: T) => Promise<void>): Promise<void> => {
  const queue = [...all];
  const worker = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
};

/** The very bytes, or nothing. */
export const expectWhole = async (client: HttpClient, { digest, bytes }: Blob): Promise<void> => {
  const { status, body } = await client.send('GET', `/v2/${REPOSITORY}/blobs/${digest}`);
  expect(status).to.equal(200);
  expect(body.equals(bytes), 'the very bytes').to.equal(true);
};

export const statusOf = async (client: HttpClient, { digest }: Blob): Promise<number> =>
  (await client.send('HEAD', `/v2/${REPOSITORY}/blobs/${digest}`)).status;
