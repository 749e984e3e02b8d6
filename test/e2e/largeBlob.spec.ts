import { createHash, type Hash } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Transform } from 'node:stream';
import { expect } from 'chai';
import { basic, expectStatus, finishUpload, type HttpClient, httpClient, startUpload } from '../support/http.ts';
import { noiseStream } from '../support/images.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const SIZE = Number(process.env.GHOSTDOCK_TEST_LARGE_BLOB_MB ?? 5 * 1024) * MIB;
const MOST_MEMORY = 300 * MIB;
const ROOM = SIZE < GIB ? 4 * GIB : 16 * GIB;
const NAME = 'large/blob';

const free = (): number => {
  const { bavail, bsize } = statfsSync(tmpdir());
  return bavail * bsize;
};

const megabytes = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`;

/** Hashes what goes through: the digest need not be known before, so the bytes are made once only. */
const hashing = (hash: Hash): Transform =>
  new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      hash.update(chunk);
      done(null, chunk);
    },
  });

describe(`A blob of ${megabytes(SIZE)}`, function () {
  requires(this, free() > ROOM, `${tmpdir()} has less than ${ROOM / GIB} GiB of room`);
  this.timeout(300_000);
  const registry = registryFor();
  const resident: number[] = [];
  let digest = '';

  /** Looks at the registry's memory while `work` goes on. */
  const watched = async (work: (client: HttpClient) => Promise<void>): Promise<void> => {
    const { url, memory } = registry.current();
    const client = httpClient(url, { authorization: basic(ADMIN, PASSWORD) });
    const watch = setInterval(() => resident.push(memory().now), 100);
    await work(client).finally(() => {
      clearInterval(watch);
      client.close();
    });
  };

  it('streams in', () =>
    watched(async (client) => {
      const hash = createHash('sha256');
      const source = noiseStream(SIZE, 'large');
      const body = source.pipe(hashing(hash)); // the source cannot fail
      const headers = { 'content-type': 'application/octet-stream' };
      const location = await startUpload(client, NAME);
      const sent = expectStatus('upload', await client.send('PATCH', location, { body, length: SIZE, headers }), 202);
      expect(sent.headers.range).to.equal(`0-${SIZE - 1}`);
      digest = `sha256:${hash.digest('hex')}`;
      await finishUpload(client, String(sent.headers.location), digest);
    }));

  it('streams out, the same', () =>
    watched(async (client) => {
      const hash = createHash('sha256');
      const message = await client.open('GET', `/v2/${NAME}/blobs/${digest}`);
      expect(message.statusCode).to.equal(200);
      expect(message.headers['content-length']).to.equal(String(SIZE));
      for await (const chunk of message) hash.update(chunk as Buffer);
      expect(`sha256:${hash.digest('hex')}`).to.equal(digest);
    }));

  it('gives a range from its end', () =>
    watched(async (client) => {
      const headers = { range: `bytes=${SIZE - 5}-` };
      const { body } = expectStatus('range', await client.send('GET', `/v2/${NAME}/blobs/${digest}`, { headers }), 206);
      expect(body).to.have.length(5);
    }));

  it(`takes less than ${megabytes(MOST_MEMORY)} of memory`, () => {
    const { peak } = registry.current().memory();
    expect(resident.length, 'looks at the memory').to.be.greaterThan(2);
    expect(Math.max(...resident), 'most seen').to.be.lessThan(MOST_MEMORY);
    expect(peak, 'most that ever was').to.be.lessThan(MOST_MEMORY);
  });
});
