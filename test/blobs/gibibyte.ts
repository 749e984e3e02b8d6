import { Readable, Writable } from 'node:stream';
import { diskBlobs } from '../../src/blobs/disk.ts';
import { digesting } from '../../src/oci/digest.ts';
import { memoryOf } from '../support/processes.ts';
import { KIB, MIB, OWNER } from './bytes.ts';

/** Streams a blob of so many MiB into the folder that it is given and out again, and says how much memory it ever had. */
const [, , folder = '', mebibytes = '1024'] = process.argv;
const size = Number(mebibytes) * MIB;
const PIECE = 64 * KIB;
/** More pieces than can be on their way at once: whoever still needed one that is filled again would end with another digest. */
const AROUND = 64;
const ring = Array.from({ length: AROUND }, () => Buffer.alloc(PIECE));

/** The same few buffers again and again: what is counted is to be the memory of the store, not of this. */
function* pieces(): Generator<Buffer> {
  for (let at = 0; at < size; at += PIECE) {
    const piece = ring[(at / PIECE) % AROUND] as Buffer;
    piece.writeDoubleLE(at);
    yield piece;
  }
}

const expected = digesting('sha256');
for (const bytes of pieces()) expected.update(bytes);
const digest = expected.digest();

const blobs = await diskBlobs(folder);
const { id } = await blobs.uploads.begin(OWNER, 'sha256');
await blobs.uploads.append(id, OWNER, Readable.from(pieces(), { objectMode: false }), { length: size });
await (await blobs.uploads.finish(id, OWNER, digest)).settle();

const received = digesting('sha256');
const destination = new Writable({
  write: (bytes: Buffer, _encoding, done) => {
    received.update(bytes);
    setImmediate(done);
  },
});
const blob = await blobs.open(digest);
await blob?.copyTo(destination, 0, size - 1);
await blob?.close();
await blobs.close();

const same = received.digest() === digest;
// Not `resourceUsage().maxRSS`: that begins with what the process had which started this one.
process.stdout.write(JSON.stringify({ same, mebibytes: Math.round(memoryOf(process.pid, 'VmHWM') / MIB) }));
