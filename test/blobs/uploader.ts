import { writeSync } from 'node:fs';
import { diskBlobs } from '../../src/blobs/disk.ts';
import { OWNER, randomContent, sourceOf } from './bytes.ts';

/**
 * Uploads for ever into the folder that it is given, ten at a time, and says on its standard output what has been
 * promised to a client: `begun <id>`, `appended <id> <size>`, `placed <digest> <id>`.
 */
const [, , folder = ''] = process.argv;
const blobs = await diskBlobs(folder);
const SIZES = [0, 1, 3000, 70_000, 1_100_000, 2_500_000];

const say = (line: string): void => {
  writeSync(1, `${line}\n`);
};

const inPieces = async (round: number): Promise<void> => {
  const { bytes, digest } = randomContent(SIZES[round % SIZES.length] ?? 0);
  const { id } = await blobs.uploads.begin(OWNER, 'sha256');
  say(`begun ${id}`);
  const step = Math.max(1, Math.ceil(bytes.length / ((round % 3) + 1)));
  for (let at = 0; at < bytes.length; at += step) {
    const { size } = await blobs.uploads.append(id, OWNER, sourceOf(bytes.subarray(at, at + step)), { from: at });
    say(`appended ${id} ${size}`);
  }
  const placed = await blobs.uploads.finish(id, OWNER, digest);
  say(`placed ${digest} ${id}`);
  await placed.settle();
};

const whole = async (round: number): Promise<void> => {
  const { bytes, digest } = randomContent(round % 5000);
  await blobs.put(digest, bytes);
  say(`placed ${digest}`);
};

const forEver = async (first: number): Promise<never> => {
  for (let round = first; ; round += 1) await (round % 4 === 0 ? whole(round) : inPieces(round));
};

await Promise.all(Array.from({ length: 10 }, (_, index) => forEver(index)));
