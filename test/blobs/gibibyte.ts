import { Readable, Writable } from 'node:stream';
import { diskBlobs } from '../../src/blobs/disk.ts';
import { digesting } from '../../src/oci/digest.ts';
import { KIB, MIB, OWNER } from './bytes.ts';

/** Streams a blob of so many MiB into the folder that it is given and out again, and says how much memory it ever had. */
const [, , folder = '', mebibytes = '1024'] = process.argv;
const size = Number(mebibytes) * MIB;
const piece = Buffer.alloc(64 * KIB);
/** 32 MiB of them. */
const COLLECTED_AFTER = 512;

/** The same buffer again and again: what is counted is to be the memory of the store, not of this. */
function* shared(): Generator<Buffer> {
  for (let at = 0; at < size; at += piece.length) {
    piece.writeDoubleLE(at);
    yield piece;
  }
}
function* pieces(): Generator<Buffer> {
  let made = 0;
  for (const bytes of shared()) {
    made += 1;
    // What was made here and is not held any more would be counted as well, and on a busy machine nobody clears it away in time.
    if (made % COLLECTED_AFTER === 0) globalThis.gc?.();
    yield Buffer.from(bytes);
  }
}

const expected = digesting('sha256');
for (const bytes of shared()) expected.update(bytes);
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
process.stdout.write(JSON.stringify({ same, mebibytes: Math.round(process.resourceUsage().maxRSS / 1024) }));
